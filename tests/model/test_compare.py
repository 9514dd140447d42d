"""What changed between two runs."""

from __future__ import annotations

import pytest

from testloom.model import reason
from testloom.model.compare import Change, Comparison, KnownFailure, Seen, compare, latest
from testloom.model.history import PastResult
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry

PASS, FAIL, SKIP = TestStatus.PASS, TestStatus.FAIL, TestStatus.SKIP


def was(name: str, status: TestStatus = PASS, time_s: float | None = None) -> PastResult:
    return PastResult(name=name, run_id="r1", started_at=0.0, status=status, time_s=time_s)


def now(
    name: str, status: TestStatus = PASS, time_s: float | None = None, why: str = ""
) -> ResultEntry:
    return ResultEntry(name=name, test=name, status=status, reason=why, time_s=time_s)


def names(found: Comparison) -> dict[str, list[str]]:
    kinds = ("new", "still", "fixed", "silenced", "not_run", "added", "gone", "slower")
    listed = {kind: [change.name for change in getattr(found, kind)] for kind in kinds}
    return {kind: those for kind, those in listed.items() if those}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (was("t"), now("t"), {}),
        (was("t"), now("t", FAIL), {"new": ["t"]}),
        (was("t", SKIP), now("t", TestStatus.ERROR), {"new": ["t"]}),
        (None, now("t", FAIL), {"new": ["t"], "added": ["t"]}),
        (None, now("t"), {"added": ["t"]}),
        (was("t", FAIL), now("t", TestStatus.ERROR), {"still": ["t"]}),
        (was("t", FAIL), now("t"), {"fixed": ["t"]}),
        (was("t", FAIL), now("t", TestStatus.XPASS), {"fixed": ["t"]}),
        (was("t", FAIL), now("t", TestStatus.XFAIL), {"silenced": ["t"]}),
        (was("t", FAIL), now("t", SKIP), {"silenced": ["t"]}),
        (was("t", FAIL), now("t", SKIP, why=reason.RUN_ABORTED), {"not_run": ["t"]}),
        (was("t"), now("t", SKIP, why=reason.INTERRUPTED), {}),
        (None, now("t", SKIP, why=reason.RUN_ABORTED), {}),
        (was("t", FAIL), None, {"gone": ["t"]}),
    ],
)
def test_what_became_of_a_test(
    before: PastResult | None, after: ResultEntry | None, told: dict[str, list[str]]
) -> None:
    found = compare([before] if before else [], [after] if after else [])

    assert names(found) == told


def test_a_change_holds_both_results_and_order_is_that_of_the_later_run() -> None:
    before: list[Seen] = [KnownFailure("a"), KnownFailure("b")]
    after = [now("b", FAIL), now("c", FAIL), now("a", FAIL)]

    found = compare(before, after, against="known.txt")

    assert found == Comparison(
        against="known.txt",
        new=[Change("c", None, after[1])],
        still=[Change("b", before[1], after[0]), Change("a", before[0], after[2])],
        added=[Change("c", None, after[1])],
        fixed=[],
        silenced=[],
        not_run=[],
        gone=[],
        slower=[],
    )
    assert found.new_names == {"c"}


def test_much_slower_is_told_the_worst_first_and_trifles_are_not() -> None:
    before = [was("small", time_s=0.01), was("much", time_s=1.0), was("most", time_s=1.0)]
    after = [now("small", time_s=0.09), now("much", time_s=2.0), now("most", time_s=9.0)]

    assert names(compare(before, after)) == {"slower": ["most", "much"]}


def test_what_varies_from_run_to_run_is_not_called_slower() -> None:
    before, after = [was("t", time_s=1.0)], [now("t", time_s=4.0)]
    steady, wild = [1.0, 1.1, 0.9, 1.0], [1.0, 4.5, 2.0, 5.0]

    assert names(compare(before, after, usual=lambda _name: steady)) == {"slower": ["t"]}
    assert names(compare(before, after, usual=lambda _name: wild)) == {}


def test_a_run_on_a_busy_machine_makes_no_test_slower() -> None:
    before = [was(f"t{n}", time_s=1.0) for n in range(9)]
    after = [now(f"t{n}", time_s=2.0) for n in range(8)] + [now("t8", time_s=9.0)]

    assert names(compare(before, after)) == {"slower": ["t8"]}


def test_only_what_passed_both_times_can_be_slower() -> None:
    before = [was("a", FAIL, time_s=1.0), was("b", time_s=1.0), was("c")]
    after = [now("a", time_s=9.0), now("b", FAIL, time_s=9.0), now("c", time_s=9.0)]

    assert names(compare(before, after)) == {"new": ["b"], "fixed": ["a"]}


def test_the_latest_result_is_the_last_one_of_a_test_that_got_to_run() -> None:
    aborted = PastResult(
        name="t", run_id="r3", started_at=3.0, status=SKIP, reason=reason.RUN_ABORTED
    )
    results = {"t": [was("t"), was("t", FAIL), aborted], "u": [aborted]}

    assert latest(results) == [was("t", FAIL)]
