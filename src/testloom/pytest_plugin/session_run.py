"""A session of pytest as a run of testloom: its directory, its journal, its part of the history.

Reads from top to bottom: it begins when it is known what is in it, tests end, it ends.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pytest

from testloom import reports
from testloom.journal import format as form
from testloom.journal.format import JournalError, PlannedTest
from testloom.journal.rundir import open_run_dir
from testloom.journal.writer import JournalWriter
from testloom.model.attempts import all_with_earlier
from testloom.model.errors import UsageError
from testloom.model.history import Recap
from testloom.model.secrets import redacted, without_users
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes import own_fds
from testloom.processes.clock import SystemClock
from testloom.processes.files import make_own
from testloom.pytest_plugin import earlier, wire
from testloom.pytest_plugin.results import Made, Results, reports_in
from testloom.reports import ReportRequest
from testloom.suite.carrying import Carry
from testloom.suite.config import HISTORY, find_config
from testloom.suite.kept_history import kept, place_of
from testloom.suite.options import build_parser, read_command_line
from testloom.suite.run_history import run_history
from testloom.suite.sources import commit_of
from testloom.suite.versions import versions

OWN_DIR: Final = os.path.join(".testloom", "pytest")
"""Where sessions are kept that nobody wants a report of, relative to the root directory."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of a session and the configuration of its project say."""

    requests: tuple[ReportRequest, ...]
    resumes: bool
    output_dir: str
    """Where this session is kept."""
    output_dirs: tuple[str, ...]
    """Where others may be."""
    history: str | None
    """Where the history is; None if it is not to be kept."""
    kept: Any


def settings_of(config: pytest.Config, *, can_resume: bool = True) -> Settings:
    """Return what holds for this session.

    Raises:
        UsageError: something makes no sense.
    """
    root = str(config.rootpath)
    try:
        wanted = config.getoption("testloom_report")
        requests = tuple(reports.parse_request(text) for text in wanted)
    except UsageError as error:
        raise UsageError(f"--testloom-report: {error}") from error
    found = find_config(root)
    options = read_command_line(build_parser("pytest"), [], config=found).options
    if found is None:
        usual = options.output_dir if os.path.isabs(options.output_dir) else "out"
        options = msgspec.structs.replace(
            options,
            output_dir=os.path.join(root, usual),
            history=options.history or os.path.join(root, HISTORY),
        )
    own, shown = os.path.join(root, OWN_DIR), os.path.abspath(options.output_dir)
    return Settings(
        requests=requests,
        resumes=can_resume and config.getoption("testloom_resume"),
        output_dir=shown if requests else own,
        output_dirs=(own, shown),
        history=None if config.getoption("testloom_history") is False else place_of(options),
        kept=kept(options),
    )


class SessionRun:
    """The run that a session of pytest with *items* is, from its beginning, *ahead_s* ago.

    Raises:
        UsageError: there is no place for it, or none that it could resume.
    """

    def __init__(
        self, config: pytest.Config, items: Sequence[Any], settings: Settings, ahead_s: float = 0.0
    ) -> None:
        self._clock = SystemClock()
        self._begun_at = self._clock.now() - ahead_s
        self._started_at = self._clock.wall() - ahead_s
        self._results = Results(config)
        self._requests = settings.requests
        self._entries: list[ResultEntry] = []
        self._attempts: dict[str, list[ResultEntry]] = {}
        """Earlier attempts at tests, in the session that is resumed."""
        self.problems: list[str] = []
        """What makes the record of the session worth less than was asked for, one line each."""
        self.carried: dict[str, wire.Item] = {}
        """The reports of tests that need not run, by their node ids."""
        root = str(config.rootpath)
        suite = f"{config.rootpath.name}/pytest"
        resumed = earlier.last_session(settings.output_dirs, suite) if settings.resumes else None
        inputs = earlier.inputs_of(items, root)
        carry = resumed.decide(inputs, earlier.follows_of(items)) if resumed else None
        self.resume_note = carry.note if carry else ""
        make_own(os.path.dirname(settings.output_dir))
        with contextlib.ExitStack() as undoing:
            self._run_dir = undoing.enter_context(open_run_dir(settings.output_dir))
            reports.check_targets(self._requests, self._run_dir.path)
            self._journal = JournalWriter(self._run_dir.journal, self._clock)
            undoing.callback(self._there_was_none)
            self._fds = (self._journal.fileno(), self._run_dir.fileno())
            for fd in self._fds:
                own_fds.add(fd)
            self._history = run_history(
                settings.history, suite, self._run_dir.output_dir, settings.kept
            )
            self._info = self._info_of(config, suite, resumed.run_id if resumed else "", inputs)
            self._begin(inputs, carry)
            undoing.pop_all()

    def _info_of(
        self, config: pytest.Config, suite: str, resumes: str, inputs: dict[str, str]
    ) -> RunInfo:
        root = str(config.rootpath)
        commit, branch = commit_of(root)
        slots = config.getoption("slots") or "1"
        return RunInfo(
            commit=commit,
            branch=branch,
            run_id=self._run_dir.run_id,
            suite=suite,
            root=root,
            output_dir=self._run_dir.path,
            command=("pytest", *map(without_users, map(str, config.invocation_params.args))),
            jobs=int(slots) if slots.isdecimal() else os.cpu_count() or 1,
            started_at=self._started_at,
            host=socket.gethostname(),
            platform=f"{platform.system()}-{platform.machine()}".lower(),
            selected=len(inputs),
            resumes=resumes,
            environment=redacted(os.environ),
            versions=versions(),
        )

    def _begin(self, inputs: dict[str, str], carry: Carry | None) -> None:
        if self._history is not None:
            self._history.begin(self._run_dir, list(inputs))
        tests = [
            PlannedTest(name, name.partition("::")[0], inputs=own) for name, own in inputs.items()
        ]
        self._journal.run_started(self._info, tests)
        if carry is not None:
            self._take_over(carry)

    def _take_over(self, carry: Carry) -> None:
        """Keep what the session that is resumed has found out, as far as it still holds."""

        def counted(old: form.Result) -> None:
            told = reports_in(old.record)
            if told is not None:
                self.carried[old.test] = told

        try:
            counting, self._attempts = carry.into(self._journal, counted)
        except OSError as error:
            raise JournalError(self._journal.path, f"cannot be carried over: {error}") from error
        self._entries = all_with_earlier(counting, self._attempts)

    @property
    def recap(self) -> Recap:
        """What is known of the tests from earlier runs."""
        return self._history.recap if self._history else Recap()

    @property
    def notes(self) -> list[str]:
        """What people should know, one line each."""
        history = [self._history.problem] if self._history and self._history.problem else []
        return [*self._run_dir.notes, *history]

    @property
    def report_places(self) -> list[tuple[str, str]]:
        """Format and path of each report."""
        return [
            (request.format, request.target(self._run_dir.path, reports.BUILT_IN))
            for request in self._requests
        ]

    def keep(self, nodeid: str, some: Sequence[Any], done: wire.Item | None, slot: int) -> None:
        """Keep what came of test *nodeid*, which pytest's reports *some* tell, or *done* of a slot.

        Raises:
            JournalError: that is not possible.
        """
        made, is_final = self._results.of(nodeid, some, done)
        for one in made:
            self._add(nodeid, one, some, slot, settles=is_final and one is made[-1])

    def _add(
        self, nodeid: str, made: Made, some: Sequence[Any], slot: int, *, settles: bool
    ) -> None:
        head = made.head
        path, line, _name = some[0].location
        started_at = some[0].start or self._clock.wall()
        attempts = self._attempts.get(nodeid, ())
        entry = ResultEntry(
            name=head.name,
            test=nodeid,
            status=TestStatus[head.status],
            message=head.msg or "",
            reason=head.reason,
            failure_reasons=tuple(head.failure_reasons),
            time_s=sum([report.duration for report in some]),
            slot=slot,
            started_s=max(0.0, started_at - self._info.started_at),
            driver="pytest",
            source=path,
            line=(line or 0) + 1,
            attempt=1 + max((one.attempt for one in attempts), default=0),
            earlier=tuple(one for one in attempts if one.name == head.name),
        )
        place = self._journal.result(entry, made.record, settles=settles)
        msgspec.structs.force_setattr(entry, "place", place)  # nobody has seen it yet
        self._entries.append(entry)

    def end(self, *, stopped: str, exit_code: int) -> int:
        """Write the reports, and keep the run; return what the session is to exit with."""
        duration_s = self._clock.now() - self._begun_at
        summary = Summary(
            run=msgspec.structs.replace(self._info, duration_s=duration_s, stopped=stopped),
            entries=self._entries,
            load=self._journal.load,
        )
        if self._history is not None:
            seen = self._history.seen_by(summary)
            summary = msgspec.structs.replace(seen, changes=self._history.changes(summary))
        self.problems.extend(reports.write_reports(self._requests, summary))
        if self.problems:
            exit_code = incomplete(exit_code)
        self._journal.run_ended(duration_s=duration_s, stopped=stopped, exit_code=exit_code)
        self._journal.sync()
        if self._history is not None:
            self._history.keep(summary, exit_code)
        return exit_code

    def close(self) -> None:
        """Let go of the run's directory."""
        self._close_journal()
        self._run_dir.close()

    def _close_journal(self) -> None:
        for fd in self._fds:
            own_fds.discard(fd)
        with contextlib.suppress(JournalError):  # `end` has told
            self._journal.close()

    def _there_was_none(self) -> None:
        """The run could not begin: leave nothing that one could be resumed from."""
        self._close_journal()
        with contextlib.suppress(OSError):
            os.unlink(self._run_dir.journal)


def incomplete(exit_code: int) -> int:
    """Return what a session exits with whose record is not what was asked for, not *exit_code*."""
    if exit_code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return int(pytest.ExitCode.INTERNAL_ERROR)
    return int(exit_code)
