"""The run: from a plan to results in the journal. Reads from top to bottom.

Everything happens in one thread and one event loop: workers end, deadlines pass, signals come.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from testloom.journal.format import JournalError
from testloom.journal.writer import JournalWriter
from testloom.model.attempts import all_with_earlier
from testloom.model.errors import WorkersCannotStart
from testloom.model.events import RunListener
from testloom.model.names import shown_line
from testloom.model.outcome import OUT_OF_MEMORY, Killed, WorkerDied
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes import signals
from testloom.processes.keys import Keys
from testloom.processes.loop import EventLoop, Timer
from testloom.processes.memory import MemoryWatch
from testloom.scheduling import MultiprocessScheduler, Phase, available_cores
from testloom.scheduling.opening import Opening
from testloom.scheduling.worker import Worker
from testloom.suite.attempts import Attempts, Retrying, set_aside
from testloom.suite.carrying import Carry
from testloom.suite.collect import Collector
from testloom.suite.planning import Plan
from testloom.suite.quarantine import Quarantine
from testloom.suite.retries import RetryPolicy
from testloom.suite.state import state_lines
from testloom.suite.stopping import Limits, StopPolicy
from testloom.workers.making import Workers, WorkerSettings, make_workers

_SYNC_S = 1.0
_LEAKS_SHOWN = 5
_KILLED = WorkerDied(Killed(signal.SIGKILL))
"""By the kernel, or by somebody outside: what we kill has a note."""


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[RunListener]) -> None:
        self._all = listeners

    def __getattr__(self, name: str) -> Callable[..., Any]:
        methods: list[Callable[..., Any]] = [getattr(listener, name) for listener in self._all]
        if len(methods) == 1:
            setattr(self, name, methods[0])
            return methods[0]

        def call(*args: Any, **named: Any) -> None:
            for method in methods:
                method(*args, **named)

        setattr(self, name, call)
        return call

    def refresh(self, now: float) -> float | None:
        """Refresh all; return the earliest instant at which one wants to be called again."""
        due = [at for at in (listener.refresh(now) for listener in self._all) if at is not None]
        return min(due, default=None)


class RunOutcome(msgspec.Struct, kw_only=True):
    """What a run came to, before anything is made of it."""

    entries: list[ResultEntry]
    duration_s: float
    stopped: str = ""
    """Why it ended before everything had run, else empty."""
    signum: int = 0
    """The signal that asked for that, if one did."""
    broken_down: str = ""
    """What made it impossible to go on, else empty: exit 3."""
    notes: tuple[str, ...] = ()
    """What people should know besides, one line each."""


@contextlib.contextmanager
def executed(
    plan: Plan,
    *,
    info: RunInfo,
    env: Any,
    settings: WorkerSettings,
    limits: Limits,
    journal: JournalWriter,
    listeners: Listeners,
    reader_gone: Callable[[], bool] = lambda: False,
    collector: type[Collector] = Collector,
    retrying: Retrying | None = None,
    carry: Carry | None = None,
    quarantine: Quarantine | None = None,
    priorities: Mapping[str, float] | None = None,
    takes_keys: bool = False,
) -> Iterator[RunOutcome]:
    """Run *plan*; give what came of it once every result is in *journal*.

    The processes that the tests ran in are being ended then, which takes some milliseconds; they
    have gone when the block ends.

    *collector* decides what the ends of fragments mean, *retrying* which tests run again; *carry*
    is what to take over from another run, *priorities* which fragments come first, and failures
    in *quarantine* do not count.  If it *takes_keys*, those of the terminal mean something.
    """
    loop = EventLoop()
    run = _Run(
        plan, info, loop, journal, listeners, limits, reader_gone, collector, retrying, priorities
    )
    # What runs in this process is stopped with it, and shows where it is, at once.
    others = () if settings.in_process else (signals.SUSPEND, signals.TELL)
    wanted = (*signals.STOPPING, *others)
    with contextlib.ExitStack() as stack:
        stack.callback(loop.close)
        with contextlib.ExitStack() as while_it_runs:
            while_it_runs.callback(run.keys.end)
            while_it_runs.enter_context(signals.told_to(loop, run.signalled, wanted))
            workers = run.make_workers(env, settings)
            stack.callback(_close, workers)
            while_it_runs.callback(workers.dismiss)
            run.pardon(quarantine)
            run.begin()
            if takes_keys and not settings.in_process:  # which may ask people itself
                run.take_keys()
            if carry is not None:
                run.take_over(carry)
            run.go_on()
            outcome = run.end()
        yield outcome


def _close(workers: Workers) -> None:
    with signals.held():  # or who interrupts this would leave something behind
        workers.close()


class _Run:
    """A run while it goes on: what happens when a fragment starts, ends, or a signal comes."""

    def __init__(
        self,
        plan: Plan,
        info: RunInfo,
        loop: EventLoop,
        journal: JournalWriter,
        listeners: Listeners,
        limits: Limits,
        reader_gone: Callable[[], bool],
        collector: type[Collector],
        retrying: Retrying | None,
        priorities: Mapping[str, float] | None,
    ) -> None:
        self._plan = plan
        self._info = info
        self._loop = loop
        self._journal = journal
        self._listeners = listeners
        self._reader_gone = reader_gone
        self._started_at = loop.now()
        self._policy = StopPolicy(limits)
        self._max_time_s = limits.max_time_s
        self._retrying = retrying or Retrying(RetryPolicy())
        self._repeatable = self._retrying.begin(plan)
        self._collector = collector(
            plan, self, started_at=self._started_at, retrying=self._retrying
        )
        self._memory = MemoryWatch()
        self.keys = Keys(loop, self._pressed)
        self._takes_keys = False
        self._broken_down = ""
        self._refresh: Timer | None = None
        self._scheduler = MultiprocessScheduler(
            plan.graph,
            self._start,
            self._collect,
            jobs=info.jobs,
            loop=loop,
            priorities=priorities,
            afterwards=self._slots_are_filled,
        )
        self._workers: Workers | None = None
        self._untold: collections.deque[tuple[Callable[..., Any], tuple[Any, ...]]]
        self._untold = collections.deque()
        """What has happened and is in no journal yet, in order; the slots come first."""

    def make_workers(self, env: Any, settings: WorkerSettings) -> Workers:
        """Make what fragments run in."""
        workers = self._workers = make_workers(
            settings,
            fragments=self._plan.fragments,
            predecessors=self._plan.graph.predecessors,
            loop=self._loop,
            env=env,
            continues=self._scheduler.continues,
            note=self._say,
            slots=self._info.jobs,
            repeatable=self._repeatable,
        )
        # Else one more test might run after the failure that is one too many.
        if not self._policy.counts_failures:
            self._scheduler.lay_out = workers.lays_out
        if settings.distributor is None and not settings.in_process:
            self._open_slots(available_cores())
        return workers

    def _open_slots(self, cores: int) -> None:
        """Open more slots than *cores* when they help; at once if there is one for each fragment."""
        if cores < self._info.jobs < len(self._plan.owners):
            self._scheduler.open_slots_by(Opening(cores))

    def begin(self) -> None:
        """Tell everybody; give the tests that cannot run their results."""
        now = self._loop.now()
        fragments = len(self._plan.owners)
        self._listeners.run_started(
            self._info, tests=len(self._plan.tests), fragments=fragments, now=now
        )
        for broken in self._plan.broken:
            self._collector.add_broken(broken)
        self._catch_up()
        self._refresh_now()
        self._loop.call_at(now + _SYNC_S, self._sync)
        if self._max_time_s is not None:
            self._loop.call_at(now + self._max_time_s, self._time_is_up)

    def pardon(self, quarantine: Quarantine | None) -> None:
        """Let failures in *quarantine* not count."""
        self._collector.quarantine = quarantine

    def take_over(self, carry: Carry) -> None:
        """Copy the results that need not come again; tell everybody."""
        try:
            counting, earlier = carry.into(self._journal)
        except OSError as error:
            self._break_down(f"what was to be carried over cannot be: {error}")
            return
        entries = all_with_earlier(counting, earlier)
        self._collector.take_over(entries)
        for test, found in earlier.items():
            if (attempts := self._plan.tests[test].attempts) is not None:
                attempts.earlier = found  # the same ones, where they are kept now
        for entry in entries:
            self._listeners.result_added(entry, self._journal.load)

    def go_on(self) -> None:
        """Run all fragments, or as many as are wanted."""
        try:
            self._scheduler.run()
        except WorkersCannotStart as error:
            self._broken_down = str(error)
        finally:
            self._catch_up()

    def end(self) -> RunOutcome:
        """Give those that did not run their results, and say what it all came to."""
        stopped = self._policy.why or self._broken_down
        self._collector.add_not_run("Testsuite aborted")
        self._catch_up()
        with contextlib.suppress(JournalError):
            self._journal.flush()
        return RunOutcome(
            entries=self._collector.entries,
            duration_s=self._loop.now() - self._started_at,
            stopped=stopped,
            signum=self._policy.signum,
            broken_down=self._broken_down,
            notes=(*self._retrying.notes, *_leak_notes(self._collector.left_behind)),
        )

    def signalled(self, signum: int) -> None:
        """A signal asks the run to stop for a while, or to end: politely at first, then less so."""
        if signum == signals.SUSPEND:
            self._suspend()
            return
        if signum == signals.TELL:
            self._tell_state()
            return
        if self._policy.signalled(signum):
            self._leave_at_once(signum)
        self._stop()

    def _time_is_up(self) -> None:
        self._policy.time_is_up()
        self._stop()

    def _tell_state(self) -> None:
        """Somebody wonders whether the run hangs."""
        assert self._workers is not None
        lines = state_lines(
            self._scheduler, self._workers, now=self._loop.now(), started_at=self._started_at
        )
        self._listeners.state(list(lines))

    def take_keys(self) -> None:
        """Let keys of the terminal mean something; it is given back in the end."""
        self._takes_keys = True
        self.keys.begin()

    def _pressed(self, key: str) -> None:
        if key == "t":
            self._tell_state()

    def _suspend(self) -> None:
        """Stop, with all that runs, until somebody wants us to go on; time stands still meanwhile."""
        assert self._workers is not None
        self._catch_up()
        self._workers.pause()
        self._listeners.pausing()
        self.keys.end()
        before = self._loop.now()
        signals.stop()
        now = self._loop.now()
        self._loop.put_off(now - before)
        self._workers.resume(now - before)
        if self._takes_keys:
            self.keys.begin()
        self._listeners.resumed(now)

    def _start(self, uid: str, data: Any, slot: int) -> Worker:
        assert self._workers is not None
        test = self._plan.owners[uid]
        test.started = True
        data.driver.execution_started = True
        attempt = 1 if test.attempts is None else test.attempts.number
        worker = self._workers.worker(uid, data, slot)
        at = worker.started_at
        self._later(self._tell_started, uid, test.name, data.name, slot, attempt, at)
        return worker

    def _collect(self, worker: Any) -> None:
        if worker.end == _KILLED and self._memory.happened():
            worker.end = msgspec.structs.replace(_KILLED, note=OUT_OF_MEMORY)
        test = self._collector.collect(worker)
        self._later(self._tell_ended, worker, test.name)
        if test.left == 0:
            self._forget(worker)
        elif test.attempts is not None and (again := test.attempts.take_next()):
            self._run_again(test.attempts, worker.driver, again.after_s)
        if self._policy.counted(self._collector.bad, self._collector.bad_in_a_row):
            self._stop()

    def _run_again(self, attempts: Attempts, driver: Any, after_s: float) -> None:
        """Let all fragments of a test run once more."""
        assert self._workers is not None
        set_aside(driver, attempts.number - 1)
        self._workers.again(attempts.follows)
        self._scheduler.again(attempts.follows, after_s=after_s)

    def _forget(self, worker: Any) -> None:
        """Let go of a driver none of whose fragments is left to run."""
        if worker.uid in self._repeatable:
            assert self._workers is not None
            self._workers.release(worker.driver.fragment_uids)
        for uid in worker.driver.fragment_uids:
            data = self._plan.fragments.get(uid)
            if data is not None:
                data.clear_driver_data()
        worker.driver = None

    # -- what is told later: first the slots get something to do -------------------------------

    def _later(self, tell: Callable[..., Any], *args: Any) -> None:
        self._untold.append((tell, args))

    def _slots_are_filled(self) -> None:
        self._catch_up()
        if self._reader_gone():  # only who tries to tell notices
            self._policy.reader_gone()
            self._stop()

    def _catch_up(self) -> None:
        """Write down and tell what has happened."""
        while self._untold:
            tell, args = self._untold.popleft()
            tell(*args)

    def _tell_started(
        self, uid: str, test: str, name: str, slot: int, attempt: int, at: float
    ) -> None:
        self._try(self._journal.fragment_started, uid, test, slot, attempt, at)
        self._listeners.fragment_started(uid, test, name, slot, at)

    def _tell_ended(self, worker: Any, test: str) -> None:
        uid, slot, end = worker.uid, worker.slot, type(worker.end).__name__
        self._try(self._journal.fragment_ended, uid, slot, end, worker.wall_s, worker.cpu_s)
        self._listeners.fragment_ended(uid, test, slot, self._loop.now())

    def _say(self, line: str) -> None:
        self._catch_up()
        self._listeners.said(line)

    def keep(self, entry: ResultEntry, record: bytes, *, settles: bool) -> None:
        """Have a result written to the journal, and everybody told then."""
        self._later(lambda: self._keep(entry, record, settles=settles))

    def _keep(self, entry: ResultEntry, record: bytes, *, settles: bool) -> None:
        place = self._try(lambda: self._journal.result(entry, record, settles=settles))
        msgspec.structs.force_setattr(entry, "place", place)  # nobody has seen it yet
        self._listeners.result_added(entry, self._journal.load)

    def tried(self, entry: ResultEntry, record: bytes) -> ResultEntry:
        """Write a result that does not count to the journal, then tell everybody."""
        self._catch_up()
        place = self._try(self._journal.attempt, entry, record)
        msgspec.structs.force_setattr(entry, "place", place)  # as above
        self._listeners.attempt_added(entry, self._journal.load)
        return entry

    def settled(self, test: str) -> None:
        """Have it written to the journal that a test has no fragment left."""
        self._later(self._try, self._journal.test_settled, test)

    def _stop(self) -> None:
        self._retrying.closed = True
        phase = self._policy.phase
        if phase is not None and phase > self._scheduler.phase:
            self._catch_up()
            self._listeners.stopping(self._policy.why, self._running)
            self._scheduler.stop(phase)

    @property
    def _running(self) -> int:
        """How many fragments run; the one that is being collected does not any more."""
        return sum(worker is not None for worker in self._scheduler.workers)

    def _leave_at_once(self, signum: int) -> None:
        """The third signal: end everything and this process."""
        self._catch_up()
        if self._workers is not None:
            self._workers.close()
        signals.die_by(signum)

    def _try(self, write: Callable[..., Any], *args: Any) -> Any:
        """Write to the journal; if that fails, let the run come to an end.

        Returns what *write* does; if it failed, where its record is all the same, or -1.
        """
        try:
            return write(*args)
        except JournalError as error:
            self._break_down(f"the results cannot be kept: {error}")
            return error.place

    def _break_down(self, why: str) -> None:
        """It makes no sense to go on: let what runs come to an end."""
        if not self._broken_down:
            self._broken_down = why
            self._retrying.closed = True
            self._listeners.stopping(why, self._running)
            self._scheduler.stop(Phase.DRAINING)

    def _refresh_now(self) -> None:
        due = self._listeners.refresh(self._loop.now())
        if due is not None:
            self._refresh = self._loop.call_at(due, self._refresh_now)

    def _sync(self) -> None:
        self._memory.happened()  # what did before now has nothing to do with later deaths
        self._try(self._journal.sync)
        self._loop.call_at(self._loop.now() + _SYNC_S, self._sync)


def _leak_notes(left_behind: Mapping[str, str]) -> Iterator[str]:
    """Say what was left behind and has been ended, without filling the screen."""
    for uid, what in itertools.islice(left_behind.items(), _LEAKS_SHOWN):
        yield f"leak: {shown_line(uid)} left behind: {shown_line(what)}"
    if len(left_behind) > _LEAKS_SHOWN:
        yield f"leak: {len(left_behind) - _LEAKS_SHOWN} more fragments left something behind"
