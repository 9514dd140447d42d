"""Results of several attempts find each other."""

from __future__ import annotations

import pytest

from testloom.model.attempts import all_with_earlier, with_earlier
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry


def entry(
    name: str, status: TestStatus = TestStatus.PASS, test: str = "t", attempt: int = 4
) -> ResultEntry:
    return ResultEntry(name=name, test=test, status=status, attempt=attempt)


FIRST = entry("t.a", TestStatus.FAIL, attempt=1)
CRASH = entry("t", TestStatus.ERROR, attempt=2)
SECOND = entry("t.a", TestStatus.ERROR, attempt=3)


def names_of(results: list[ResultEntry]) -> dict[str, list[ResultEntry]]:
    return {result.name: list(result.earlier) for result in results}


def test_a_result_gets_the_earlier_ones_of_its_name_oldest_first() -> None:
    found = with_earlier([entry("t.a"), entry("t")], [SECOND, FIRST, CRASH])
    assert names_of(found) == {"t.a": [FIRST, SECOND], "t": [CRASH]}


def test_what_did_not_come_again_goes_to_the_result_of_the_test_itself() -> None:
    assert names_of(with_earlier([entry("t"), entry("t.b")], [FIRST])) == {"t": [FIRST], "t.b": []}


def test_what_did_not_come_again_goes_to_the_last_one_if_the_test_itself_has_none() -> None:
    found = with_earlier([entry("t.b"), entry("t.c")], [CRASH])
    assert names_of(found) == {"t.b": [], "t.c": [CRASH]}


def test_an_attempt_that_counts_is_not_an_earlier_one() -> None:
    found = with_earlier([entry("t.a", TestStatus.ERROR, attempt=3)], [FIRST, SECOND, entry("t.a")])
    assert names_of(found) == {"t.a": [FIRST, entry("t.a")]}


def test_results_of_many_tests_keep_their_order() -> None:
    results = [entry("t"), entry("u", test="u"), entry("t.b"), entry("v", test="v")]
    found = all_with_earlier(results, {"t": [FIRST], "u": [CRASH], "gone": [SECOND]})
    assert names_of(found) == {"t": [FIRST], "u": [CRASH], "t.b": [], "v": []}


@pytest.mark.parametrize(
    ("status", "earlier", "is_flaky"),
    [
        (TestStatus.PASS, (FIRST,), True),
        (TestStatus.PASS, (), False),
        (TestStatus.PASS, (entry("t", TestStatus.SKIP),), False),
        (TestStatus.FAIL, (FIRST,), False),
    ],
)
def test_flaky_is_what_passed_after_it_had_not(
    status: TestStatus, earlier: tuple[ResultEntry, ...], is_flaky: bool
) -> None:
    assert ResultEntry(name="t", test="t", status=status, earlier=earlier).is_flaky is is_flaky


def test_tries_never_exceed_what_is_said_to_be_allowed() -> None:
    tries = [
        ResultEntry(name="t", test="t", status=TestStatus.PASS, attempt=a, max_attempts=m).tries
        for a, m in ((1, 1), (2, 3), (2, 1))
    ]
    assert tries == ["1/1", "2/3", "2/2"]
