"""Warm workers: one process a slot, forked once, that runs one fragment after the other.

`WarmPool` owns the nursery and the slots' channels; a `WarmWorker` is one fragment in one of
them, as the scheduler sees it.  A slot's process is started when it is first needed and
replaced when it has died or is no longer fit.  A fragment is blamed for the death of its
process only once that process has taken an order; one that dies before is started again, and
after three such deaths in a row the run gives up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from testloom.model.errors import WorkersCannotStart
from testloom.model.fragment import FragmentData
from testloom.model.outcome import (
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.model.status import signal_name
from testloom.processes.loop import EventLoop
from testloom.processes.nursery import Nursery, NurseryGone
from testloom.processes.parcels import Parcels
from testloom.scheduling.ahead import LayOut
from testloom.workers.desk import Desk
from testloom.workers.messages import Report
from testloom.workers.orders import Orders, is_alone, time_limit
from testloom.workers.pooled import PooledWorker
from testloom.workers.slot import Slot

_MAX_FAILED_STARTS: Final = 3


class WarmWorker(PooledWorker):
    """One fragment in a slot's process."""

    def __init__(self, pool: WarmPool, uid: str, data: FragmentData, slot: int) -> None:
        self.timeout_s = pool.timeout_of(data)
        if pool.grace_s is not None:
            self.grace_s = pool.grace_s
        super().__init__(pool, uid, data, slot)


class WarmPool:
    """The processes of all slots.

    Args:
        fragments: uid -> fragment, all that will ever run here.
        predecessors: uid -> the uids it follows.
        loop: the event loop of the scheduler that uses the workers.
        env: the suite's environment.
        make_nursery: forks the nursery, see `forking` and `testloom.workers.fresh.spawning`.
        continues: tells whether the same worker is going to run the next fragment of a test.
        timeout_s: the time limit of fragments whose driver has none.
        note: told, in one line, what people should know.
        desk: what the workers inherit and share with main; None if they inherit nothing.
        repeatable: uids of the fragments that may run more than once.
        parcels: for values that are too large for a message; None if there is a limit to them.
        returns: whether main wants the values, too: they are in the ends of the fragments.
        on_output: told what a slot's process writes, as it comes; else it is kept for the worker.
        fragments_per_process: how many fragments a process may run; None for any number.
        grace_s: how long a process may take to end when it is asked to.
    """

    def __init__(
        self,
        *,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        loop: EventLoop,
        env: Any,
        make_nursery: Callable[[], Nursery],
        continues: Callable[[str], bool],
        recipe_of: Callable[[FragmentData], bytes] | None = None,
        timeout_s: float | None = None,
        note: Callable[[str], None] | None = None,
        desk: Desk | None = None,
        repeatable: Collection[str] = (),
        parcels: Parcels | None = None,
        returns: bool = False,
        on_output: Callable[[int, bytes], None] | None = None,
        fragments_per_process: int | None = None,
        grace_s: float | None = None,
    ) -> None:
        self.loop = loop
        self.desk = desk
        self.on_output = on_output
        self.grace_s = grace_s
        self._returns = returns
        self._fragments_per_process = fragments_per_process
        self.env = env
        self.orders = Orders(
            fragments, predecessors, continues, recipe_of, repeatable, parcels, returns=returns
        )
        """Who makes orders; a node of a cluster has one that was made elsewhere."""
        self._again: set[str] = set()
        """The fragments that have run before: they need processes that have not seen them."""
        self._make_nursery = make_nursery
        self._timeout_s = timeout_s
        self._note = note or (lambda _line: None)
        self._nursery: Nursery | None = None
        self._slots: dict[int, Slot] = {}
        self._failed_starts = 0
        self._closed = False

    def worker(self, uid: str, data: FragmentData, slot: int) -> WarmWorker:
        """Start fragment *uid* in *slot*: the job factory of a scheduler."""
        return WarmWorker(self, uid, data, slot)

    def timeout_of(self, data: FragmentData) -> float | None:
        """Return the time limit of a fragment in seconds."""
        return time_limit(data, self._timeout_s, self.say)

    def run(self, worker: WarmWorker) -> None:
        """Send the order for *worker* to its slot, starting the slot's process if need be."""
        slot = self._slots.get(worker.slot)
        if slot is None:
            slot = self._slots[worker.slot] = Slot(self, worker.slot)
        if slot.begin_laid_out(worker):
            return
        is_last = slot.runs_after + 1 == self._fragments_per_process
        order = self.orders.order(worker.data, is_last=is_last)
        is_again = worker.uid in self._again
        slot.give(worker, order, alone=is_alone(worker.driver), untouched=is_again)

    @property
    def lays_out(self) -> LayOut | None:
        """This pool, if what lies between it and its processes allows that."""
        return self if self.desk is not None and self.desk.depth else None

    def lay_out(self, uid: str, data: FragmentData, slot: int) -> bool:
        """Let *slot*, which is busy, go on with fragment *uid* by itself; False if it cannot.

        The worker of the fragment is made as soon as *slot* is done with what comes before.
        """
        there = self._slots.get(slot)
        if self._fragments_per_process is not None:
            return False
        if there is None or not there.can_lay_out or uid in self._again:
            return False
        if is_alone(data.driver) or not self.orders.stands_alone(uid, data):
            return False
        there.lay_out(self.orders.order(data))
        return True

    def laid_out(self, slot: int) -> int:
        """Return how many fragments are laid out for the process of *slot*."""
        found = self._slots.get(slot)
        return 0 if found is None else found.laid_out

    def take_back(self, slot: int) -> int:
        """Take back what *slot* has not begun with; return how many are left."""
        found = self._slots.get(slot)
        return 0 if found is None else found.take_back()

    def is_wanted(self, uid: str) -> bool:
        """Tell whether a fragment follows *uid*, so that its value is needed."""
        return self.orders.is_wanted(uid)

    def again(self, uids: Iterable[str]) -> None:
        """Let all fragments of a test run once more, on a driver as it was at first."""
        self._again.update(uids)

    def release(self, uids: Iterable[str]) -> None:
        """Note that *uids*, all fragments of a test, do not run again."""
        uids = tuple(uids)
        self._again.difference_update(uids)
        self.orders.release(uids)

    def terminate(self, worker: WarmWorker) -> None:
        """Ask the process of *worker* to end."""
        self._slots[worker.slot].terminate(worker)

    def kill(self, worker: WarmWorker) -> None:
        """Kill the process of *worker* and all below it."""
        self._slots[worker.slot].kill(worker)

    def end_process(self, slot: int) -> bool:
        """Ask the process of *slot* to end; tell whether there is somebody to see to that."""
        return self._has_nursery_do(slot, Nursery.end)

    def remind_process(self, slot: int) -> bool:
        """Ask the process of *slot* to end once more; tell whether there is somebody to do that."""
        return self._has_nursery_do(slot, Nursery.remind)

    def kill_process(self, slot: int) -> bool:
        """Kill the process of *slot*; tell whether there is somebody to see to that."""
        return self._has_nursery_do(slot, Nursery.kill)

    def _has_nursery_do(self, slot: int, what: Callable[[Nursery, int], None]) -> bool:
        if self._nursery is None:
            return False
        try:
            what(self._nursery, slot)
        except NurseryGone:
            return False
        return True

    @property
    def nursery(self) -> Nursery:
        """The fork server; forked when first needed, and again if it died.

        Raises:
            WorkersCannotStart: it cannot be forked.
        """
        if self._nursery is None:
            try:
                self._nursery = self._make_nursery()
            except (OSError, RuntimeError) as error:
                raise WorkersCannotStart(f"no process can be forked: {error}") from error
            self.loop.watch(self._nursery.fileno(), self._read_news, is_urgent=True)
        return self._nursery

    def has_process(self, slot: int) -> bool:
        """Tell whether *slot* has a process that takes orders."""
        return slot in self._slots and self._slots[slot].is_open

    @property
    def pids(self) -> list[int]:
        """The processes of the slots that have one."""
        return [slot.pid for slot in self._slots.values() if slot.pid]

    def look(self, slot: int) -> tuple[int, bytes]:
        """Return the process of *slot*, or 0, and the end of what it has written by itself."""
        found = self._slots.get(slot)
        return (0, b"") if found is None else (found.pid, found.written)

    def pause(self) -> bool:
        """Let no slot's process run, nor anything below, until `resume`."""
        if self._nursery is None:
            return True
        try:
            self._nursery.pause()
        except NurseryGone:
            return False
        return True

    def resume(self, paused_s: float) -> None:
        """Let all go on that was paused; *paused_s* does not count for what runs."""
        for slot in self._slots.values():
            slot.note_pause(paused_s)
        if self._nursery is not None:
            with contextlib.suppress(NurseryGone):
                self._nursery.resume()

    def dismiss(self) -> None:
        """Have all processes killed; `close` sees them gone."""
        if self._closed:
            return
        self._closed = True
        for slot in self._slots.values():
            slot.close()
        if self._nursery is not None:
            self.loop.unwatch(self._nursery.fileno())
            self._nursery.dismiss()

    def close(self) -> None:
        """End all processes and see them gone."""
        self.dismiss()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None
        self.orders.close()
        if self.desk is not None:
            self.desk.close()

    def say(self, line: str) -> None:
        """Tell people *line*."""
        self._note(line)

    def settle(self, worker: WarmWorker, report: Report) -> None:
        """The fragment of *worker* ended in a process that lives."""
        worker.wall_s = max(0.0, report.wall_s - worker.paused_s)
        worker.cpu_s = report.cpu_s
        self.orders.settle(worker.uid, report)
        worker.finish(
            Returned(
                value=report.value if self._returns else None,
                raised=report.raised,
                aborted=report.aborted,
                unpicklable=report.unpicklable,
                leaks=tuple(report.leaks),
            )
        )

    def lose(self, worker: WarmWorker, end: FragmentEnd) -> None:
        """The fragment of *worker* ended with its process."""
        worker.wall_s = self.loop.now() - worker.started_at - worker.paused_s
        self.orders.lose(worker.uid, in_words(end))
        worker.finish(end)

    def started(self) -> None:
        """A process has taken an order: those before it failed for reasons of their own."""
        self._failed_starts = 0

    def start_failed(self, slot: int, why: str) -> None:
        """Count a process that died before it took an order.

        Raises:
            WorkersCannotStart: this keeps happening.
        """
        self._count_failure(why)
        self.say(f"the worker of slot {slot} could not be started, trying again: {why}")

    def _count_failure(self, why: str) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise WorkersCannotStart(
                f"{self._failed_starts} workers in a row could not be started; the last: {why}"
            )

    def idle_died(self, slot: int, how: str) -> None:
        """Note the death of a process that ran nothing."""
        if not self._closed:
            self._note(f"idle worker replaced: the process of slot {slot} was {how}")

    def _read_news(self) -> None:
        nursery = self.nursery
        try:
            news = nursery.news()
        except NurseryGone:
            self._nursery_died(nursery)
            return
        slot = self._slots.get(news.slot)
        if slot is not None:
            slot.tell(news)

    def _nursery_died(self, nursery: Nursery) -> None:
        """Take what it ran for lost; the next order forks another."""
        self.loop.unwatch(nursery.fileno())
        nursery.close()
        self._nursery = None
        why = "the fork server died"
        self._count_failure(why)
        self.say(f"{why} and is replaced")
        for slot in list(self._slots.values()):
            slot.lost(why)


def in_words(end: FragmentEnd) -> str:
    """Say why a fragment has left no value."""
    match end:
        case WorkerDied(Exited(code)):
            return f"its worker exited with status {code}"
        case WorkerDied(Killed(signum)):
            return f"its worker was killed by {signal_name(signum)}"
        case FragmentTimedOut(after_s):
            return f"timed out after {after_s:g} s"
        case WorkerLost(why) | Stopped(why):
            return why
        case _:
            return "it has left no value"
