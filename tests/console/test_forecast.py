"""When a run may be over, reckoned from how long its tests usually take."""

from __future__ import annotations

import pytest

from testloom.console.forecast import Forecast
from testloom.console.progress import Progress, Running
from testloom.model.expectation import Expectation
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo

TESTS = {"long": 10.0, "a": 1.0, "b": 1.0, "c": 4.0}


def forecast(jobs: int = 2, **paths: float) -> Forecast:
    return Forecast(Expectation(tests_s=TESTS, paths_s=paths or TESTS), jobs)


def test_nothing_is_known_without_history() -> None:
    assert not Forecast(Expectation(), 2)
    assert forecast()


def test_the_work_that_is_left_is_shared_out_among_the_slots() -> None:
    assert forecast(jobs=1).left_s(0.0, []) == 16.0
    assert forecast(jobs=1, a=1.0).left_s(0.0, []) == 16.0


def test_no_run_is_over_before_its_longest_chain() -> None:
    one = forecast(jobs=8, long=10.0, a=12.0)

    assert one.left_s(0.0, []) == 12.0
    assert one.left_s(0.5, [("a", 0.5)]) == 11.5


def test_what_has_ended_is_not_left() -> None:
    one = forecast(jobs=2)
    for test in ("long", "long", "a"):  # a test may have several results
        one.end(test)

    assert one.left_s(5.5, []) == 4.0  # c
    assert one.share == 11.0 / 16.0


def test_a_run_that_has_been_slow_is_expected_to_stay_so_within_reason() -> None:
    one = forecast(jobs=2)
    one.end("long")

    assert one.left_s(10.0, []) == 8.0
    assert one.left_s(1000.0, []) == 20.0


def test_a_test_that_takes_longer_than_it_should_makes_the_rest_unknown() -> None:
    one = forecast(jobs=2)
    for test in ("a", "b", "c"):
        one.end(test)

    assert one.left_s(9.0, [("long", 9.0)]) is not None
    assert one.left_s(11.0, [("long", 11.0)]) is None


def test_a_test_that_was_not_expected_changes_nothing() -> None:
    one = forecast(jobs=1)
    one.end("surprise")

    assert one.left_s(0.0, [("surprise", 3.0)]) == 16.0


def test_the_bar_of_a_run_shows_how_much_of_its_work_is_done() -> None:
    run = RunInfo(
        run_id="r", suite="s", root="/", output_dir="/o", command=(), jobs=2, started_at=0.0
    )
    progress = Progress()
    progress.expect(Expectation(tests_s=TESTS, paths_s=TESTS))
    progress.begin(run, 4, 100.0)
    progress.start(0, Running("a.run", "a", "run", 100.0))
    assert progress.percent == "  0%"

    progress.end(0, "a.run")
    for name in ("a", "b", "c"):
        progress.add(ResultEntry(name=name, test=name, status=TestStatus.PASS, time_s=1.0))
    assert progress.percent == " 37%"
    progress.start(0, Running("long.run", "long", "run", 103.0))
    assert progress.left_s(104.0) == pytest.approx(9.0 * 4.0 / 3.5)

    progress.add(ResultEntry(name="long", test="long", status=TestStatus.PASS, time_s=9.0))
    assert (progress.percent, progress.left_s(112.0)) == ("100%", None)
