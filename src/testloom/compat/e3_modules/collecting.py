"""What the ends of fragments mean to suites of e3-testsuite, where that differs."""

from __future__ import annotations

import sys

from testloom.model import reason, records
from testloom.model.log import Log
from testloom.model.outcome import Exited, Killed, headline
from testloom.model.result import TestResult
from testloom.model.status import FailureReason, TestStatus
from testloom.suite.attempts import Retrying
from testloom.suite.collect import Collector, Finished, Sink
from testloom.suite.planning import Plan, PlannedTest


class E3Collector(Collector):
    """Turns fragments that have ended into results.

    A test that pushes nothing leaves no trace; a fragment whose process died is called
    ``UID__internalerror``; each fragment that did not get to run is a SKIP of its own.
    """

    def __init__(
        self, plan: Plan, sink: Sink, *, started_at: float, retrying: Retrying | None = None
    ) -> None:
        super().__init__(plan, sink, started_at=started_at, retrying=retrying)
        self._ran: set[str] = set()
        """The fragments that have ended."""

    def collect(self, worker: Finished) -> PlannedTest:
        """Take a fragment that has ended, and show what it printed."""
        if worker.output:
            sys.stderr.write(worker.output.decode("utf-8", "backslashreplace"))
        self._ran.add(worker.uid)
        return super().collect(worker)

    def add_not_run(self, why: str) -> None:
        """Give each fragment that did not run a result that says so."""
        for uid, test in self._plan.owners.items():
            if uid not in self._ran:
                result = TestResult(uid, status=TestStatus.SKIP, msg=why)
                result.reason = reason.INTERRUPTED if test.started else reason.RUN_ABORTED
                result.failure_reasons = {FailureReason.NOT_RUN}
                self._add(test, uid, records.encode(result), None, rename=True)
        self._keep(self._taken(), settles=False)

    def _no_result(self, test: PlannedTest, worker: Finished) -> None:
        """Do nothing: suites have tests that only prepare something for others."""

    def _died(self, test: PlannedTest, worker: Finished, how: Exited | Killed, note: str) -> None:
        for data in worker.results:
            self._add(test, worker.uid, data, worker)
        result = TestResult(f"{worker.uid}__internalerror", status=TestStatus.ERROR)
        result.msg = "Worker process stopped with an error"
        result.reason = (
            reason.crash(how.signal) if isinstance(how, Killed) else reason.exited(how.code)
        )
        result.failure_reasons = {FailureReason.CRASH}
        tail = f" ({note})" if note else ""
        output = worker.output.decode("utf-8", "backslashreplace")
        result.log = Log(f"{headline(how)}{tail}\n{output}")
        self._add(test, worker.uid, records.encode(result), worker, rename=True)
