"""What an ending means for the results of a test."""

import datetime as dt
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from testloom.model import reason, records
from testloom.model.outcome import (
    Exited,
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.model.result import ResultRecord
from testloom.model.result import TestResult as Result
from testloom.model.status import TestStatus as Status
from testloom.model.summary import ResultEntry
from testloom.model.test import BrokenTest
from testloom.scheduling.graph import Graph
from testloom.suite.attempts import Retrying
from testloom.suite.collect import Collector
from testloom.suite.planning import Plan, PlannedTest
from testloom.suite.quarantine import Quarantine
from testloom.suite.retries import Again, Retries, RetryPolicy


class Run:
    """A collector with its plan, and what it kept."""

    def __init__(self, **fragments: list[str]) -> None:
        self.tests: dict[str, PlannedTest] = {}
        owners: dict[str, PlannedTest] = {}
        for name, steps in fragments.items():
            test = PlannedTest(name, "Driver", f"{name}/test.yaml", 1, (), left=len(steps))
            self.tests[name] = test
            owners.update({f"{name}.{step}": test for step in steps})
        self.plan = Plan(Graph(), self.tests, owners, [], {})
        self.records: dict[str, ResultRecord] = {}
        self.kept_attempts: list[tuple[str, str, str | None]] = []
        self.settled_tests: list[str] = []
        self.collector = Collector(self.plan, self, started_at=10.0)

    def keep(self, entry: ResultEntry, record: bytes, *, settles: bool) -> None:
        if record != b"{":
            self.records[entry.name] = records.decode(record)
        if settles:
            self.settled(entry.test)

    def tried(self, entry: ResultEntry, record: bytes) -> ResultEntry:
        self.kept_attempts.append((entry.name, entry.status.name, records.decode(record).msg))
        return entry

    def settled(self, test: str) -> None:
        self.settled_tests.append(test)

    def ends(
        self,
        uid: str,
        end: Any = None,
        *,
        pushed: Sequence[tuple[str, Status, str | None]] = (),
        output: bytes = b"",
        wall_s: float = 1.0,
    ) -> PlannedTest:
        results = []
        for name, status, msg in pushed:
            result = Result(name, status=status)
            result.msg = msg
            results.append(records.encode(result))
        worker = types.SimpleNamespace(
            uid=uid,
            slot=3,
            end=end or Returned(),
            results=results,
            output=output,
            wall_s=wall_s,
            cpu_s=0.5,
            started_at=12.0,
        )
        return self.collector.collect(worker)

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        return [(e.name, e.status.name, e.reason, e.message) for e in self.collector.entries]


def test_a_pushed_result_is_kept_as_it_is() -> None:
    run = Run(t=["run"])
    run.ends("t.run", pushed=[("t", Status.PASS, None)])
    (entry,) = run.collector.entries

    assert run.rows == [("t", "PASS", "", "")]
    assert (entry.slot, entry.started_s, entry.time_s, entry.cpu_s) == (3, 2.0, 1.0, 0.5)
    assert (entry.test, entry.driver, entry.source) == ("t", "Driver", "t/test.yaml")


def test_results_of_one_fragment_keep_their_order() -> None:
    run = Run(t=["run"])
    run.ends("t.run", pushed=[(f"t.{n}", Status.PASS, None) for n in (1, 2, 3)])

    assert [row[0] for row in run.rows] == ["t.1", "t.2", "t.3"]


def test_the_time_of_a_test_is_that_of_its_fragments_so_far() -> None:
    run = Run(t=["set_up", "run"])
    run.ends("t.set_up", wall_s=2.0)
    run.ends("t.run", pushed=[("t", Status.PASS, None)], wall_s=0.5)

    assert [e.time_s for e in run.collector.entries] == [2.5]


def test_a_test_that_pushes_nothing_is_an_error() -> None:
    run = Run(t=["set_up", "run"])
    run.ends("t.set_up")
    assert run.rows == []
    run.ends("t.run", output=b"I ran\n")

    assert run.rows == [
        (
            "t",
            "ERROR",
            reason.NO_RESULT,
            "the test ended without a result; its driver has to call push_result",
        )
    ]
    assert "I ran" in run.records["t"].log


@pytest.mark.parametrize(
    ("end", "status", "why", "message"),
    [
        (
            WorkerDied(Exited(0)),
            "ERROR",
            "exit-before-result",
            "the worker exited with status 0 while running t.run",
        ),
        (
            WorkerDied(Exited(3)),
            "ERROR",
            "exit:3",
            "the worker exited with status 3 while running t.run",
        ),
        (WorkerDied(Killed(11)), "ERROR", "crash:SIGSEGV", "SIGSEGV while running t.run"),
        (FragmentTimedOut(2.0), "FAIL", "timeout", "timed out after 2 s"),
        (
            FragmentTimedOut(2.0, ignored_term=True),
            "FAIL",
            "timeout",
            "timed out after 2 s, SIGTERM ignored, killed",
        ),
        (Stopped("interrupted"), "SKIP", "interrupted", "interrupted"),
        (WorkerLost("gone"), "ERROR", "infra:worker-lost", "gone"),
    ],
)
def test_every_bad_end_has_its_status_and_reason(
    end: Any, status: str, why: str, message: str
) -> None:
    run = Run(t=["run"])
    run.ends("t.run", end, output=b"last words")

    assert run.rows == [("t", status, why, message)]
    assert "last words" in run.records["t"].log


def test_a_pass_does_not_survive_the_death_of_its_worker() -> None:
    run = Run(t=["run"])
    run.ends("t.run", WorkerDied(Killed(9)), pushed=[("t", Status.PASS, None)])

    assert [row[:3] for row in run.rows] == [("t", "ERROR", "crash:SIGKILL")]
    assert run.records["t"].log == "It had pushed PASS before.\n"


def test_a_failure_and_sub_results_survive_the_death_of_their_worker() -> None:
    run = Run(t=["run"])
    pushed = [("t.1", Status.PASS, None), ("t", Status.FAIL, "wrong")]
    run.ends("t.run", WorkerDied(Killed(9)), pushed=pushed)

    assert [row[:3] for row in run.rows] == [
        ("t.1", "PASS", ""),
        ("t", "FAIL", ""),
        ("t.run", "ERROR", "crash:SIGKILL"),
    ]


def test_an_exception_is_an_error_named_after_the_fragment() -> None:
    run = Run(t=["run"])
    run.ends("t.run", Returned(raised="Traceback: no\n"), pushed=[("t", Status.PASS, None)])

    assert run.rows == [("t", "PASS", "", ""), ("t.run", "ERROR", "exception", "")]
    assert run.records["t.run"].log == "Traceback: no\n"


def test_a_value_that_cannot_be_sent_is_an_error_beside_the_result() -> None:
    run = Run(t=["run"])
    run.ends("t.run", Returned(unpicklable="function"), pushed=[("t", Status.PASS, None)])

    assert [row[:3] for row in run.rows] == [("t", "PASS", ""), ("t.run", "ERROR", "unpicklable")]


def test_a_second_result_of_one_name_is_an_error_that_names_both_fragments() -> None:
    run = Run(t=["run"], u=["run"])
    run.ends("t.run", pushed=[("x", Status.PASS, None)])
    run.ends("u.run", pushed=[("x", Status.FAIL, "no"), ("x", Status.PASS, None)])

    assert run.rows == [
        ("x", "PASS", "", ""),
        ("x__except1", "ERROR", "duplicate-result", "cannot push twice results for x"),
        ("x__except2", "ERROR", "duplicate-result", "cannot push twice results for x"),
    ]
    assert "fragment t.run" in run.records["x__except1"].log
    assert "fragment u.run: FAIL no" in run.records["x__except1"].log


def test_failures_in_a_row_are_counted_until_something_else_comes() -> None:
    run = Run(a=["run"], b=["run"], c=["run"])
    counts = []
    for name, status in (("a", Status.FAIL), ("b", Status.ERROR), ("c", Status.SKIP)):
        run.ends(f"{name}.run", pushed=[(name, status, None)])
        counts.append((run.collector.bad, run.collector.bad_in_a_row))

    assert counts == [(1, 1), (2, 2), (2, 0)]


def test_what_did_not_run_is_skipped_and_what_was_running_is_told_apart() -> None:
    run = Run(a=["run"], b=["run"])
    run.tests["a"].started = True
    run.collector.add_not_run("Testsuite aborted")

    assert run.rows == [
        ("a", "SKIP", "interrupted", "Testsuite aborted"),
        ("b", "SKIP", "run-aborted", "Testsuite aborted"),
    ]


def test_a_broken_test_has_its_result() -> None:
    run = Run()
    run.collector.add_broken(BrokenTest("x", "/nowhere", "bad yaml", reason.CONFIG, "more"))

    assert run.rows == [("x", "ERROR", "config", "bad yaml")]
    assert run.records["x"].log == "more"


def test_bytes_that_are_no_result_become_an_error() -> None:
    run = Run(t=["run"])
    worker = types.SimpleNamespace(
        uid="t.run",
        slot=0,
        end=Returned(),
        results=[b"{"],
        output=b"",
        wall_s=0,
        cpu_s=0,
        started_at=10,
    )
    run.collector.collect(worker)

    assert [(e.status, e.reason) for e in run.collector.entries] == [(Status.ERROR, "protocol")]


def retrying(run: Run, policy: RetryPolicy) -> None:
    """Let all tests of *run* run again as *policy* says."""
    retrying = Retrying(policy)
    for uid in run.plan.owners:
        run.plan.graph.predecessors[uid] = frozenset()
    retrying.begin(run.plan)
    run.collector = Collector(run.plan, run, started_at=10.0, retrying=retrying)


def entries_of(run: Run) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    return [
        (e.name, e.status.name, e.tries, [(one.status.name, one.tries) for one in e.earlier])
        for e in run.collector.entries
    ]


def test_a_test_is_settled_by_its_last_result_or_else_by_itself() -> None:
    run = Run(t=["one", "two"], u=["one", "two"])
    run.ends("t.one", pushed=[("t.a", Status.PASS, None), ("t", Status.PASS, None)])
    assert run.settled_tests == []
    run.ends("t.two")
    run.ends("u.one")
    run.ends("u.two", pushed=[("u.a", Status.PASS, None), ("u", Status.PASS, None)])
    assert run.settled_tests == ["t", "u"]


def test_results_are_held_until_it_is_known_whether_they_count() -> None:
    run = Run(t=["one", "two"])
    retrying(run, RetryPolicy(retries=Retries(2)))
    run.ends("t.one", pushed=[("t.a", Status.FAIL, "no answer")])
    assert (run.rows, run.kept_attempts) == ([], [])
    test = run.ends("t.two", pushed=[("t", Status.PASS, None)])
    assert run.rows == []
    assert run.kept_attempts == [("t.a", "FAIL", "no answer"), ("t", "PASS", None)]
    assert test.attempts is not None
    assert (test.attempts.take_next(), test.attempts.take_next()) == (Again(0.0), None)

    run.ends("t.one", pushed=[("t.a", Status.PASS, None)])
    run.ends("t.two", pushed=[("t", Status.PASS, None)])
    assert entries_of(run) == [
        ("t.a", "PASS", "2/3", [("FAIL", "1/3")]),
        ("t", "PASS", "2/3", [("PASS", "1/3")]),
    ]
    assert run.settled_tests == ["t"]
    assert (run.collector.bad, run.collector.bad_in_a_row) == (0, 0)


def test_names_that_were_made_unique_are_the_same_again() -> None:
    run = Run(t=["run"])
    retrying(run, RetryPolicy(retries=Retries(1)))
    for _ in range(2):
        run.ends("t.run", pushed=[("t", Status.PASS, None), ("t", Status.PASS, None)])
    for _ in range(2):
        run.ends("t.run", WorkerDied(Killed(9)), pushed=[("t", Status.FAIL, "x")])

    assert [row[0] for row in run.rows] == ["t", "t__except1"]


def test_a_repeated_test_fails_with_the_last_failure_and_keeps_the_rest() -> None:
    run = Run(t=["run"])
    retrying(run, RetryPolicy(repeat=4))
    for status in (Status.PASS, Status.FAIL, Status.ERROR, Status.PASS):
        run.ends("t.run", pushed=[("t", status, None)])
    earlier = [("PASS", "1/4"), ("FAIL", "2/4"), ("PASS", "4/4")]
    assert entries_of(run) == [("t", "ERROR", "3/4", earlier)]


def test_a_test_whose_second_attempt_did_not_end_says_so_and_keeps_the_first() -> None:
    run = Run(t=["run"], u=["one", "two"])
    retrying(run, RetryPolicy(retries=Retries(1)))
    run.plan.tests["t"].started = True
    run.ends("t.run", pushed=[("t", Status.FAIL, "first")])
    run.ends("u.one", pushed=[("u.a", Status.FAIL, "held")])
    run.collector.add_not_run("Testsuite aborted")
    assert entries_of(run) == [("t", "SKIP", "2/2", [("FAIL", "1/2")]), ("u.a", "FAIL", "1/2", [])]
    assert run.settled_tests == []


def test_tests_that_others_follow_never_run_again() -> None:
    run = Run(t=["run"], u=["run"])
    run.plan.graph.predecessors = {"t.run": frozenset(), "u.run": frozenset({"t.run"})}
    retrying = Retrying(RetryPolicy(retries=Retries(1)))
    assert retrying.begin(run.plan) == {"u.run"}
    assert retrying.notes == ("1 of the tests never run again, because others follow them",)


def test_failures_in_quarantine_are_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "quarantine.toml"
    file.write_text('[[quarantine]]\ntest = "t"\nowner = "anna"\nuntil = 2030-01-01\n')
    run = Run(t=["run"], u=["run"])
    run.collector.quarantine = Quarantine.load(str(file), today=dt.date(2029, 1, 1))
    run.ends("t.run", pushed=[("t", Status.FAIL, "no answer")])
    run.ends("u.run", pushed=[("u", Status.FAIL, "no answer")])

    message = "quarantined until 2030-01-01 (anna): FAIL no answer"
    assert run.rows == [("t", "XFAIL", "", message), ("u", "FAIL", "", "no answer")]
    assert (run.records["t"].status, run.collector.bad) == ("XFAIL", 1)
