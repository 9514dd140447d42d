"""A run in slots: everything between collection and the end of pytest's session.

Reads from top to bottom: what is to run, the run, its end.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from e3.collection.dag import DAG

from testloom.model.errors import WorkersCannotStart
from testloom.model.fragment import FragmentData
from testloom.model.history import Recap
from testloom.model.outcome import FragmentEnd, Returned
from testloom.processes import signals
from testloom.processes.board import Board, Doing
from testloom.processes.loop import EventLoop
from testloom.processes.nursery import Nursery
from testloom.pytest_plugin import child, wire
from testloom.pytest_plugin.ahead import Ahead
from testloom.pytest_plugin.bundles import bundles, in_good_order
from testloom.pytest_plugin.child import Inherited, Job
from testloom.pytest_plugin.endings import reports_of_death
from testloom.pytest_plugin.keeping import kept_fixtures
from testloom.pytest_plugin.lanes import Lane, LaneAhead, Order, Single, recipe_of
from testloom.pytest_plugin.limits import limits_of
from testloom.pytest_plugin.live import Live
from testloom.pytest_plugin.needs import needs_of
from testloom.pytest_plugin.telling import Teller, Tells
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.scheduling.turns import Bundle, Turns
from testloom.scheduling.worker import Worker
from testloom.workers.desk import Desk
from testloom.workers.warm import WarmPool, WarmWorker

MakeTeller = Callable[[pytest.Session, EventLoop, Callable[[BaseException | None], None]], Tells]
_LOST_IN_A_ROW: Final = 3
_FIRST: Final = 1e9
"""A priority above all others."""


class SlotRun:
    """The items of *session*, to be run in *count* slots with *limit_s* for each.

    Args:
        ahead: who has begun with some of them already; those who have not ended have their slots.
        make_teller: makes who is told what comes of them.
        first_slot: what people know the first slot as.
    """

    def __init__(
        self,
        session: pytest.Session,
        count: int,
        limit_s: float | None,
        *,
        ahead: Sequence[Ahead] = (),
        make_teller: MakeTeller = Teller,
        first_slot: int = 0,
    ) -> None:
        self._session: Any = session
        self._config = session.config
        self._items: Sequence[Any] = session.items
        self._ended_ahead: list[Ahead] = []
        slots_ahead: dict[int, list[Ahead]] = {}
        for one in ahead:
            those = self._ended_ahead if one.has_ended else slots_ahead.setdefault(one.slot, [])
            those.append(one)
        first = max(slots_ahead, default=-1) + 1
        count = max(min(count, len(self._items)), first)
        self._limits = limits_of(self._items, limit_s)
        self._needs, limits = needs_of(self._items)
        begun = {unit for one in ahead for unit in one.numbers if unit is not None}
        found = bundles(self._items, self._together(), {*self._needs, *begun})
        failed, usual_s = self._known()
        self.turns = Turns(in_good_order(found, failed, usual_s, count), count)
        self.board = Board(count + 1)
        self.loop = EventLoop()
        desk = Desk(count + 1, lays_out=False)
        self._kept = kept_fixtures(self._items, self._room_for_values)
        self._live = Live(self._config, self._items)
        self._inherited = Inherited(self.board, desk, self._kept, self._live.is_wanted, first_slot)
        self._teller = make_teller(session, self.loop, self._end_early)
        self._parked: list[Lane] = []
        self._lost = 0
        self._error: BaseException | None = None
        """What the session is to end with."""
        self._signals = 0
        dag = DAG()
        self._singles = {f"item {number}": number for number in self._needs}
        """Items that need more than a slot, by the names of their vertices."""
        self._waiting_singles = len(self._singles)
        self._special_ended = 0
        self._lanes = itertools.count()
        lanes = [self._lane_uid() for _slot in range(count)]
        self._lanes_ahead = {lanes[slot]: some for slot, some in slots_ahead.items()}
        for uid in [*self._singles, *lanes]:
            data = FragmentData(uid, Order(), "turns", None)
            dag.update_vertex(uid, data=data, enable_checks=False)
        self._keeper = FragmentData("keeper", Order(), "keep", None)
        self._keeper_slot = count
        self._pool = WarmPool(
            fragments={**dag.vertex_data, "keeper": self._keeper},
            predecessors=dict(dag.vertex_predecessors_items()),
            loop=self.loop,
            env=None,
            make_nursery=self._make_nursery,
            continues=lambda _uid: True,
            recipe_of=recipe_of,
            note=self._live.say,
            desk=desk,
            on_output=self._live.heard if self._live.is_wanted else None,
        )
        self._scheduler = MultiprocessScheduler(
            dag,
            self._start,
            self._ended,
            jobs=count,
            loop=self.loop,
            priorities={
                **{uid: 1.0 + usual_s.get(n, 0.0) for uid, n in self._singles.items()},
                # Slots are given out in this order, and those who are ahead have theirs.  Others do
                # not wait for them meanwhile, behind an item for which there is no room.
                **{uid: _FIRST - slot for slot, uid in enumerate(lanes if first else ())},
            },
            needs={uid: self._needs[number] for uid, number in self._singles.items()},
            limits=limits,
        )

    def run(self) -> None:
        """Run everything; raise what pytest's own loop would raise at its end."""
        gc.freeze()  # all that was collected stays: not to be walked over again and again
        try:
            with signals.told_to(self.loop, self._interrupted, (signal.SIGINT,)):
                try:
                    self._run()
                except WorkersCannotStart as error:
                    self._error = pytest.exit.Exception(f"testloom: {error}", 3)
                finally:
                    self._pool.close()
                    for kept in self._kept:
                        kept.take_back()
                self._teller.tell_all()
        finally:
            gc.unfreeze()
            self.loop.close()
        session = self._session
        if self._error is not None:
            raise self._error
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        if self.turns.left:
            raise pytest.exit.Exception(f"testloom: {self.turns.left} tests were not run", 3)

    def stop(self, phase: Phase) -> None:
        """Begin nothing any more, and end what runs."""
        self._scheduler.stop(phase)

    def _run(self) -> None:
        for kept in self._kept:
            kept.lend()
        for number in range(len(self._kept)):
            self._do({self._keeper_slot: Job(keeps=number)})
        for one in self._ended_ahead:
            self._take_from(one)
        try:
            self._scheduler.run()
        finally:
            lanes = range(self._keeper_slot)
            self._do({s: Job(ends=True) for s in lanes if self._pool.has_process(s)})
            if self._pool.has_process(self._keeper_slot):
                self._do({self._keeper_slot: Job(ends=True)})

    # -- what lanes ask and tell -----------------------------------------------------------------

    def limit_s(self, unit: int) -> float | None:
        return self._limits[unit]

    def came(self, slot: int, results: Sequence[bytes]) -> set[int]:
        """Take what was told about items; pass it on when there is time."""
        ran = set()
        for data in results:
            done = wire.decode(data)
            self._teller.add(done, slot)
            if done.number >= 0:
                ran.add(done.number)
                self.turns.ran(slot, done.wall_s, done.setup_s)
        if ran:
            self._lost = 0
        self._live.turned(slot)
        return ran

    def died(
        self, slot: int, doing: Doing, end: FragmentEnd, output: bytes, *, has_run: bool
    ) -> None:
        """Let the item that was being done fail."""
        item = self._items[doing.unit]
        self._teller.tell_all()  # in their order: what it has told itself comes first
        reports = reports_of_death(
            item,
            end,
            doing.stage,
            output,
            duration_s=self.loop.now() - doing.since,
            has_run=has_run,
        )
        self._teller.pass_on(item, reports, item.location, slot)

    def lost(self, slot: int, end: FragmentEnd, output: bytes) -> bool:
        """Go on with another process, but not for ever."""
        self._lost += 1
        if self._lost < _LOST_IN_A_ROW:
            return True
        text = output.decode("utf-8", "backslashreplace").strip()
        why = f"testloom: slot {slot} lost {self._lost} processes in a row: {end}\n{text}"
        self._error = pytest.exit.Exception(why, 3)
        self.stop(Phase.TERMINATING)
        return False

    def gives_way(self, lane: Lane) -> bool:
        """Let lanes go through the scheduler again if an item that waits there might have its turn.

        When a lane starts, the scheduler has found none that might, or those who are ahead have slots.
        That changes only when one of them has ended.
        """
        if not self._waiting_singles or lane.since == self._special_ended:
            return False
        self.turns.leave(lane.slot)
        if self.turns.left:
            self._scheduler.add(self._lane_uid(), lane.data)
        return True

    def parked(self, lane: Lane) -> None:
        self._parked.append(lane)
        if len(self._parked) == sum(worker is not None for worker in self._scheduler.workers):
            for one in self._parked:  # nobody is at work who could leave anything
                one.over()
            self._parked.clear()

    def turned(self) -> None:
        for lane in self._parked:
            self.loop.call_soon(lane.go_on)
        self._parked.clear()

    def given_back(self, some: Sequence[Bundle]) -> None:
        """Let lanes run *some*, and wake those that have nothing to do."""
        self.turns.add(some)
        self.turned()

    def came_ahead(self, one: Ahead, data: FragmentData) -> None:
        """Take what *one*, who has ended, has left; let a lane go on with what it has not run."""
        self._take_from(one)
        if self.turns.left:
            self._scheduler.add(self._lane_uid(), data)

    # -- what happens ----------------------------------------------------------------------------

    def _take_from(self, one: Ahead) -> None:
        """Pass on what *one* has run; the rest is left to lanes."""
        ran = set()
        for done in one.results():
            self._teller.add(done, one.slot)
            ran.add(done.number)
        self.turns.add(one.bundles_without(ran))

    def _lane_uid(self) -> str:
        return f"lane {next(self._lanes)}"

    def _start(self, uid: str, data: Any, slot: int) -> Worker:
        if uid in self._lanes_ahead:
            return LaneAhead(self, self._lanes_ahead[uid], uid, data, slot)
        if uid not in self._singles:
            return Lane(self, self._pool, uid, data, slot, since=self._special_ended)
        self._waiting_singles -= 1
        return Single(self, self._pool, uid, data, slot, self._singles[uid])

    def _ended(self, lane: Any) -> None:
        """Let lanes that wait see whether they are the last, or have to give way."""
        if isinstance(lane, Single | LaneAhead):
            self._special_ended += 1
        self.turned()

    def _make_nursery(self) -> Nursery:
        """Fork the nursery, while pytest does not capture: each slot is going to do that itself."""
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        factory: Any = getattr(self._config, "_tmp_path_factory", None)
        if factory is not None:
            factory.getbasetemp()  # one for all
        session, inherited = self._session, self._inherited
        if capture is not None:
            capture.stop_global_capturing()
        try:
            return Nursery(
                lambda slot, channel: child.main(slot, channel, session, inherited),
                name=f"testloom-pytest-{os.getpid()}",
            )
        finally:
            if capture is not None:
                capture.start_global_capturing()
                capture.suspend_global_capture()

    def _interrupted(self, _signum: int) -> None:
        """Ctrl-C: end what runs; the second time, at once."""
        self._signals += 1
        self._error = KeyboardInterrupt()
        self.stop(Phase.TERMINATING if self._signals == 1 else Phase.KILLING)

    def _end_early(self, error: BaseException | None) -> None:
        """End the session, because of *error* if there is one."""
        self._error = self._error or error
        self.stop(Phase.TERMINATING)

    def _do(self, jobs: Mapping[int, Job]) -> None:
        """Let slots do *jobs* that are no turns, and wait until all are done."""
        workers = []
        for slot, job in jobs.items():
            data = FragmentData(self._keeper.uid, Order(), "job", None)
            data.driver.job = job
            worker = WarmWorker(self._pool, data.uid, data, slot)
            worker.watch(self.loop, lambda: None)
            workers.append(worker)
        while any(worker.end is None for worker in workers) and self._signals < 2:
            self.loop.run_once()
        for worker in workers:
            self.came(worker.slot, worker.results)
            if worker.end is not None and not isinstance(worker.end, Returned):
                text = worker.output.decode("utf-8", "backslashreplace").strip()
                self._live.say(f"slot {worker.slot}: its process ended: {worker.end} {text}")

    def _known(self) -> tuple[set[int], dict[int, float]]:
        """Return which items failed last, and how long items usually take, as far as is known."""
        cache = getattr(self._config, "cache", None)
        failed = set(cache.get("cache/lastfailed", {})) if cache is not None else set()
        recording: Any = self._config.pluginmanager.getplugin("testloom-recording")
        recap = recording.recap if recording is not None else Recap()
        failed |= {past.test for past in recap.latest.values() if past.status.is_bad}
        usual_s = recap.usual_s
        names = [item.nodeid for item in self._items]
        return (
            {number for number, name in enumerate(names) if name in failed},
            {number: usual_s[name] for number, name in enumerate(names) if name in usual_s},
        )

    def _together(self) -> Mapping[int, int]:
        """Return which data tests have to run in one process, if there are any."""
        if not self._config.pluginmanager.hasplugin("testloom-collecting"):
            return {}
        from testloom.pytest_plugin.items import together  # noqa: PLC0415 - it needs the whole suite room

        return together(self._items)

    def _room_for_values(self) -> Path:
        factory: Any = getattr(self._config, "_tmp_path_factory", None)
        if factory is None:
            raise pytest.UsageError("fixtures that are run_scoped need pytest's plugin 'tmpdir'")
        room: Path = factory.getbasetemp() / "run-scoped"
        room.mkdir(mode=0o700, exist_ok=True)
        return room
