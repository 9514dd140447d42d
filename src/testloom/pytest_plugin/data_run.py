"""Runs data tests in this process, one at a time, when pytest asks for them.

Pytest decides what runs when and where, so there is no scheduler here: the fragments of a test run
one after the other, after those of other tests that they follow.  A test whose fragments have run
because another one followed them is not run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from testloom.model.summary import ResultEntry
from testloom.processes.clock import SystemClock
from testloom.processes.loop import EventLoop
from testloom.scheduling.ready import ReadyQueue
from testloom.suite.collect import Collector
from testloom.suite.planning import Plan
from testloom.workers.in_process import InProcessWorker, InProcessWorkers


class Pushed(NamedTuple):
    """One result of a test."""

    entry: ResultEntry
    record: bytes
    """The JSON of its `ResultRecord`."""


class DataRun:
    """The tests of *plan*, being run with *env*."""

    def __init__(self, plan: Plan, env: Any) -> None:
        self._plan = plan
        self._results: dict[str, list[Pushed]] = {}
        self._collector = Collector(plan, self, started_at=SystemClock.now())
        self._workers = InProcessWorkers(
            fragments=plan.fragments,
            predecessors=plan.graph.predecessors,
            loop=EventLoop(),
            env=env,
        )
        self._uids: dict[str, list[str]] = {}
        for uid in _in_order(plan.graph.predecessors):
            self._uids.setdefault(plan.owners[uid].name, []).append(uid)
        self._rank = {uid: at for at, uid in enumerate(_in_order(plan.graph.predecessors))}
        self._has_run: set[str] = set()
        for broken in plan.broken:
            self._collector.add_broken(broken)

    @property
    def follows(self) -> Mapping[str, frozenset[str]]:
        """Which tests follow which others, directly; those that follow none are not there."""
        found: dict[str, set[str]] = {}
        owners = self._plan.owners
        for uid, before in self._plan.graph.predecessors.items():
            others = {owners[other].name for other in before} - {owners[uid].name}
            if others:
                found.setdefault(owners[uid].name, set()).update(others)
        return {name: frozenset(others) for name, others in found.items()}

    def inputs_of(self, name: str) -> str:
        """Return the fingerprint of test *name*; empty if it is not known."""
        planned = self._plan.tests.get(name)
        return planned.inputs if planned else ""

    def run(self, name: str, slot: int, fixtures: Mapping[str, Any]) -> list[Pushed]:
        """Run test *name* with *fixtures* in *slot*; return its results, those of others apart."""
        for uid in self._needed(name):
            self._run(uid, slot, fixtures if self._plan.owners[uid].name == name else {})
        return self._results.get(name, [])

    def keep(self, entry: ResultEntry, record: bytes, *, settles: bool) -> None:  # noqa: ARG002 - as the collector calls it
        """Take a result, for its test."""
        self._results.setdefault(entry.test, []).append(Pushed(entry, record))

    def tried(self, entry: ResultEntry, record: bytes) -> ResultEntry:  # noqa: ARG002 - as above
        """Return *entry*: nothing runs again here."""
        return entry

    def settled(self, test: str) -> None:
        """Nothing more is to be done."""

    def _needed(self, name: str) -> Sequence[str]:
        """Return the fragments that have to run for test *name*, in their order."""
        found: set[str] = set()
        ahead = [uid for uid in self._uids.get(name, ()) if uid not in self._has_run]
        while ahead:
            uid = ahead.pop()
            if uid not in found and uid not in self._has_run:
                found.add(uid)
                ahead.extend(self._plan.graph.predecessors.get(uid, ()))
        return sorted(found, key=self._rank.__getitem__)

    def _run(self, uid: str, slot: int, fixtures: Mapping[str, Any]) -> None:
        data = self._plan.fragments[uid]
        test = self._plan.owners[uid]
        driver = data.driver
        test.started = True
        driver.execution_started = True
        if fixtures:
            driver.fixtures = fixtures
        worker = InProcessWorker(self._workers, uid, data, slot)
        self._workers.run(worker, data)
        self._has_run.add(uid)
        self._collector.collect(worker)
        if test.left == 0:
            for own in driver.fragment_uids:
                self._plan.fragments[own].clear_driver_data()


def _in_order(predecessors: Mapping[str, frozenset[str]]) -> list[str]:
    """Return all uids, each after those that it follows."""
    queue = ReadyQueue(predecessors)
    found = []
    while queue:
        uid = queue.take()
        found.append(uid)
        queue.done(uid)
    return found
