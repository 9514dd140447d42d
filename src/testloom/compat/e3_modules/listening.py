"""What a run tells a suite of e3-testsuite while it goes on.

Each result becomes a file, an entry of the index, a line on the console and a notification, as
soon as it is in the journal: whatever happens to the run later, these are there.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from typing import Any

from testloom.compat.e3_modules import display, results
from testloom.compat.e3_modules.events import EventNotifier
from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.result_files import ResultFiles
from testloom.compat.e3_modules.running_status import RunningStatus
from testloom.compat.e3_modules.utils import ColorConfig
from testloom.model.events import Load, Silent
from testloom.model.result import TestResult
from testloom.model.summary import ResultEntry
from testloom.suite.planning import PlannedTest

logger = logging.getLogger("testsuite")

_TOO_MANY = "too many consecutive failures"
_SENT_EVERY_S = 1.0
"""How long the file of a result may wait for those of other results."""


class E3Listener(Silent):
    """Keeps the output directory of a run up to date and tells people and programs.

    Args:
        index: gets each result.
        files: writes each result.
        status: the file ``status``.
        notifier: who wants to know of events.
        tests: what is going to run.
        envs: name of each test -> what the test says about itself.
        colors: how lines are coloured.
        show_error_output: whether logs of what went wrong follow their lines.
        show_time_info: whether lines have times.
    """

    def __init__(
        self,
        *,
        index: ReportIndex,
        files: ResultFiles,
        status: RunningStatus,
        notifier: EventNotifier,
        tests: Mapping[str, PlannedTest],
        envs: Mapping[str, dict[str, Any]],
        colors: ColorConfig,
        show_error_output: bool,
        show_time_info: bool,
    ) -> None:
        self._index = index
        self._files = files
        self._status = status
        self._notifier = notifier
        self._envs = envs
        self._colors = colors
        self._show_error_output = show_error_output
        self._show_time_info = show_time_info
        self._started: set[str] = set()
        self._left = {name: test.left for name, test in tests.items()}
        """How many fragments of each test have not been told to have ended."""
        self._places: dict[str, tuple[ResultEntry, Load]] = {}
        index.loader = self._load

    def fragment_started(self, uid: str, test: str, name: str, slot: int, now: float) -> None:  # noqa: ARG002 - the interface's
        self._status.start(uid)
        if not self._notifier.is_silent and test not in self._started:
            self._started.add(test)
            self._notifier.notify_test_start(test)

    def fragment_ended(self, uid: str, test: str, slot: int, now: float) -> None:  # noqa: ARG002 - the interface's
        self._status.complete(uid)
        self._left[test] -= 1
        if not self._notifier.is_silent and not self._left[test]:
            self._notifier.notify_test_end(test)

    def result_added(self, entry: ResultEntry, load: Load) -> None:
        self._places[entry.name] = entry, load
        result = self._load(entry.name)
        summary = results.summary_of(result)
        # Nobody may be told of a file that is not there.
        at_once = not self._notifier.is_silent
        filename = self._files.add(entry, result, at_once=at_once)
        self._index.add_result(summary, filename)
        self._status.process_result(summary)
        line = display.summary_line(summary, self._colors, self._show_time_info)
        if self._show_error_output and summary.status not in display.UNREMARKABLE:
            line = f"{line}\n{display.error_output(result)}{self._colors.Style.RESET_ALL}"
        logger.info("%s", line)
        if not self._notifier.is_silent:
            path = os.path.join(self._index.results_dir, filename)
            self._notifier.notify_test_result(entry.test, summary, path)

    def said(self, line: str) -> None:
        logger.warning("%s", line)

    def stopping(self, why: str, running: int) -> None:  # noqa: ARG002 - the interface's
        if why == _TOO_MANY:
            logger.error("Too many consecutive failures, aborting the testsuite")
        else:
            logger.error(
                "Scheduling abortion requested (%s), waiting for all active workers...", why
            )

    def refresh(self, now: float) -> float | None:
        self._files.send()
        return min(now + _SENT_EVERY_S, self._status.refresh(now) or math.inf)

    def _load(self, name: str) -> TestResult:
        """Return a result with its logs, from the journal."""
        entry, load = self._places[name]
        return results.from_journal(load(entry), self._envs.get(entry.test, {}))
