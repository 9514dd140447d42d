"""Slots that go on by themselves: whatever happens when, each unit runs once, and nobody is forgotten.

The worlds are simulated: processes are a few names, the time is a number, and main hears of everything a
little later than it happens.  ``TESTLOOM_SIMULATIONS`` and ``TESTLOOM_TEST_SEED`` as in `test_simulated`.
"""

from __future__ import annotations

import collections
import heapq
import itertools
import os
import random
import types
from collections.abc import Callable
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.processes.clock import ManualClock
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Phase, Worker
from testloom.scheduling.ahead import DEPTH, PATIENCE_S, SHORT_S, Ahead

WORLDS = int(os.environ.get("TESTLOOM_SIMULATIONS", "150"))
SEED = int(os.environ.get("TESTLOOM_TEST_SEED", "1"))
KEPT: tuple[int, ...] = ()
LATENCY_S = 0.0003


class Process:
    """What the process of a slot does, and what it has been told."""

    def __init__(self) -> None:
        self.runs = ""
        self.laid_out: collections.deque[str] = collections.deque()
        """Also what it has begun with, until main has heard of the end of what was before."""
        self.begun = 0
        """With how many of them it has begun: these cannot be taken back."""
        self.lives = 0
        """How many there have been."""


class Puppet(Worker):
    """A worker of a simulated process."""

    ended: Callable[[], None]

    def start(self) -> None:
        self.env.begin_or_adopt(self)

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        self.ended = ended
        return True

    def terminate(self) -> None:
        self.env.kill(self)

    def kill(self) -> None:
        self.env.kill(self)


class World:
    """A run of a random graph; units are short, as a rule, and processes may die with them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.jobs = self.random.randint(1, 4)
        self.clock = ManualClock()
        self.loop = EventLoop(self.clock)
        self.processes = [Process() for _ in range(self.jobs)]
        self.workers: dict[str, Puppet] = {}
        self.began: collections.Counter[str] = collections.Counter()
        self.collected: list[str] = []
        self.count = self.taken_back = self.went_on = self.deepest = 0
        self.dying: set[int] = set()
        """Slots whose process is dead, which main has not heard yet."""
        self.after: dict[str, list[str]] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stops_at = self.random.randint(1, 300) if self.random.random() < 0.3 else -1
        dag = DAG()
        for number in range(self.random.randint(1, 120)):
            known = list(self.after)
            count = min(len(known), self.random.choice([0, 0, 0, 0, 1, 2]))
            before = self.random.sample(known, count)
            data = types.SimpleNamespace(driver=object())
            if known and self.random.random() < 0.2:  # another fragment of the same test
                before, data = [known[-1]], dag.vertex_data[known[-1]]
            self.after[f"u{number}"] = before
            dag.update_vertex(f"u{number}", data=data, predecessors=before, enable_checks=False)
        self.scheduler = MultiprocessScheduler(
            dag, self._make, self._collect, self.jobs, loop=self.loop
        )
        self.scheduler.lay_out = self

    def run(self) -> None:
        for number in itertools.count():
            if number == self._stops_at:
                phases = [Phase.DRAINING, Phase.TERMINATING, Phase.KILLING]
                self.scheduler.stop(self.random.choice(phases))
            if not self.scheduler.step(wait=False):
                break
            due = self.loop.due()
            if self._events and (due is None or self._events[0][0] <= due):
                at, _, happens = heapq.heappop(self._events)
                self._wait_until(at)
                happens()
            else:
                assert due is not None, "it hangs"
                self._wait_until(due)
        self.loop.close()
        self._check()

    def _wait_until(self, at: float) -> None:
        self.clock.advance(max(0.0, at - self.clock.now()))
        self.loop.look()

    def _later(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.now() + seconds, next(self._order), happens))

    # -- what processes do ----------------------------------------------------------------------

    def _begin(self, slot: int, uid: str) -> None:
        process = self.processes[slot]
        assert not process.runs, "two in a slot"
        assert set(self.after[uid]) <= set(self.collected), "it did not wait"
        assert not self.began[uid], "it runs twice"
        self.began[uid] += 1
        process.runs = uid
        life, continues = process.lives, self.scheduler.continues(uid)
        takes_s = self.random.choice([0.0001, 0.001, 0.002, 0.002, 0.2])
        dies = self.random.random() < 0.05

        def end() -> None:
            if process.lives != life:
                return  # it was killed before
            process.runs = ""
            if dies:
                self._die(process, uid)
                return
            # Its worker may not have been made yet, if the process went on by itself.
            self._later(LATENCY_S, lambda: self._tell(uid))
            if continues:
                assert process.begun == len(process.laid_out), "it does not stay with the test"
            self._go_on(slot)

        self._later(takes_s, end)

    def _go_on(self, slot: int) -> None:
        process = self.processes[slot]
        if process.begun < len(process.laid_out):
            process.begun += 1
            self.went_on += 1
            self._begin(slot, process.laid_out[process.begun - 1])

    def _tell(self, uid: str) -> None:
        self.workers[uid].ended()

    def _die(self, process: Process, uid: str) -> None:
        """Let the process die of *uid*; what is laid out for it is lost when main hears of that."""

        def tell() -> None:
            assert not process.begun, "main has not heard of the end of what was before"
            process.laid_out.clear()
            self.dying.discard(slot)
            self._tell(uid)

        slot = self.processes.index(process)
        self.dying.add(slot)
        process.lives += 1
        process.runs = ""
        self._later(LATENCY_S, tell)

    def kill(self, worker: Puppet) -> None:
        """Kill a process if it runs *worker*, and with that nobody else."""
        process = self.processes[worker.slot]
        if process.runs == worker.uid:
            self._die(process, worker.uid)
        else:
            assert not process.runs, "another one would be killed"

    # -- what main does -------------------------------------------------------------------------

    def _make(self, uid: str, _data: Any, slot: int) -> Worker:
        return Puppet(uid, None, "run", slot, self)

    def begin_or_adopt(self, worker: Puppet) -> None:
        self.workers[worker.uid] = worker
        worker.timeout_s = 0.1 if self.random.random() < 0.1 else None
        worker.grace_s = 0.01
        process = self.processes[worker.slot]
        if process.laid_out:
            assert process.laid_out.popleft() == worker.uid, "another one was laid out"
            assert process.begun, "it went on before main heard of the end"
            process.begun -= 1
        else:
            self._begin(worker.slot, worker.uid)

    def lay_out(self, uid: str, _data: Any, slot: int) -> bool:
        process = self.processes[slot]
        if self.random.random() < 0.1:
            return False
        self.count += 1
        process.laid_out.append(uid)
        self.deepest = max(self.deepest, len(process.laid_out))
        if not process.runs and slot not in self.dying:
            self._go_on(slot)
        return True

    def laid_out(self, slot: int) -> int:
        return len(self.processes[slot].laid_out)

    def take_back(self, slot: int) -> int:
        process = self.processes[slot]
        while len(process.laid_out) > process.begun:
            process.laid_out.pop()
            self.taken_back += 1
        return process.begun

    def _collect(self, worker: Worker) -> None:
        self.collected.append(worker.uid)
        if self.random.random() < 0.002:
            self.scheduler.stop(self.random.choice([Phase.DRAINING, Phase.TERMINATING]))

    def _check(self) -> None:
        assert len(set(self.collected)) == len(self.collected), "collected twice"
        assert set(self.began) == set(self.collected), "begun, and forgotten"
        if self.scheduler.phase is Phase.RUNNING:
            assert set(self.collected) == set(self.after)


@pytest.mark.parametrize("seed", [*KEPT, *range(SEED, SEED + WORLDS)])
def test_each_unit_runs_once_and_is_heard_of(seed: int) -> None:
    World(seed).run()


def test_the_worlds_see_everything_happen() -> None:
    """Else they would prove little."""
    worlds = [World(seed) for seed in range(30)]
    for world in worlds:
        world.run()

    assert sum(world.count for world in worlds) > 300
    assert sum(world.went_on for world in worlds) > 200
    assert sum(world.taken_back for world in worlds) > 20
    assert max(world.deepest for world in worlds) == DEPTH


def short(ahead: Ahead, seconds: float = SHORT_S / 20) -> Ahead:
    """Let *ahead* have seen units that took *seconds*."""
    for _ in range(100):
        ahead.began(0, 0.0)
        ahead.ended(0, seconds)
    return ahead


def test_nothing_is_laid_out_while_units_take_long() -> None:
    assert Ahead().depth == 0  # nobody knows
    assert short(Ahead(), 2 * SHORT_S).depth == 0


def test_the_shorter_units_are_the_more_are_laid_out() -> None:
    assert short(Ahead(), 0.0001).depth == DEPTH
    assert short(Ahead(), 0.004).depth == 4
    assert short(Ahead(), 0.019).depth == 1


def test_what_waits_for_too_long_is_overdue() -> None:
    ahead = Ahead()
    ahead.began(0, 1.0)
    ahead.note(0, "a")
    ahead.began(1, 1.0)
    ahead.began(2, 1.0 + PATIENCE_S)
    ahead.note(2, "b")

    assert ahead.overdue(1.0 + PATIENCE_S) == [0]
    assert ahead.take(0) == "a"
    assert ahead.count(0) == 0
    assert ahead.slots() == [2]
    assert ahead.overdue(1.0 + 2 * PATIENCE_S) == [2]


def test_what_is_laid_out_last_is_given_up_first() -> None:
    ahead = Ahead()
    ahead.began(0, 1.0)
    for uid in "abc":
        ahead.note(0, uid)

    assert ahead.keep(0, 3) == []
    assert ahead.keep(0, 1) == ["c", "b"]
    assert ahead.take(0) == "a"
    assert not ahead


def test_main_rests_only_while_every_slot_has_something_to_go_on_with() -> None:
    ahead = short(Ahead(), 0.001)
    ahead.began(0, 1.0)
    ahead.note(0, "a")
    rest_s = ahead.rest_s
    assert 0 < rest_s < 0.001

    ahead.note(0, "b")
    assert ahead.rest_s > rest_s
    ahead.began(1, 1.0)
    assert ahead.rest_s == 0
    ahead.note(1, "c")
    assert ahead.rest_s == rest_s
    assert ahead.take(1) == "c"
    assert ahead.rest_s == 0


def test_main_does_not_rest_for_less_than_the_system_can_count() -> None:
    ahead = short(Ahead(), 0.00005)
    ahead.began(0, 1.0)
    for uid in "abcdefgh":
        ahead.note(0, uid)
        assert ahead.rest_s == 0 or ahead.rest_s > 0.0001
    assert ahead.rest_s > 0


def test_each_slot_that_has_begun_is_looked_at_once() -> None:
    ahead = Ahead()
    ahead.began(3, 1.0)
    ahead.ended(3, 1.0)
    ahead.began(3, 1.0)

    assert ahead.next_bare() == 3
    assert ahead.next_bare() is None
