"""A lane: one slot's way through the run, turn after turn, as the scheduler's worker.

The scheduler fills its slots with lanes; each lane then is given turns for its slot until nothing is
left.  Where a turn ends in the death of its process, exactly the item that ran is to blame; those that
finished before have left their reports, and those behind it run again elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

from testloom.model.fragment import FragmentData
from testloom.model.outcome import FragmentEnd, Returned
from testloom.processes.board import NOTHING, Board, Doing
from testloom.processes.loop import EventLoop, Timer
from testloom.pytest_plugin.ahead import Ahead
from testloom.pytest_plugin.child import Job, encode_job
from testloom.scheduling.turns import Bundle, Turn, Turns
from testloom.scheduling.worker import Worker
from testloom.workers.warm import WarmPool, WarmWorker


class Run(Protocol):
    """What lanes need to know, and whom they tell."""

    turns: Turns
    board: Board
    loop: EventLoop

    def limit_s(self, unit: int) -> float | None:
        """Return how long item *unit* may take."""

    def came(self, slot: int, results: Sequence[bytes]) -> set[int]:
        """Take what was told about items; return which ones have run."""

    def died(
        self, slot: int, doing: Doing, end: FragmentEnd, output: bytes, *, has_run: bool
    ) -> None:
        """The item that was being done took its process with it."""

    def lost(self, slot: int, end: FragmentEnd, output: bytes) -> bool:
        """A process ended between two items; tell whether to go on."""

    def gives_way(self, lane: Lane) -> bool:
        """Tell whether *lane* shall end for now, because others wait for its slot."""

    def parked(self, lane: Lane) -> None:
        """There is nothing for *lane* now; wake it when that may have changed."""

    def turned(self) -> None:
        """A turn has ended."""

    def given_back(self, some: Sequence[Bundle]) -> None:
        """Let lanes run what somebody who is ahead is not going to run."""

    def came_ahead(self, one: Ahead, data: FragmentData) -> None:
        """Take what *one*, who has ended, has left; a lane of *data* may have its slot."""


class Order:
    """What a lane's slot is told next: stands where the pool expects a driver."""

    isolation = "worker"
    fragment_timeout_s = None

    def __init__(self) -> None:
        self.job = Job()


def recipe_of(data: FragmentData) -> bytes:
    """Return what the order of a lane tells its slot, for `WarmPool`."""
    return encode_job(data.driver.job)


class Lane(WarmWorker):
    """The turns of one slot."""

    grace_s = 5.0

    def __init__(
        self, run: Run, pool: WarmPool, uid: str, data: FragmentData, slot: int, *, since: int = 0
    ) -> None:
        self.since = since
        """How many that are no lanes had ended when it started."""
        self._run = run
        self._turn = Turn(())
        self._timer: Timer | None = None
        self._blamed: Doing | None = None
        """What was found running when the time was up."""
        self._is_idle = True
        self._shortest_s = 0.0
        super().__init__(pool, uid, data, slot)

    def start(self) -> None:
        """Wait to be watched: there may be nothing to do, and then nobody would hear of that."""

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        """Go on turn after turn, then tell."""
        super().watch(loop, ended)
        loop.call_soon(self.go_on)
        return True

    def go_on(self) -> None:
        """Begin the next turn, if there is one for this slot now."""
        if not self._is_idle or self.end is not None:
            return
        if self.stopped:
            super().finish(Returned())
            return
        turn = self._next_turn()
        if turn is None:
            return
        self._is_idle = False
        self._turn = turn
        self.driver.job = Job(turn.units, turn.follows)
        self.results, self.output = [], b""
        self.timed_out, self.timeout_s, self._blamed = False, None, None
        self.started_at = self._run.loop.now()
        self.pool.run(self)
        limits = [s for unit in turn.units if (s := self._run.limit_s(unit)) is not None]
        if limits:
            self._shortest_s = min(limits)
            self._watch_time(self.started_at + self._shortest_s)

    def _next_turn(self) -> Turn | None:
        """Return the next turn; None if the lane ends or waits."""
        if self._run.gives_way(self):
            self.over()
            return None
        turn = self._run.turns.next(self.slot)
        if turn is None:
            self._run.parked(self)
        return turn

    def _put_back(self, units: Sequence[int]) -> None:
        """See that *units*, which have not run, will."""
        self._run.turns.give_back(self.slot, units)

    def terminate(self) -> None:
        """Ask what runs to end; a lane that runs nothing is over."""
        if self._is_idle:
            self._run.loop.call_soon(self.go_on)
        else:
            super().terminate()

    def kill(self) -> None:
        """Kill what runs; a lane that runs nothing is over."""
        if self._is_idle:
            self._run.loop.call_soon(self.go_on)
        else:
            super().kill()

    def over(self) -> None:
        """Be at the end."""
        super().finish(Returned())

    def finish(self, end: FragmentEnd) -> None:
        """A turn has ended, with its process or without."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_idle = True
        ran = self._run.came(self.slot, self.results)
        goes_on = True
        if not isinstance(end, Returned) and not self.stopped:
            goes_on = self._blame(end, ran)
        self._run.board.clear(self.slot)
        self._put_back([unit for unit in self._turn.units if unit not in ran])
        self._turn = Turn(())
        self._run.turned()
        if self.slot_lost:  # nothing else may run here; others go on with what it had begun
            self._run.turns.leave(self.slot)
            super().finish(end)
        elif goes_on and not self.stopped:
            self._run.loop.call_soon(self.go_on)
        else:
            super().finish(end)

    def _blame(self, end: FragmentEnd, ran: set[int]) -> bool:
        """Let the item that ran fail, if one did; tell whether to go on."""
        doing = self._blamed or self._run.board.look(self.slot)
        came_in_time = self.timed_out and doing.unit in ran
        if doing.unit == NOTHING or came_in_time:
            return self._run.lost(self.slot, end, self.output)
        self._run.died(self.slot, doing, end, self.output, has_run=doing.unit in ran)
        ran.add(doing.unit)
        return True

    def _watch_time(self, at: float) -> None:
        self._timer = self._run.loop.call_at(at, self._look_at_time)

    def _look_at_time(self) -> None:
        """See whether the limit of what runs is reached; if not, look again when it may be."""
        now = self._run.loop.now()
        doing = self._run.board.look(self.slot)
        limit_s = None if doing.unit == NOTHING else self._run.limit_s(doing.unit)
        due = None if limit_s is None else doing.since + limit_s
        if due is None or now < due:
            # What comes next in this turn may have a shorter limit.
            soon = now + self._shortest_s
            self._watch_time(soon if due is None else min(due, soon))
            return
        self._blamed = doing
        self.timed_out, self.timeout_s = True, limit_s
        super().terminate()
        self._timer = self._run.loop.call_at(now + self.grace_s, super().kill)


class Single(Lane):
    """One item that needs more than a slot, so that the scheduler itself decides when it runs."""

    def __init__(
        self, run: Run, pool: WarmPool, uid: str, data: FragmentData, slot: int, unit: int
    ) -> None:
        self._mine: tuple[int, ...] = (unit,)
        super().__init__(run, pool, uid, data, slot)

    def _next_turn(self) -> Turn | None:
        units, self._mine = self._mine, ()
        if units:
            return Turn(units)
        self.over()
        return None

    def _put_back(self, units: Sequence[int]) -> None:
        self._mine = tuple(units)


class LaneAhead(Worker):
    """The slot of those who began while pytest collected; they are asked to come to an end."""

    def __init__(
        self, run: Run, ones: Sequence[Ahead], uid: str, data: FragmentData, slot: int
    ) -> None:
        self._run = run
        self._working = list(ones)
        self._data = data
        super().__init__(uid, None, "", slot, None)

    def start(self) -> None:
        """Let them finish what they have begun, and no more."""
        for one in self._working:
            one.end()

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        """Take what each of them gives back and leaves."""
        for one in self._working:
            hear = functools.partial(self._hear, one, loop, ended)
            loop.watch(one.process.channel.fileno(), hear)
        return True

    def _hear(self, one: Ahead, loop: EventLoop, ended: Callable[[], None]) -> None:
        given_back = one.hear()
        if given_back is not None:
            self._run.given_back(given_back)
            return
        loop.unwatch(one.process.channel.fileno())
        self._working.remove(one)
        try:
            self._run.came_ahead(one, self._data)
        finally:  # or the scheduler would wait for it for ever
            if not self._working:
                ended()

    def terminate(self) -> None:
        """Have them end what they do."""
        for one in self._working:
            one.terminate()

    def kill(self) -> None:
        """Kill them, with all that they do."""
        for one in self._working:
            one.process.kill()
