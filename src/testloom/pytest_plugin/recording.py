"""``--testloom-report``: a session of pytest as a run of testloom, with its journal and its reports.

What is written is read from pytest's own reports, so it makes no difference who ran the tests: pytest
alone, slots, or pytest-xdist.
"""

from __future__ import annotations

import os
import platform
import socket
from typing import Any

import msgspec
import pytest

from testloom import reports
from testloom.drivers.pytest_driver import log_of, verdict_of
from testloom.journal.format import JournalError, PlannedTest
from testloom.journal.rundir import RunDir, open_run_dir
from testloom.journal.writer import JournalWriter
from testloom.model import records
from testloom.model.errors import UsageError
from testloom.model.log import Log
from testloom.model.result import ResultRecord, TestResult
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes import own_fds
from testloom.processes.clock import SystemClock
from testloom.reports import ReportRequest
from testloom.suite.sources import commit_of


class Recording:
    """The hooks of a session that is to be recorded."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pid = os.getpid()
        """Forks of this process have other things to do."""
        self._clock = SystemClock()
        self._run_dir: RunDir | None = None
        self._journal: JournalWriter | None = None
        self._requests: tuple[ReportRequest, ...] = ()
        self._info: RunInfo | None = None
        self._begun_at = self._clock.now()
        self._reports: dict[str, list[Any]] = {}
        self._entries: list[ResultEntry] = []
        self._problems: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin the run: it is known now what is in it."""
        if session.config.option.collectonly or hasattr(session.config, "workerinput"):
            return
        try:
            self._open(session)
        except UsageError as error:
            raise pytest.UsageError(f"--testloom-report: {error}") from error

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a report until its test has ended."""
        if os.getpid() == self._pid and self._journal is not None:
            self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write down what came of a test."""
        some = self._reports.pop(nodeid, None)
        if some and os.getpid() == self._pid and self._journal is not None:
            self._keep(nodeid, some)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports; a session without them is not as it was asked for."""
        if os.getpid() != self._pid or self._journal is None or self._info is None:
            return
        for nodeid in list(self._reports):  # of tests that never finished
            self._keep(nodeid, self._reports.pop(nodeid))
        duration_s = self._clock.now() - self._begun_at
        info = RunInfo(
            **{
                **{name: getattr(self._info, name) for name in self._info.__slots__},
                "duration_s": duration_s,
            }
        )
        summary = Summary(run=info, entries=self._entries, load=self._journal.load)
        self._problems.extend(reports.write_reports(self._requests, summary))
        if self._problems and session.exitstatus in (0, 1):
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        self._journal.run_ended(duration_s=duration_s, exit_code=int(session.exitstatus))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the reports are, or why not."""
        if self._run_dir is None:
            return
        for problem in self._problems:
            terminalreporter.write_line(f"testloom: {problem}", red=True)
        for request in self._requests:
            place = request.target(self._run_dir.path, reports.BUILT_IN)
            terminalreporter.write_line(
                f"testloom: {request.format} report: {os.path.relpath(place)}"
            )

    def pytest_unconfigure(self) -> None:
        """Let go of the run's directory."""
        if os.getpid() == self._pid and self._journal is not None and self._run_dir is not None:
            own_fds.discard(self._journal.fileno())
            own_fds.discard(self._run_dir.fileno())
            self._journal.close()
            self._run_dir.close()
            self._journal = None

    def _open(self, session: pytest.Session) -> None:
        config = self._config
        requests = [reports.parse_request(text) for text in config.getoption("testloom_report")]
        run_dir = self._run_dir = open_run_dir(str(config.rootpath / "out"))
        reports.check_targets(requests, run_dir.path)
        self._requests = tuple(requests)
        slots = config.getoption("slots") or "1"
        commit, branch = commit_of(str(config.rootpath))
        self._info = RunInfo(
            commit=commit,
            branch=branch,
            run_id=run_dir.run_id,
            suite=config.rootpath.name,
            root=str(config.rootpath),
            output_dir=run_dir.path,
            command=("pytest", *map(str, config.invocation_params.args)),
            jobs=int(slots) if slots.isdecimal() else os.cpu_count() or 1,
            started_at=self._clock.wall(),
            host=socket.gethostname(),
            platform=f"{platform.system()}-{platform.machine()}".lower(),
            selected=len(session.items),
        )
        self._journal = JournalWriter(run_dir.journal, self._clock)
        own_fds.add(self._journal.fileno())
        own_fds.add(run_dir.fileno())
        self._journal.run_started(
            self._info,
            [
                PlannedTest(item.nodeid, item.location[0], (item.location[1] or 0) + 1)
                for item in session.items
            ],
        )

    def _keep(self, nodeid: str, some: list[Any]) -> None:
        try:
            for record in _records_of(nodeid, some):
                self._add(nodeid, record, some)
        except JournalError as error:
            self._problems.append(f"the results cannot be kept: {error}")

    def _add(self, nodeid: str, data: bytes, some: list[Any]) -> None:
        assert self._journal is not None
        record: ResultRecord = records.decode(data)
        path, line, _name = some[0].location
        spent_s = sum(report.duration for report in some)
        first_at = some[0].start or self._clock.wall()
        entry = ResultEntry(
            name=record.name,
            test=nodeid,
            status=TestStatus[record.status],
            message=record.msg or "",
            reason=record.reason,
            failure_reasons=tuple(record.failure_reasons),
            time_s=spent_s,
            started_s=max(0.0, first_at - (self._info.started_at if self._info else first_at)),
            driver="pytest",
            source=path,
            line=(line or 0) + 1,
        )
        place = self._journal.result(entry, data, settles=True)
        msgspec.structs.force_setattr(entry, "place", place)  # nobody has seen it yet
        self._entries.append(entry)


def _records_of(nodeid: str, some: list[Any]) -> list[bytes]:
    """Return the results of a test: those that it pushed itself, or one made of its reports."""
    pushed = [text for report in some for text in getattr(report, "testloom_results", ())]
    if pushed:
        return [text.encode() for text in pushed]
    status, message = verdict_of(some)
    result = TestResult(nodeid, status=status)
    result.msg = message or None
    result.log = Log("\n".join(filter(None, map(log_of, some))))
    result.info = _properties(some)
    return [records.encode(result)]


def _properties(some: list[Any]) -> dict[str, str]:
    return {str(key): str(value) for report in some for key, value in report.user_properties}
