"""The scheduler: fills slots with workers, waits for any of them to end, collects it.

It decides with `ReadyQueue` and `Slots`, waits in an `EventLoop`, and acts through `Worker`.
Three callables make it serve any kind of work: *job_factory* starts a worker for a unit of the
graph, *collect_result* takes a finished one.  Both run in the thread that calls `run`.
"""

from __future__ import annotations

import enum
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from e3.collection.dag import DAG

from testloom.model.errors import (
    CycleError,
    InternalError,
    UsageError,
    WorkersCannotStart,
    nearest,
)
from testloom.processes.clock import cores_idle_s
from testloom.processes.loop import EventLoop, Timer
from testloom.processes.signals import interrupting
from testloom.scheduling.admission import Admission
from testloom.scheduling.ahead import PATIENCE_S, Ahead, LayOut
from testloom.scheduling.opening import Opening
from testloom.scheduling.ready import ReadyQueue
from testloom.scheduling.resources import ONE_PLACE, PLACES, Needs, Resources
from testloom.scheduling.slots import Slots
from testloom.scheduling.worker import Worker

logger = logging.getLogger("testloom.scheduler")

JobFactory = Callable[[str, Any, int], Worker]
"""``job_factory(uid, data, slot)``: start the worker for a vertex of the graph."""
CollectResult = Callable[[Worker], None]

_FIRST_POLL_S = 0.1


class Phase(enum.IntEnum):
    """How far a scheduler has gone towards its end; it only ever moves forward."""

    RUNNING = 0
    DRAINING = 1
    """Nothing new is started; what runs may end by itself."""
    TERMINATING = 2
    """What runs has been asked to end, and is killed when its grace is over."""
    KILLING = 3
    """What runs has been killed."""


class MultiprocessScheduler:
    """Runs the vertices of a graph in a fixed number of slots.

    Args:
        dag: the graph; `e3.collection.dag.DAG` or whatever has its ``vertex_data`` and
            ``vertex_predecessors_items()``.  It is copied once: later changes are not seen.
        job_factory: starts the worker of a vertex.
        collect_result: takes a worker that has ended.
        jobs: the number of slots; 0 for the number of cores.
        dyn_poll_interval: whether the interval for workers that cannot be waited for adapts to
            how long they run.  Others are never polled.
        loop: an event loop to share with others.
        priorities: uids that should come earlier (more) or later (less) than others.
        needs: what vertices take while they run; those not mentioned take one slot's place.
        limits: how much there is of what *needs* name.
        in_order: whether nothing may pass a vertex for which there is no room yet.
        is_open: whether to wait for more work when all is done, until `close`.
        afterwards: called each time the slots have been filled, before anything is waited for: to
            do what need not hold up the slots, like writing down what *collect_result* was given.

    Attributes:
        lay_out: who lets slots go on by themselves while units are short, see
            `testloom.scheduling.ahead`; None if nobody does.

    Raises:
        UsageError: *jobs* is negative, or a vertex needs something that has no limit.
        CycleError: vertices wait for each other.
    """

    def __init__(
        self,
        dag: DAG,
        job_factory: JobFactory,
        collect_result: CollectResult,
        jobs: int = 0,
        dyn_poll_interval: bool = True,
        *,
        loop: EventLoop | None = None,
        priorities: Mapping[str, float] | None = None,
        needs: Mapping[str, Needs] | None = None,
        limits: Mapping[str, int] | None = None,
        in_order: bool = False,
        is_open: bool = False,
        afterwards: Callable[[], None] | None = None,
    ) -> None:
        if jobs < 0:
            raise UsageError(f"the number of jobs must not be negative: {jobs}; 0 means one a core")
        self.dag = dag
        self.parallelism = jobs or available_cores()
        self.job_factory = job_factory
        self.collect_result = collect_result
        self.dyn_poll_interval = dyn_poll_interval
        self.poll_interval = _FIRST_POLL_S
        self.workers: list[Worker | None] = [None] * self.parallelism
        """The worker in each slot."""
        self.loop = loop or EventLoop()
        self.phase = Phase.RUNNING
        self.lay_out: LayOut | None = None
        self._ahead = Ahead()
        self._look: Timer | None = None
        self._opening: Opening | None = None
        self._next_opening: Timer | None = None
        self._own_loop = loop is None
        self._afterwards = afterwards or (lambda: None)
        self._is_open = self._forgets = is_open
        self._data: dict[str, Any] = dag.vertex_data
        self._ready = _ready_queue(dag, priorities, needs or {})
        self._slots = Slots(self.parallelism)
        self._resources = Resources(self.parallelism, limits)
        self._admission = Admission(self._ready, self._resources, needs, in_order=in_order)
        self._needs = needs or {}
        self._delayed = 0
        """How many groups of vertices wait for their time to run once more."""
        self._timers: dict[int, Timer] = {}
        self._polled: set[int] = set()
        self._poll_timer: Timer | None = None

    @property
    def active_workers(self) -> int:
        """How many workers run."""
        return self._slots.busy

    @property
    def has_free_slots(self) -> bool:
        return bool(self._slots)

    @property
    def no_work_left(self) -> bool:
        """Whether nothing new is going to be started."""
        if self.phase is not Phase.RUNNING:
            return True
        is_all = self._ready.left == self.active_workers and not self._delayed
        return is_all and not self._is_open

    @no_work_left.setter
    def no_work_left(self, value: bool) -> None:
        if value:
            self.stop(Phase.DRAINING)

    @property
    def waiting(self) -> int:
        """How many vertices have not been started."""
        return self._ready.left - self.active_workers

    @property
    def limit(self) -> int:
        """For how many the running vertices may count together; may change at any time."""
        return self._resources.limit(PLACES)

    @limit.setter
    def limit(self, limit: int) -> None:
        self._admission.set_limit(PLACES, limit)
        while self._slots.count < limit:
            self._slots.add()
            self.workers.append(None)
            self.parallelism = len(self.workers)

    def open_slots_by(self, opening: Opening) -> None:
        """Open a slot a core, and more when *opening* says so, see `testloom.scheduling.opening`.

        To be called before anything has been started.
        """
        self._opening = opening
        self._slots.shut_all_but(opening.cores)

    def set_limit(self, name: str, limit: int) -> None:
        """Let there be *limit* of what needs call *name* from now on.

        Raises:
            UsageError: it is below 1.
        """
        self._admission.set_limit(name, limit)

    def add(
        self,
        uid: str,
        data: Any = None,
        predecessors: Iterable[str] = (),
        *,
        needs: Needs = ONE_PLACE,
        priority: float = 0.0,
    ) -> None:
        """Add a vertex, while others run or before; in the thread that runs the scheduler.

        Other threads ask that one by `testloom.processes.thread_calls.ThreadCalls`.  An open
        scheduler forgets vertices that have been collected, so none can follow them.

        Raises:
            ValueError: there is a vertex *uid* already.
            KeyError: a predecessor is not there.
            UsageError: it needs something that has no limit.
        """
        self._resources.check(uid, needs.amounts)
        self._ready.add(uid, predecessors, priority)
        self._admission.declare(uid, needs)
        self._data[uid] = data

    def discard(self, uid: str) -> bool:
        """Let vertex *uid* never start; those that follow it do as if it had run.

        Returns:
            False if it runs, has run, or is not known.
        """
        is_gone = self._admission.discard(uid)
        if is_gone:
            self._forget_vertex(uid)
        return is_gone

    def drop_waiting(self) -> list[str]:
        """Let the vertices that wait for others never start; return them.

        What could start now, if there were slots, still will.
        """
        return self._ready.drop_waiting()

    def close(self) -> None:
        """Wait for no more work: an open scheduler ends when all it has is done."""
        self._is_open = False

    def run(self) -> None:
        """Run everything; return when the last worker has ended.

        If *job_factory* or *collect_result* raises, what runs is killed and waited for first.
        """
        try:
            with interrupting(self.loop):
                try:
                    while self.step():
                        pass
                except BaseException:
                    self.kill_all()
                    raise
        finally:
            if self._own_loop:
                self.loop.close()

    def step(self, *, wait: bool = True) -> bool:
        """Fill the free slots, then wait for something to happen; False once all is done.

        Without *wait* it takes notice of what has happened and returns: another loop waits for
        ``loop.fileno()`` and until ``loop.due()``, see `testloom.scheduling.driving`.
        """
        self._fill()
        self._afterwards()
        if self._is_over():
            return False
        if wait and self._ahead and self.phase is Phase.RUNNING:
            self.loop.rest(self._ahead.rest_s)
        self.loop.run_once(wait=wait)
        if wait:
            return True
        self._fill()  # nobody would wake us for that
        self._afterwards()
        return not self._is_over()

    def _is_over(self) -> bool:
        if self._slots.busy:
            return False
        if self.phase is not Phase.RUNNING:
            return True
        if self._ready.left:
            if not self._slots.count:
                raise WorkersCannotStart("no slot is left: what ran in them cannot be ended")
            raise InternalError(f"{self._ready.left} vertices are neither ready nor running")
        return not (self._is_open or self._delayed)

    def poll(self) -> bool:
        """Do as `step`."""
        return self.step()

    def kill_all(self) -> None:
        """Kill what runs, and wait until it has ended without collecting it."""
        self.stop(Phase.KILLING)
        self._see_them_end()

    def stop(self, phase: Phase) -> None:
        """Move towards the end, as far as *phase* says."""
        if phase <= self.phase:
            return
        self.phase = phase
        for slot in self._ahead.slots():
            self._take_back(slot)
        for worker in list(filter(None, self.workers)):
            self._stop_worker(worker)

    def _stop_worker(self, worker: Worker) -> None:
        if self._has_gone_on(worker.slot):
            return  # it has ended; what its slot has gone on with is stopped when we hear of that
        if self.phase is Phase.TERMINATING:
            worker.stopped = True
            self.terminate(worker)
        elif self.phase is Phase.KILLING:
            worker.stopped = True
            worker.kill()

    def spawn_worker(self, uid: str, data: Any, slot: int) -> None:
        """Start the worker of vertex *uid* in *slot*, which has been taken."""
        try:
            worker = self.job_factory(uid, data, slot)
        except BaseException:
            self._slots.give_back(slot)
            self._admission.ended(uid)
            raise
        self.workers[slot] = worker
        if self.lay_out is not None:
            self._ahead.began(slot, self.loop.now())
        if worker.timeout_s is not None:
            self._timers[slot] = self.loop.call_at(
                self.loop.now() + worker.timeout_s, lambda: self._time_out(worker)
            )
        is_watched = False
        try:
            is_watched = worker.watch(self.loop, lambda: self._ended(worker))
        finally:
            if not is_watched:
                self._polled.add(slot)
                self._poll_later()

    def release_worker(self, slot: int) -> None:
        """Free *slot*."""
        self._forget(slot)
        self._slots.give_back(slot)

    def _forget(self, slot: int) -> None:
        self.workers[slot] = None
        timer = self._timers.pop(slot, None)
        if timer is not None:
            timer.cancel()

    def continues(self, uid: str) -> bool:
        """Tell whether the same worker is going to be given the next fragment of the test."""
        return self._ready.continues(uid)

    def retry(self, worker: Worker) -> None:
        """Give up *worker*, which did not get to run, and let its vertex be ready again."""
        self.release_worker(worker.slot)
        self._admission.put_back(worker.uid)

    def again(self, follows: Mapping[str, Iterable[str]], *, after_s: float = 0.0) -> None:
        """Run vertices that have ended once more, at the earliest in *after_s* seconds.

        *follows* has their uids, and which of each other they follow.
        """

        def ready() -> None:
            self._delayed -= 1
            for uid in follows:
                self._admission.declare(uid, self._needs.get(uid, ONE_PLACE))
            self._ready.again(follows)

        self._delayed += 1
        if after_s > 0:
            self.loop.call_at(self.loop.now() + after_s, ready)
        else:
            ready()

    def _fill(self) -> None:
        self._start_ready()
        if self._slots.shut and self._next_opening is None and self._ready:
            self._open_later()
        if self.lay_out is None or self.phase is not Phase.RUNNING:
            return
        if self._ahead and not self._admission.has_more_than(self._slots.opened):
            # What is left is better started in its order, wherever there is a slot.
            for slot in self._ahead.slots():
                self._take_back(slot)
            self._start_ready()
        elif depth := self._ahead.depth:
            self._look_ahead(self.lay_out, depth)

    def _start_ready(self) -> None:
        while self._slots and self.phase is Phase.RUNNING:
            uid = self._admission.take()
            if uid is None:
                return
            self.spawn_worker(uid, self._data[uid], self._slots.take())

    def _open_later(self) -> None:
        """See in a while whether more slots are worth it."""
        if self._opening is not None and self.phase is Phase.RUNNING:
            due = self.loop.now() + self._opening.wait_s
            self._next_opening = self.loop.call_at(due, self._open_more)

    def _open_more(self) -> None:
        self._next_opening = None
        if self._opening is not None and self._opening.look(self.loop.now(), cores_idle_s()):
            self._slots.open(self._slots.opened)

    def _look_ahead(self, who: LayOut, depth: int) -> None:
        """Lay *depth* units out for slots that have begun with one, if there are enough for all."""
        while (slot := self._ahead.next_bare()) is not None:
            worker = self.workers[slot]
            if worker is None:
                continue
            uid = self._ahead.last(slot) or worker.uid
            for count in range(self._ahead.count(slot), depth):
                # A slot stays with a test whose next fragment follows at once.
                is_bound = self._ready.continues(uid)
                if is_bound or not self._admission.has_more_than((count + 2) * self._slots.opened):
                    break
                uid = self._ready.take()
                if not who.lay_out(uid, self._data[uid], slot):
                    self._ready.put_back(uid)
                    break
                self._ahead.note(slot, uid)
        if self._look is None and self._ahead:
            self._look = self.loop.call_at(self.loop.now() + PATIENCE_S, self._look_after)

    def _look_after(self) -> None:
        """Take back what has waited for too long."""
        self._look = None
        for slot in self._ahead.overdue(self.loop.now()):
            self._take_back(slot)
        if self._ahead:
            self._look = self.loop.call_at(self.loop.now() + PATIENCE_S, self._look_after)

    def _take_back(self, slot: int) -> bool:
        """Let what is laid out for *slot* be ready again; False if it has begun with some of it."""
        if self.lay_out is None:
            return True
        begun = self.lay_out.take_back(slot)
        self._be_ready(self._ahead.keep(slot, begun))
        return not begun

    def _be_ready(self, uids: Iterable[str]) -> None:
        for uid in uids:
            self._ready.put_back(uid)

    def _has_gone_on(self, slot: int) -> bool:
        """Tell whether *slot* has begun with what was laid out; what it has not is taken back."""
        return self._ahead.count(slot) > 0 and not self._take_back(slot)

    def _ended(self, worker: Worker) -> None:
        """Collect *worker* and start what continues it where it ran."""
        slot, uid = worker.slot, worker.uid
        self._forget(slot)
        if self._opening is not None:
            self._opening.unit_ended()
        if self.lay_out is not None:
            self._ahead.ended(slot, self.loop.now())
            self._be_ready(self._ahead.keep(slot, self.lay_out.laid_out(slot)))
        heir = self._ready.done(uid)
        self._admission.ended(uid, heir)
        self._forget_vertex(uid)
        try:
            self.collect_result(worker)
        except BaseException:
            self._slots.give_back(slot)
            raise
        if worker.slot_lost:
            self._slots.retire(slot)
            if heir is not None:
                self._admission.put_back(heir)
        elif heir is None:
            self._go_on(slot)
        elif self.phase is Phase.RUNNING:
            self.spawn_worker(heir, self._data[heir], slot)
        else:
            self._slots.give_back(slot)

    def _go_on(self, slot: int) -> None:
        """Let *slot* go on with what was laid out for it; if the run ends, only if it has already."""
        is_over = self.phase is not Phase.RUNNING
        if not self._ahead.count(slot) or (is_over and self._take_back(slot)):
            self._slots.give_back(slot)
            return
        uid = self._ahead.take(slot)
        self._admission.begin(uid)
        self.spawn_worker(uid, self._data[uid], slot)
        worker = self.workers[slot]
        if is_over and worker is not None:
            self._stop_worker(worker)

    def _forget_vertex(self, uid: str) -> None:
        if self._forgets:
            self._ready.forget(uid)
            del self._data[uid]

    def _time_out(self, worker: Worker) -> None:
        if self.workers[worker.slot] is worker and not self._has_gone_on(worker.slot):
            worker.timed_out = True
            self.terminate(worker)

    def terminate(self, worker: Worker) -> None:
        """Ask *worker* to end, and kill it when its grace is over; it is collected as usual."""
        worker.terminate()
        old = self._timers.pop(worker.slot, None)
        if old is not None:
            old.cancel()
        self._timers[worker.slot] = self.loop.call_at(self.loop.now() + worker.grace_s, worker.kill)

    def _see_them_end(self) -> None:
        """Wait for the workers that were killed, without collecting them."""
        self.collect_result = lambda _worker: None
        while any(worker is not None for worker in self.workers):
            try:
                self.loop.run_once()
            except Exception:
                logger.exception("while workers were ended because of another exception")

    def _poll_later(self) -> None:
        if self._poll_timer is None:
            due = self.loop.now() + self.poll_interval
            self._poll_timer = self.loop.call_at(due, self._poll_foreign)

    def _poll_foreign(self) -> None:
        """Ask the workers that nothing can be waited for on."""
        self._poll_timer = None
        ended = 0
        for slot in sorted(self._polled):
            worker = self.workers[slot]
            if worker is not None and not self._runs(worker):
                self._polled.discard(slot)
                ended += 1
                self._ended(worker)
        if self.dyn_poll_interval:
            scans = 1 if ended else 9
            self.poll_interval = compute_next_dyn_poll(scans, self.poll_interval)
        if self._polled:
            self._poll_later()

    def _runs(self, worker: Worker) -> bool:
        try:
            return worker.poll(self)
        except BaseException:
            # Nobody can tell when it ends, so it is not waited for.
            self._polled.discard(worker.slot)
            worker.kill()
            self.release_worker(worker.slot)
            raise


def compute_next_dyn_poll(poll_counter: int, poll_interval: float) -> float:
    """Return the interval (seconds) to use next, after *poll_counter* scans found nothing.

    More than eight scans: a quarter longer, up to a second. Less: a quarter shorter, down to
    a tenth of a millisecond.
    """
    if poll_counter > 8:
        return poll_interval * 1.25 if poll_interval < 1.0 else poll_interval
    return poll_interval * 0.75 if poll_interval > 0.0001 else poll_interval


def available_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0)) or 1
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _ready_queue(
    dag: DAG, priorities: Mapping[str, float] | None, needs: Mapping[str, Needs]
) -> ReadyQueue:
    predecessors = dict(dag.vertex_predecessors_items())
    # Only what needs the same can go on in the same place.
    groups = {
        uid: (id(data.driver), needs.get(uid, ONE_PLACE)) if needs else id(data.driver)
        for uid, data in dag.vertex_data.items()
        if getattr(data, "driver", None) is not None
    }
    try:
        return ReadyQueue(predecessors, groups=groups, priorities=priorities)
    except KeyError as error:
        name = error.args[0]
        raise UsageError(
            f"a fragment depends on {name!r}, which does not exist{nearest(name, predecessors)}"
        ) from None


__all__ = ["CycleError", "MultiprocessScheduler", "Phase", "Worker", "compute_next_dyn_poll"]
