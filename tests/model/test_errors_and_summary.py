from __future__ import annotations

import pytest

from testloom.model.errors import (
    CycleError,
    InternalError,
    TestAbort,
    TestSkip,
    UsageError,
    nearest,
)
from testloom.model.events import RunListener, Silent
from testloom.model.fragment import FragmentData
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

RUN = RunInfo(run_id="r", suite="s", root="/", output_dir="/o", command=(), jobs=1, started_at=0)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("biuld", "; did you mean 'build'?"), ("xyz", ""), ("", "")],
)
def test_the_nearest_known_name_is_suggested(name: str, hint: str) -> None:
    assert nearest(name, ["build", "run"]) == hint


def test_a_long_circle_is_shown_by_its_ends() -> None:
    error = CycleError([f"f{n}" for n in range(100)])

    assert str(error) == (
        "these fragments wait for each other: f0 -> f1 -> f2 -> f3 -> f4 -> f5 -> ... "
        "-> f95 -> f96 -> f97 -> f98 -> f99; remove one of these dependencies"
    )
    assert len(error.path) == 100


def test_errors_are_told_apart_by_who_has_to_act() -> None:
    assert issubclass(CycleError, UsageError)
    assert issubclass(TestSkip, TestAbort)
    assert not issubclass(InternalError, UsageError)


def test_a_fragment_knows_its_driver_until_it_lets_go_of_it() -> None:
    class Driver:
        pass

    data = FragmentData("t.run", Driver(), "run", lambda _previous, _slot: None)
    matches = [
        data.matches(Driver),
        data.matches(Driver, "run"),
        data.matches(Driver, "x"),
        data.matches(int),
    ]
    data.clear_driver_data()

    assert matches == [True, True, False, False]
    assert (data.driver, data.callback) == (None, None)


def entry(name: str, status: TestStatus) -> ResultEntry:
    return ResultEntry(name=name, test=name, status=status)


def no_record(_entry: ResultEntry) -> ResultRecord:
    raise AssertionError


def test_a_summary_counts() -> None:
    statuses = list(TestStatus) + [TestStatus.FAIL] * 2
    entries = [entry(str(n), status) for n, status in enumerate(statuses)]
    summary = Summary(run=RUN, entries=entries, load=no_record)

    assert summary.counts[TestStatus.FAIL] == 3
    assert list(summary.counts) == list(TestStatus)
    assert (summary.passed, summary.failed, summary.skipped) == (3, 4, 3)
    assert summary.last_line == "3 passed, 4 failed, 3 skipped"


def test_a_summary_of_nothing() -> None:
    assert Summary(run=RUN, entries=[], load=no_record).last_line == "0 passed, 0 failed, 0 skipped"


def test_who_wants_to_hear_nothing_is_a_listener() -> None:
    listener: RunListener = Silent()
    listener.run_started(RUN, tests=1, fragments=1, now=0)
    listener.fragment_started("t.run", "t", "run", 0, 0)
    listener.result_added(entry("t", TestStatus.PASS), no_record)
    listener.attempt_added(entry("t", TestStatus.FAIL), no_record)
    listener.fragment_ended("t.run", "t", 0, 0)
    listener.said("x")
    listener.stopping("x", 0)
    listener.run_ended(Summary(run=RUN, entries=[], load=no_record))

    assert listener.refresh(0) is None
