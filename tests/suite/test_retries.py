"""Whether a test runs again: values in, decisions out."""

from __future__ import annotations

import pytest

from testloom.model.errors import UsageError
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry
from testloom.suite.retries import Again, Counts, Retries, RetryPolicy, family_of, own_retries


def entry(
    status: TestStatus = TestStatus.FAIL, reason: str = "", *reasons: str, name: str = "t"
) -> ResultEntry:
    return ResultEntry(
        name=name, test="t", status=status, reason=reason, failure_reasons=tuple(reasons)
    )


PASSED = [entry(TestStatus.PASS)]
FAILED = [entry(reason="exit:1")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, Retries(2)),
        ("2", Retries(2)),
        ("2,timeout=0", Retries(2, (("timeout", 0),))),
        (" infra=3 , crash=1 ", Retries(0, (("infra", 3), ("crash", 1)))),
        ({"usual": 1, "diff": 0}, Retries(1, (("diff", 0),))),
    ],
)
def test_retries_are_said_by_a_number_and_by_reasons(value: object, expected: Retries) -> None:
    assert Retries.parse(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "True is no number of retries; write 2, or 2,timeout=0"),
        ("-1", "'-1' is no number of retries; write 2, or 2,timeout=0"),
        ("", "'' is no number of retries; write 2, or 2,timeout=0"),
        (None, "None is no number of retries; write 2, or 2,timeout=0"),
        ("1001", "1001 retries are too many; write at most 1000"),
        ("timeuot=1", "'timeuot' is no reason to run a test again; did you mean 'timeout'?"),
        (
            "x=1",
            "'x' is no reason to run a test again; write one of timeout, crash, diff, infra, other",
        ),
        ("1,2", "'usual' is there twice; keep one of them"),
    ],
)
def test_what_makes_no_sense_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Retries.parse(value)
    assert str(caught.value) == message


def test_a_test_says_for_itself_how_often() -> None:
    assert own_retries({"test_name": "t"}) is None
    assert own_retries({"test_name": "t", "retries": {"crash": 1}}) == Retries(0, (("crash", 1),))
    with pytest.raises(UsageError, match=r"^t: 'retries': \[\] is no number of retries"):
        own_retries({"test_name": "t", "retries": []})


@pytest.mark.parametrize(
    ("found", "family"),
    [
        (entry(TestStatus.ERROR, "infra:worker-lost", "WORKER_LOST"), "infra"),
        (entry(TestStatus.FAIL, "timeout", "TIMEOUT"), "timeout"),
        (entry(TestStatus.FAIL, "", "TIMEOUT"), "timeout"),
        (entry(TestStatus.FAIL, "crash:SIGSEGV"), "crash"),
        (entry(TestStatus.ERROR, "exit-before-result", "CRASH"), "crash"),
        (entry(TestStatus.FAIL, "diff"), "diff"),
        (entry(TestStatus.FAIL, "exit:3"), "other"),
    ],
)
def test_a_failure_belongs_to_a_family(found: ResultEntry, family: str) -> None:
    assert family_of(found) == family


def test_what_failed_runs_again_as_often_as_it_may() -> None:
    policy = RetryPolicy(retries=Retries(2))
    assert policy.max_attempts(None) == 3
    found = [policy.decide(attempt, FAILED) for attempt in (1, 2, 3)]
    assert found == [Again(0.0), Again(0.0), Counts.THIS]


@pytest.mark.parametrize(
    "results", [PASSED, [entry(TestStatus.SKIP)], [entry(TestStatus.XFAIL)], []]
)
def test_what_did_not_fail_does_not_run_again(results: list[ResultEntry]) -> None:
    assert RetryPolicy(retries=Retries(2)).decide(1, results) is Counts.THIS


@pytest.mark.parametrize(
    "reason", ["interrupted", "run-aborted", "dependency-failed", "config", "duplicate-result"]
)
def test_some_failures_would_be_the_same_again(reason: str) -> None:
    results = [entry(), entry(TestStatus.ERROR, reason)]
    assert RetryPolicy(retries=Retries(2)).decide(1, results) is Counts.THIS


def test_the_reason_that_allows_least_decides() -> None:
    policy = RetryPolicy(retries=Retries.parse("3,diff=1,timeout=2"))
    timeout, diff = entry(reason="timeout"), entry(reason="diff", name="t.a")
    assert [policy.decide(1, [timeout, diff]), policy.decide(2, [timeout])] == [Again(0.0)] * 2
    assert policy.decide(2, [timeout, diff]) is Counts.THIS
    found = [policy.limit(results, None) for results in ([timeout], [timeout, diff], PASSED)]
    assert found == [3, 2, 4]


def test_what_the_test_says_counts_more_than_what_the_run_says() -> None:
    policy = RetryPolicy(retries=Retries(2))
    assert not policy.may_run_again(Retries(0))
    assert policy.decide(1, FAILED, Retries(0)) is Counts.THIS
    assert RetryPolicy().decide(1, FAILED, Retries(1)) == Again(0.0)


def test_the_budget_is_that_of_the_whole_run() -> None:
    policy = RetryPolicy(retries=Retries(9), budget=2)
    found = [policy.decide(1, FAILED) for _ in range(3)]
    assert found == [Again(0.0), Again(0.0), Counts.THIS]


def test_each_retry_waits_twice_as_long_as_the_one_before_but_not_for_ever() -> None:
    policy = RetryPolicy(retries=Retries(1000), delay_s=0.5)
    found = [policy.decide(attempt, FAILED) for attempt in (1, 2, 3, 900)]
    assert found == [Again(0.5), Again(1.0), Again(2.0), Again(600.0)]


def test_repeating_runs_everything_and_a_failure_counts_whenever_it_came() -> None:
    policy = RetryPolicy(repeat=3)
    found = [
        policy.decide(1, PASSED),
        policy.decide(2, FAILED),
        policy.decide(3, PASSED),
        policy.max_attempts(None),
    ]
    assert found == [Again(0.0), Again(0.0), Counts.WORST, 3]


def test_until_fail_ends_for_all_tests_with_the_first_failure() -> None:
    policy = RetryPolicy(until_fail=True)
    assert [policy.decide(attempt, PASSED) for attempt in (1, 500)] == [Again(0.0)] * 2
    assert policy.decide(501, FAILED) is Counts.THIS
    assert policy.decide(7, PASSED) is Counts.THIS


def test_until_fail_with_a_number_ends_there() -> None:
    policy = RetryPolicy(until_fail=True, repeat=2)
    assert [policy.decide(1, PASSED), policy.decide(2, PASSED)] == [Again(0.0), Counts.WORST]
