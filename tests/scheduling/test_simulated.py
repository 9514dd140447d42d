"""Random graphs in a world that is simulated: random needs, durations, failures and stops, and a clock that is a number.

After each event the state of everything is compared with a model so simple that it is obviously right.

``TESTLOOM_SIMULATIONS=10000`` in the environment asks for so many worlds, ``TESTLOOM_TEST_SEED`` for others.
What fails says its seed; seeds that have found something belong into `KEPT`.
"""

from __future__ import annotations

import heapq
import os
import random
from collections.abc import Iterator

import pytest

from testloom.scheduling.admission import Admission
from testloom.scheduling.ready import ReadyQueue
from testloom.scheduling.resources import PLACES, Needs, Resources
from testloom.scheduling.slots import Slots

WORLDS = int(os.environ.get("TESTLOOM_SIMULATIONS", "150"))
SEED = int(os.environ.get("TESTLOOM_TEST_SEED", "1"))
KEPT: tuple[int, ...] = ()


class World:
    """Units that start, run for a while and end; the graph may change meanwhile."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.jobs = self.random.randint(1, 8)
        self.limits = {name: self.random.randint(1, 4) for name in ("cores", "licences")}
        self.after: dict[str, set[str]] = {}
        self.needs: dict[str, Needs] = {}
        self.priorities: dict[str, float] = {}
        for number in range(self.random.randint(1, 60)):
            self._invent(f"u{number}")
        self.ready = ReadyQueue(self._shuffled(), priorities=self.priorities)
        self.slots = Slots(self.jobs)
        self.is_in_order = self.random.random() < 0.2
        resources = Resources(self.jobs, self.limits)
        self.admission = Admission(self.ready, resources, self.needs, in_order=self.is_in_order)
        self.now = 0.0
        self.running: dict[str, int] = {}
        self.ends: list[tuple[float, str]] = []
        self.done: set[str] = set()
        self.gone: set[str] = set()
        self.lost: set[int] = set()
        self.events = 0
        self.is_draining = False

    def run(self) -> None:
        """Run until nothing is left; check after each event."""
        while True:
            self._fill()
            self._check()
            if not self.ends:
                break
            self.now, uid = heapq.heappop(self.ends)
            self._end(uid)
            self._check()
            if self.random.random() < 0.15:
                self._interfere()
                self._check()
        self._check_end()

    def _invent(self, uid: str) -> None:
        known = [other for other in self.after if other not in self.__dict__.get("gone", ())]
        count = min(len(known), self.random.choice([0, 0, 1, 1, 2, 5]))
        self.after[uid] = set(self.random.sample(known, count))
        amounts = {n: self.random.randint(0, 5) for n in self.limits if self.random.random() < 0.2}
        self.needs[uid] = Needs(
            slots=self.random.choice([1, 1, 1, 1, 2, 3]),
            exclusive=self.random.random() < 0.03,
            resources=amounts,
        )
        self.priorities[uid] = self.random.choice([0.0, 0.0, 0.0, 1.0, -1.0])

    def _shuffled(self) -> dict[str, set[str]]:
        uids = list(self.after)
        self.random.shuffle(uids)
        return {uid: self.after[uid] for uid in uids}

    def _fill(self) -> None:
        while not self.is_draining and self.slots:
            uid = self.admission.take()
            if uid is None:
                self._check_nobody_idles()
                return
            self.events += 1
            if self.random.random() < 0.03:  # its worker could not be started, this time
                self.admission.put_back(uid)
                continue
            self._start(uid, self.slots.take())

    def _start(self, uid: str, slot: int) -> None:
        assert uid not in self.running, "it runs twice"
        assert uid not in self.done, "it runs again"
        assert uid not in self.gone, "it was discarded"
        assert slot not in self.running.values(), "two in a slot"
        assert self.lost.isdisjoint([slot]), "a slot that is lost"
        used = {*self.running.values(), *self.lost}
        assert slot == min({*range(len(used) + 1)} - used), "not the lowest free slot"
        assert self.after[uid] <= self.done | self.gone, "it did not wait"
        self.running[uid] = slot
        heapq.heappush(self.ends, (self.now + self.random.random(), uid))

    def _end(self, uid: str) -> None:
        self.events += 1
        slot = self.running.pop(uid)
        self.done.add(uid)
        self.admission.ended(uid)
        assert self.ready.done(uid) is None
        if self.random.random() < 0.02 and self.slots.count > 1:
            self.slots.retire(slot)  # something in it cannot be ended
            self.lost.add(slot)
        else:
            self.slots.give_back(slot)

    def _interfere(self) -> None:
        """Do what users of a scheduler may do at any time."""
        self.events += 1
        what = self.random.randrange(12)
        if what == 0:
            self.is_draining = True
        elif what < 5:
            uid = f"late{len(self.after)}"
            self._invent(uid)
            self.ready.add(uid, self.after[uid], self.priorities[uid])
            self.admission.declare(uid, self.needs[uid])
        elif what < 8:
            uid = self.random.choice(list(self.after))
            has_begun = uid in self.running or uid in self.done or uid in self.gone
            assert self.admission.discard(uid) is not has_begun
            if not has_begun:
                self.gone.add(uid)
        else:
            name = self.random.choice([PLACES, *self.limits])
            limit = self.random.randint(1, 8)
            self.admission.set_limit(name, limit)
            if name == PLACES:
                self.jobs = limit
            else:
                self.limits[name] = limit

    def _check(self) -> None:
        assert self.slots.busy == len(self.running)
        assert self.ready.left == len(self.after) - len(self.done) - len(self.gone)

    def _check_nobody_idles(self) -> None:
        """No unit waits for what is there, unless there is one that it must not pass."""
        settled = self.done | self.gone
        waiting = [
            uid
            for uid, before in self.after.items()
            if before <= settled and uid not in settled and uid not in self.running
        ]
        lacking = {uid: self._lacking(uid) for uid in waiting}
        if self.is_in_order or any(PLACES in names for names in lacking.values()):
            return
        wanted = {name for uid in waiting for name in lacking[uid]}
        for uid in waiting:
            amounts = self.needs[uid].amounts
            assert not wanted.isdisjoint(amounts), f"{uid} could run"

    def _lacking(self, uid: str) -> set[str]:
        limits = {PLACES: self.jobs, **self.limits}
        names = set()
        for name, amount in self.needs[uid].amounts.items():
            taken = sum(self.needs[other].amounts.get(name, 0) for other in self.running)
            if taken and taken + amount > limits[name]:
                names.add(name)
        return names

    def _check_end(self) -> None:
        assert not self.running
        left = self.after.keys() - self.done - self.gone
        assert self.is_draining or not left, f"stuck: {sorted(left)}"


class Strict(World):
    """Limits that do not change are never passed, but by one unit that wants more than there is."""

    def _interfere(self) -> None:
        """Leave the limits alone."""

    def _check(self) -> None:
        super()._check()
        for name, limit in {PLACES: self.jobs, **self.limits}.items():
            taken = [self.needs[uid].amounts.get(name, 0) for uid in self.running]
            users = [amount for amount in taken if amount]
            assert sum(users) <= limit or len(users) == 1, f"too much of {name!r} is taken"


def _seeds() -> Iterator[int]:
    yield from KEPT
    yield from range(SEED, SEED + WORLDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [World, Strict])
def test_everything_runs_once_in_its_turn_and_nothing_is_stuck(kind: type[World]) -> None:
    events = 0
    for seed in _seeds():
        world = kind(seed)
        try:
            world.run()
        except Exception as error:
            raise AssertionError(f"seed {seed}, after {world.events} events: {error!r}") from error
        events += world.events
    assert events > WORLDS * 20  # there was something to see


def test_a_world_is_the_same_each_time() -> None:
    first, second = World(7), World(7)
    first.run()
    second.run()
    assert (first.now, first.done, first.events) == (second.now, second.done, second.events)
