"""Tells a command, or a function, of what happens to tests: ``--notify-events``."""

from __future__ import annotations

import abc
import dataclasses
import importlib
import logging
import re
import shlex
from collections.abc import Callable
from typing import Any, ClassVar

from testloom.compat.e3_modules.results import TestResultSummary
from testloom.model.outcome import Exited, headline
from testloom.processes.launcher import Program, run

logger = logging.getLogger("testsuite")


class InvalidNotifyCommand(Exception):
    """What ``--notify-events`` was given makes no sense."""


@dataclasses.dataclass(frozen=True)
class TestNotification(abc.ABC):
    """Something happened to a test."""

    __test__ = False

    test_name: str

    @abc.abstractmethod
    def to_args(self) -> list[str]:
        """Return what the command is called with, besides its own arguments."""


@dataclasses.dataclass(frozen=True)
class TestQueueNotification(TestNotification):
    """The test is going to run."""

    def to_args(self) -> list[str]:
        return ["--queue", self.test_name]


@dataclasses.dataclass(frozen=True)
class TestStartNotification(TestNotification):
    """The first fragment of the test starts."""

    def to_args(self) -> list[str]:
        return ["--start", self.test_name]


@dataclasses.dataclass(frozen=True)
class TestResultNotification(TestNotification):
    """The test has a result."""

    result: TestResultSummary
    yaml_result_filename: str

    def to_args(self) -> list[str]:
        return ["--result", self.test_name, self.yaml_result_filename]


@dataclasses.dataclass(frozen=True)
class TestEndNotification(TestNotification):
    """The last fragment of the test has ended, and its results have been told."""

    def to_args(self) -> list[str]:
        return ["--end", self.test_name]


class EventNotifier:
    """Tells whom *notify_cmd* names; nobody, if it is None.

    Raises:
        InvalidNotifyCommand: it names nobody that can be told.
    """

    python_cmd_re: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<module>[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*):(?P<callback>[a-zA-Z_]\w*)"
    )

    def __init__(self, testsuite: Any, notify_cmd: str | None) -> None:
        self.notify_cmd: list[str] = []
        self.notify_callback: Callable[[TestNotification], None] | None = None
        if notify_cmd is None:
            return
        if notify_cmd.startswith("python:"):
            self.notify_callback = self._callback(testsuite, notify_cmd)
        else:
            self.notify_cmd = shlex.split(notify_cmd)

    @property
    def is_silent(self) -> bool:
        """Whether there is nobody to tell."""
        return not self.notify_cmd and self.notify_callback is None

    def notify(self, notification: TestNotification) -> None:
        """Tell; what goes wrong there is logged, and the run goes on."""
        if self.notify_callback is not None:
            try:
                self.notify_callback(notification)
            except Exception:
                logger.exception("Error while executing the event notification callback")
        elif self.notify_cmd:
            argv = (*self.notify_cmd, *notification.to_args())
            ended = run(Program(argv=argv))
            if ended.end != Exited(0):
                logger.error(
                    "Error while running the event notification command\n%s: %s\n%s",
                    shlex.join(argv),
                    headline(ended.end),
                    ended.output.decode("utf-8", "backslashreplace"),
                )

    def notify_test_queue(self, test_name: str) -> None:
        self.notify(TestQueueNotification(test_name))

    def notify_test_start(self, test_name: str) -> None:
        self.notify(TestStartNotification(test_name))

    def notify_test_result(
        self, test_name: str, result: TestResultSummary, yaml_result_filename: str
    ) -> None:
        self.notify(TestResultNotification(test_name, result, yaml_result_filename))

    def notify_test_end(self, test_name: str) -> None:
        self.notify(TestEndNotification(test_name))

    def _callback(self, testsuite: Any, command: str) -> Callable[[TestNotification], None]:
        match = self.python_cmd_re.fullmatch(command.removeprefix("python:"))
        if match is None:
            raise InvalidNotifyCommand(f"Wrong format: {command!r}")
        name = match["module"]
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise InvalidNotifyCommand(f"Cannot load module {name!r}") from error
        try:
            make = getattr(module, match["callback"])
        except AttributeError as error:
            raise InvalidNotifyCommand(f"Cannot load callback {match['callback']!r}") from error
        try:
            made: Callable[[TestNotification], None] = make(testsuite)
        except Exception as error:
            raise InvalidNotifyCommand("Cannot create notification callback") from error
        return made
