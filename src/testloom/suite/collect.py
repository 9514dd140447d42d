"""Turns fragments that have ended into results: one place decides what an ending means.

Whatever ends a fragment, each test gets at least one result, each name one final result, and a
test is never a PASS once we or the system have ended its process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from testloom.model import reason, records
from testloom.model.attempts import with_earlier
from testloom.model.log import Log
from testloom.model.outcome import (
    OUT_OF_MEMORY,
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.model.result import ResultHead, TestResult
from testloom.model.status import PASSING_STATUSES, FailureReason, TestStatus, signal_name
from testloom.model.summary import ResultEntry
from testloom.model.test import BrokenTest
from testloom.suite.attempts import Attempts, Made, Retrying
from testloom.suite.planning import Plan, PlannedTest
from testloom.suite.quarantine import Quarantine
from testloom.suite.retries import Again, Counts


class Finished(Protocol):
    """A worker that has ended."""

    uid: str
    slot: int
    end: FragmentEnd | None
    results: list[bytes]
    output: bytes
    wall_s: float
    cpu_s: float
    started_at: float


class Sink(Protocol):
    """Makes results durable, and tells everybody."""

    def keep(self, entry: ResultEntry, record: bytes, *, settles: bool) -> None:
        """Take a result that counts; its place may be given to it later.

        The last one of a test all of whose fragments have ended *settles* it.
        """

    def tried(self, entry: ResultEntry, record: bytes) -> ResultEntry:
        """Take a result that does not count, because its test runs again; return it with its place."""

    def settled(self, test: str) -> None:
        """All fragments of *test* have ended, and the last ones had no result."""


class Collector:
    """The results of a run, as they come in."""

    def __init__(
        self, plan: Plan, sink: Sink, *, started_at: float, retrying: Retrying | None = None
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._retrying = retrying
        self._run_started_at = started_at
        self.entries: list[ResultEntry] = []
        self.bad = 0
        """How many results are failures or errors."""
        self.bad_in_a_row = 0
        self.left_behind: dict[str, str] = {}
        """Uid of each fragment that left something behind -> what."""
        self._sources: dict[str, str] = {}
        """Name of each result -> uid of the fragment that pushed it."""
        self._again: dict[str, int] = {}
        """How often a name was made unique."""
        self.quarantine: Quarantine | None = None
        """Whose failures do not count."""
        self._made: list[Made] = []
        """Results that nobody has been told of yet."""

    def add_broken(self, broken: BrokenTest) -> None:
        """A test that could not even be planned."""
        result = TestResult(broken.test_name, status=TestStatus.ERROR)
        result.msg = broken.message
        result.reason = broken.reason
        result.log = Log(broken.log)
        place = self._plan.places.get(broken.test_name)
        test = place or PlannedTest(broken.test_name, "", "", 1, ())
        self._add(test, f"{broken.test_name}.add_test", records.encode(result), None)
        self._keep(self._taken(), settles=True)

    def take_over(self, entries: Iterable[ResultEntry]) -> None:
        """Let results of the run that is resumed, which are kept already, count here."""
        found = list(entries)
        self.entries += found
        self._sources.update((entry.name, "the run that is resumed") for entry in found)

    def add_pushed(self, driver: Any, test: PlannedTest) -> None:
        """What a driver pushed before any of its fragments ran."""
        for item in driver.result_queue:
            self._add(test, f"{test.name}.add_test", records.encode(item.result), None)
        driver.result_queue = []
        self._keep(self._taken(), settles=False)

    def collect(self, worker: Finished) -> PlannedTest:
        """Take a fragment that has ended; return its test."""
        test = self._plan.owners[worker.uid]
        test.left -= 1
        test.wall_s += worker.wall_s
        test.cpu_s += worker.cpu_s
        end = worker.end
        if type(end) is Returned and not (end.raised or end.unpicklable or end.leaks):
            for data in worker.results:
                self._add(test, worker.uid, data, worker)
        else:
            self._collect_odd(test, worker)
        if test.left == 0 and test.results == 0:
            self._no_result(test, worker)
        made = self._taken()
        if test.attempts is not None:
            test.attempts.held += made
            if test.left == 0:
                self._decide(test, test.attempts)
        elif test.left == 0 and not made:
            self._sink.settled(test.name)
        else:
            self._keep(made, settles=test.left == 0)
        return test

    def add_not_run(self, why: str) -> None:
        """Give each test that has no result one that says that it did not run."""
        for test in self._plan.tests.values():
            attempts = test.attempts
            if attempts is not None and attempts.held:
                self._keep_last(attempts, attempts.held, settles=False)
            elif test.results == 0:
                result = TestResult(test.name, status=TestStatus.SKIP)
                result.msg = why
                result.reason = reason.INTERRUPTED if test.started else reason.RUN_ABORTED
                result.failure_reasons = {FailureReason.NOT_RUN}
                self._add(test, test.name, records.encode(result), None)
                earlier = [] if attempts is None else attempts.earlier
                self._keep(self._taken(), settles=False, earlier=earlier)

    def _decide(self, test: PlannedTest, attempts: Attempts) -> None:
        """All fragments of *test* have ended: let its results count, or let it run again."""
        assert self._retrying is not None
        match self._retrying.decide(attempts):
            case Again() as again:
                attempts.next = again
                self._try(attempts)
                self._start_over(test, attempts)
            case Counts.WORST if attempts.worst and not _is_bad(attempts.held):
                self._try(attempts)
                self._keep_last(attempts, attempts.worst, settles=True)
            case _:
                self._keep_last(attempts, attempts.held, settles=True)

    def _try(self, attempts: Attempts) -> None:
        """The results of an attempt do not count."""
        assert self._retrying is not None
        if _is_bad(attempts.held) or self._retrying.keeps_all:
            attempts.earlier += [self._sink.tried(entry, data) for entry, data in attempts.held]
        if _is_bad(attempts.held):
            attempts.worst = attempts.held
        for entry, _ in attempts.held:
            del self._sources[entry.name]
            self._again.pop(entry.name.rpartition("__except")[0], None)
        attempts.held = []

    def _start_over(self, test: PlannedTest, attempts: Attempts) -> None:
        attempts.number += 1
        test.left = len(attempts.follows)
        test.results = 0
        test.wall_s = test.cpu_s = 0.0

    def _keep_last(self, attempts: Attempts, made: list[Made], *, settles: bool) -> None:
        """The results of an attempt count, and there is no further one."""
        self._keep(made, settles=settles, earlier=attempts.earlier)
        attempts.held, attempts.worst = [], []

    def _taken(self) -> list[Made]:
        made, self._made = self._made, []
        return made

    def _keep(
        self, made: Sequence[Made], *, settles: bool, earlier: Sequence[ResultEntry] = ()
    ) -> None:
        """Let results count; the last one of them *settles* its test, or does not."""
        if self.quarantine is not None:
            made = [self.quarantine.pardoned(one) for one in made]
        entries = [entry for entry, _ in made]
        if earlier and entries:
            entries = with_earlier(entries, earlier)
        last = len(made) - 1
        for at, entry in enumerate(entries):
            if entry.status.is_bad:
                self.bad += 1
                self.bad_in_a_row += 1
            else:
                self.bad_in_a_row = 0
            self._sink.keep(entry, made[at][1], settles=settles and at == last)
            self.entries.append(entry)

    def _collect_odd(self, test: PlannedTest, worker: Finished) -> None:
        """A fragment that did not just return."""
        end = worker.end
        match end:
            case Returned():
                for data in worker.results:
                    self._add(test, worker.uid, data, worker)
                self._add_remarks(test, worker, end)
            case WorkerDied(how):
                self._died(test, worker, how, end.note)
            case FragmentTimedOut(after_s, ignored_term):
                message = f"timed out after {after_s:g} s"
                if ignored_term:
                    message += ", SIGTERM ignored, killed"
                family = FailureReason.TIMEOUT
                self._end_badly(test, worker, TestStatus.FAIL, reason.TIMEOUT, message, family)
            case Stopped(why):
                family = FailureReason.NOT_RUN
                self._end_badly(test, worker, TestStatus.SKIP, reason.INTERRUPTED, why, family)
            case WorkerLost(why):
                family = FailureReason.WORKER_LOST
                self._end_badly(test, worker, TestStatus.ERROR, reason.WORKER_LOST, why, family)
            case None:
                raise AssertionError(f"{worker.uid} was collected before it ended")

    def _add_remarks(self, test: PlannedTest, worker: Finished, end: Returned) -> None:
        left = [what for what in end.leaks if what.startswith(_LEFT_BEHIND)]
        if left:
            self.left_behind[worker.uid] = ", ".join(left)
        if end.raised:
            result = TestResult(worker.uid, status=TestStatus.ERROR)
            result.reason = reason.EXCEPTION
            result.log = Log(end.raised + _output_of(worker))
            self._add(test, worker.uid, records.encode(result), worker, rename=True)
        elif end.unpicklable:
            result = TestResult(worker.uid, status=TestStatus.ERROR)
            result.msg = f"what it returned cannot be sent to its successors: {end.unpicklable}"
            result.reason = reason.UNPICKLABLE
            self._add(test, worker.uid, records.encode(result), worker, rename=True)

    def _no_result(self, test: PlannedTest, worker: Finished) -> None:
        """All fragments of *test* have ended, and none pushed anything."""
        self._add_ours(test, worker, TestStatus.ERROR, reason.NO_RESULT, _NO_RESULT)

    def _died(self, test: PlannedTest, worker: Finished, how: Exited | Killed, note: str) -> None:
        """The process that ran the fragment ended by itself."""
        status, why, family, message = _of_death(worker.uid, how, note)
        self._end_badly(test, worker, status, why, message, family)

    def _end_badly(
        self,
        test: PlannedTest,
        worker: Finished,
        status: TestStatus,
        why: str,
        message: str,
        family: FailureReason,
    ) -> None:
        """The fragment was ended: keep what it had pushed, but no PASS of the test itself."""
        taken_back = ""
        for data in worker.results:
            head = _head(data)
            if head.name == test.name and TestStatus[head.status] in PASSING_STATUSES:
                taken_back = f"It had pushed {head.status} before.\n"
            else:
                self._add(test, worker.uid, data, worker)
        name = test.name if test.name not in self._sources else worker.uid
        result = TestResult(name, status=status)
        result.msg = message
        result.reason = why
        result.failure_reasons = {family}
        result.log = Log(taken_back + _output_of(worker))
        self._add(test, worker.uid, records.encode(result), worker, rename=True)

    def _add_ours(
        self, test: PlannedTest, worker: Finished | None, status: TestStatus, why: str, message: str
    ) -> None:
        result = TestResult(test.name, status=status)
        result.msg = message
        result.reason = why
        if why == reason.NO_RESULT:
            result.failure_reasons = {FailureReason.NO_RESULT}
        if worker is not None:
            result.log = Log(_output_of(worker))
        self._add(test, test.name, records.encode(result), worker, rename=True)

    def _add(
        self,
        test: PlannedTest,
        uid: str,
        data: bytes,
        worker: Finished | None,
        *,
        rename: bool = False,
    ) -> None:
        """Make *data* a result of *test*; its name is made unique, or reported if it is not."""
        head = _head(data)
        if head.name in self._sources:
            if rename:
                head, data = _renamed(data, self._free_name(head.name))
            else:
                head, data = self._duplicate(head, uid, data)
        self._sources[head.name] = uid
        status = TestStatus[head.status]
        if worker is None or head.name == test.name:
            wall_s, cpu_s = test.wall_s, test.cpu_s
        else:  # one of several: the test's own result has the time of the whole
            wall_s, cpu_s = worker.wall_s, worker.cpu_s
        entry = ResultEntry(
            name=head.name,
            test=test.name,
            status=status,
            message=head.msg or "",
            reason=head.reason,
            failure_reasons=tuple(head.failure_reasons),
            time_s=wall_s if head.time is None else head.time,
            cpu_s=cpu_s,
            memory_bytes=head.memory_bytes,
            slot=-1 if worker is None else worker.slot,
            started_s=0.0 if worker is None else worker.started_at - self._run_started_at,
            driver=test.driver,
            source=test.source,
            line=test.line,
            tags=test.tags,
            info=head.info,
            attempt=1 if test.attempts is None else test.attempts.number,
            max_attempts=1 if test.attempts is None else test.attempts.max_attempts,
        )
        test.results += 1
        if "leak" in head.info:
            self.left_behind[uid] = head.info["leak"]
        self._made.append((entry, data))

    def _duplicate(self, head: ResultHead, uid: str, data: bytes) -> tuple[ResultHead, bytes]:
        """Return the ERROR that stands for a second result of the same name."""
        result = TestResult(self._free_name(head.name), status=TestStatus.ERROR)
        result.msg = f"cannot push twice results for {head.name}"
        result.reason = reason.DUPLICATE_RESULT
        second = records.decode(data)
        result.log = Log(
            f"The first one was pushed by fragment {self._sources[head.name]},\n"
            f"the second one by fragment {uid}: {head.status} {head.msg or ''}\n{second.log}"
        )
        encoded = records.encode(result)
        return _head(encoded), encoded

    def _free_name(self, name: str) -> str:
        number = self._again.get(name, 0) + 1
        while f"{name}__except{number}" in self._sources:
            number += 1
        self._again[name] = number
        return f"{name}__except{number}"


def _is_bad(made: Sequence[Made]) -> bool:
    return any(entry.status.is_bad for entry, _ in made)


_LEFT_BEHIND = ("processes", "threads", "descriptors")
"""What of a worker's remarks is worth telling; the rest was put back silently."""
_NO_RESULT = "the test ended without a result; its driver has to call push_result"


def _head(data: bytes) -> ResultHead:
    try:
        head = records.decode_head(data)
        if head.status in TestStatus.__members__:
            return head
        why = f"unknown status {head.status!r}"
    except msgspec.MsgspecError as error:
        why = str(error)
    return ResultHead(
        name="?", status="ERROR", msg=f"a worker sent a malformed result: {why}", reason="protocol"
    )


def _renamed(data: bytes, name: str) -> tuple[ResultHead, bytes]:
    record = records.decode(data)
    result = records.result_of(record)
    result.test_name = name
    encoded = records.encode(result)
    return _head(encoded), encoded


def _output_of(worker: Finished) -> str:
    if not worker.output:
        return ""
    output = worker.output.decode("utf-8", "backslashreplace")
    return "Output of the worker:\n" + _OWN_FRAMES.sub("", output)


_OWN_FRAMES = re.compile(
    r'(?m)^  File "[^"\n]*/testloom/workers/running\.py", line \d+ in call\n(?:  File .*\n)*'
)
"""Where in a stack written by `faulthandler` the driver ends and the worker begins."""


def _of_death(
    uid: str, how: Exited | Killed, note: str
) -> tuple[TestStatus, str, FailureReason, str]:
    tail = f" ({note})" if note else ""
    match how:
        case Exited(0):
            message = f"the worker exited with status 0 while running {uid}{tail}"
            return TestStatus.ERROR, reason.EXIT_BEFORE_RESULT, FailureReason.CRASH, message
        case Exited(code):
            message = f"the worker exited with status {code} while running {uid}{tail}"
            return TestStatus.ERROR, reason.exited(code), FailureReason.CRASH, message
        case Killed() if note == OUT_OF_MEMORY:
            message = f"{note}, while running {uid}"
            return TestStatus.ERROR, reason.OOM, FailureReason.CRASH, message
        case Killed(signum):
            message = f"{signal_name(signum)} while running {uid}{tail}"
            return TestStatus.ERROR, reason.crash(signum), FailureReason.CRASH, message
