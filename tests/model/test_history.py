"""What can be told from earlier results."""

from __future__ import annotations

from testloom.model import reason
from testloom.model.history import (
    NO_HISTORY,
    Flakiness,
    PastResult,
    failing_since,
    flakiness,
    last_passed,
    usual_time_s,
)
from testloom.model.status import TestStatus

_STATUSES = {
    "v": TestStatus.PASS,
    "x": TestStatus.FAIL,
    "-": TestStatus.SKIP,
    "e": TestStatus.ERROR,
    "k": TestStatus.XFAIL,
}


def past(verdicts: str) -> list[PastResult]:
    """Return one result for each letter of *verdicts*; a capital one is flaky."""
    return [
        PastResult(
            name="t",
            run_id=f"r{at}",
            started_at=float(at),
            status=_STATUSES[letter.lower()],
            time_s=float(at),
            flaky="1/2" if letter.isupper() else "",
        )
        for at, letter in enumerate(verdicts)
    ]


def test_a_test_that_alternates_is_flaky() -> None:
    found = flakiness(past("vxv"))

    assert found == Flakiness(runs=3, failures=1, changes=2, retried=0)
    assert found.rate == 1.0


def test_a_test_that_turned_once_is_not_flaky() -> None:
    assert [flakiness(past(verdicts)) for verdicts in ("", "v", "vvxx", "xxvv", "v-v")] == [
        None
    ] * 5
    assert flakiness(past("xxvvxx")) == Flakiness(runs=6, failures=4, changes=2, retried=0)


def test_a_test_that_passes_when_tried_again_is_flaky() -> None:
    found = flakiness(past("vVv"))

    assert found == Flakiness(runs=3, failures=0, changes=0, retried=1)
    assert found.rate == 0.5
    assert flakiness(past("V")) == Flakiness(runs=1, failures=0, changes=0, retried=1)


def test_results_of_tests_that_did_not_run_say_nothing() -> None:
    assert flakiness(past("v-x-v")) == Flakiness(runs=3, failures=1, changes=2, retried=0)
    lost = PastResult(
        name="t",
        run_id="r",
        started_at=0.0,
        status=TestStatus.ERROR,
        reason=reason.DEPENDENCY_FAILED,
    )
    assert [lost.ran, *(result.ran for result in past("vxek-"))] == [False, *[True] * 4, False]


def test_the_first_of_the_failures_at_the_end_is_found() -> None:
    told = [failing_since(past(verdicts)) for verdicts in ("vvxex", "xv", "", "x-x", "vx-")]

    assert [result and result.run_id for result in told] == ["r2", None, None, "r0", "r1"]


def test_the_newest_pass_is_found() -> None:
    told = [last_passed(past(verdicts)) for verdicts in ("vvx", "xx", "vkx")]

    assert [result and result.run_id for result in told] == ["r1", None, "r0"]


def test_the_usual_time_is_the_median_of_the_runs_in_which_the_test_ran() -> None:
    assert usual_time_s(past("vvv")) == 1.0
    assert usual_time_s(past("---v")) == 3.0
    assert usual_time_s([]) is None


def test_where_there_is_no_history_nothing_is_known() -> None:
    assert (NO_HISTORY.runs(), NO_HISTORY.results("t"), NO_HISTORY.recent()) == ((), (), {})
