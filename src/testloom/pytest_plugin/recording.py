"""Records a session as a run of testloom: in its journal, its history, and in reports.

What is kept is read from pytest's own reports, so it makes no difference who ran the tests: pytest
alone, slots, or pytest-xdist.  A record that nobody has asked for in so many words, as that of each
session with ``--slots`` is, never harms the session: what is wrong with it is one line at its end.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from testloom.journal.format import JournalError
from testloom.model.errors import UsageError
from testloom.model.history import Recap
from testloom.pytest_plugin import wire
from testloom.pytest_plugin.session_run import SessionRun, incomplete, settings_of
from testloom.pytest_plugin.telling import tell


class Recording:
    """The hooks of a session that is to be recorded."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pid = os.getpid()
        """Forks of this process have other things to do."""
        option: Any = config.option
        self._is_distributed = config.getoption("dist", "no") != "no"
        """Whether pytest-xdist collects elsewhere, so that it is not known what there is."""
        self._is_asked_for = option.testloom_report or option.testloom_resume
        self._run: SessionRun | None = None
        self._note = ""
        self._has_begun = self._has_failed = False

    def keep(
        self, nodeid: str, some: Sequence[Any], done: wire.Item | None = None, slot: int = -1
    ) -> None:
        """Write down what came of a test: its reports *some*, which *slot* has told as *done*."""
        run = self._run
        if run is None or self._has_failed or nodeid in run.carried or os.getpid() != self._pid:
            return
        if not any(report.when == "teardown" or report.failed for report in some):
            return  # it was interrupted: nobody knows what would have come of it
        try:
            run.keep(nodeid, some, done, slot)
        except JournalError as error:
            self._cannot_keep(error)

    def pytest_report_header(self) -> str | None:
        """Say what is not possible."""
        if not (self._is_distributed and self._config.getoption("testloom_resume")):
            return None
        return "testloom: --testloom-resume is ignored: pytest-xdist distributes the tests (-n)"

    @property
    def recap(self) -> Recap:
        """What is known of the tests from earlier runs."""
        return self._run.recap if self._run else Recap()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin the run: it is known now what is in it."""
        self._begin(session.items)

    def pytest_report_collectionfinish(self, items: Sequence[Any]) -> list[str]:
        """Say what is taken over; pytest asks before everybody knows that it has collected."""
        self._begin(items)
        note = self._run.resume_note if self._run else ""
        return [f"testloom: {note}"] if note else []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Tell pytest of the tests that are taken over; the others run."""
        self._begin(session.items)
        has_failed = session.testsfailed and not session.config.option.continue_on_collection_errors
        if self._run is not None and not has_failed:
            carried = self._run.carried
            taken = [item for item in session.items if item.nodeid in carried]
            session.items[:] = [item for item in session.items if item.nodeid not in carried]
            for item in taken:
                done = carried[item.nodeid]
                done.number, done.keywords = 0, list(item.keywords)
                tell(item, wire.reports_of(done, item, self._config), item.location)
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports; a session without them is not as it was asked for."""
        run = self._run
        if run is None or os.getpid() != self._pid:
            return
        is_stopped = session.exitstatus == pytest.ExitCode.INTERRUPTED
        try:
            code = run.end(
                stopped="interrupted" if is_stopped else "", exit_code=int(session.exitstatus)
            )
        except JournalError as error:
            self._cannot_keep(error)
            code = incomplete(session.exitstatus)
        if self._is_asked_for:
            session.exitstatus = code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the reports are, or why not."""
        run = self._run
        if self._note:
            terminalreporter.write_line(f"testloom: {self._note}", yellow=True)
        if run is None:
            return
        for problem in run.problems:
            terminalreporter.write_line(f"testloom: {problem}", red=True)
        for note in run.notes:
            terminalreporter.write_line(f"testloom: {note}", yellow=True)
        for name, place in run.report_places:
            terminalreporter.write_line(f"testloom: {name} report: {os.path.relpath(place)}")

    def pytest_unconfigure(self) -> None:
        """Let go of the run's directory."""
        if self._run is not None and os.getpid() == self._pid:
            self._run.close()
            self._run = None

    def _begin(self, items: Sequence[Any]) -> None:
        if self._has_begun or not (items or self._is_distributed):
            return
        self._has_begun = True
        try:
            settings = settings_of(self._config, can_resume=not self._is_distributed)
            head_start: Any = self._config.pluginmanager.getplugin("testloom-head-start")
            ahead_s = head_start.ahead_s if head_start is not None else 0.0
            self._run = SessionRun(self._config, items, settings, ahead_s)
        except (UsageError, OSError) as error:
            if self._is_asked_for:
                raise pytest.UsageError(f"testloom: {error}") from error
            what, _, _advice = str(error).partition("; ")  # which is about options of others
            self._note = f"this session is not recorded: {what}"

    def _cannot_keep(self, error: JournalError) -> None:
        assert self._run is not None
        if not self._has_failed:
            self._has_failed = True
            self._run.problems.append(f"the results cannot be kept: {error}")


class Listening:
    """The hooks by which *recording* hears of tests, as long as no slots tell it themselves."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._reports: dict[str, list[Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a report until its test has ended."""
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write down what came of a test."""
        some = self._reports.pop(nodeid, None)
        if some:
            self._recording.keep(nodeid, some)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write down what came of tests that never finished."""
        for nodeid in list(self._reports):
            self._recording.keep(nodeid, self._reports.pop(nodeid))
