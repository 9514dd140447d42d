"""What every driver is: something that turns one test into fragments and pushes results.

A driver is made in the main process, as ``driver_cls(env, test_env)``, adds its fragments to the
graph there (`TestDriver.add_test`), and its callbacks run in a worker.  Suites have a hundred
thousand of them, so an instance holds little, and what only a running test needs (its result, its
queue) is made when it is first asked for.
"""

from __future__ import annotations

import abc
import enum
import inspect
import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, MappingProxyType
from typing import Any, ClassVar

from e3.collection.dag import DAG

from testloom.model.fragment import FragmentCallback, FragmentData
from testloom.model.names import path_for
from testloom.model.result import TestResult

_STACK_DEPTH = 20
"""Calls that are kept of each push: more than drivers make, and each takes its time."""


class CleanupMode(enum.Enum):
    """What to do with the directories that tests worked in."""

    NONE = 1
    """Keep them all."""
    PASSING = 2
    """Remove those of tests that passed; keep those that somebody will want to look at."""
    ALL = 3
    """Remove them all."""

    @classmethod
    def default(cls) -> CleanupMode:
        return cls.PASSING

    @classmethod
    def descriptions(cls) -> dict[CleanupMode, str]:
        """Say in a few words what each mode does, for the help of an option."""
        return {
            cls.NONE: "keep all working directories",
            cls.PASSING: "remove the working directories of tests that passed",
            cls.ALL: "remove all working directories, even those of tests that failed",
        }


class Colorless:
    """Stands for a set of colours where there are none: every attribute is the empty text."""

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):  # copying and pickling ask for these
            raise AttributeError(name)
        return ""


def run_dirs(env: Any) -> tuple[str, ...]:
    """Return the directories that a run with *env* writes to: they are no part of a test.

    A test whose directory is the root of the suite, with ``out`` in it, must not be given the
    files of other tests, which come and go while they are copied.
    """
    output: str = getattr(env, "output_dir", "")
    own = (output, os.path.dirname(output), getattr(env, "working_dir", ""))
    return tuple(path for path in own if path)


class ResultQueueItem:
    """A result that a driver pushed, and where in the code it did so."""

    __slots__ = ("_stack", "filename", "result")

    def __init__(
        self,
        result: TestResult,
        filename: str | None = None,
        stack: Sequence[tuple[CodeType, int]] = (),
    ) -> None:
        self.result = result
        self.filename = filename
        """Where the result is on disk, for those who put it there."""
        self._stack = stack

    @property
    def traceback(self) -> list[str]:
        """The calls that led to the push, outermost first, as `traceback.format_stack` shows them.

        Lines are looked up now and not when the result is pushed: hardly anybody asks.
        """
        entries = [
            (code.co_filename, _line_at(code, at), code.co_name, None)
            for code, at in reversed(self._stack)
        ]
        return traceback.format_list(entries)


class TestDriver(abc.ABC):
    """Runs one kind of test.

    `add_test` says which fragments a test consists of; their callbacks do the work and call
    `push_result`, as often as the test has results.
    """

    __test__: ClassVar[bool] = False  # not a pytest class

    Fore: Any = Colorless()
    """Foreground colours as `colorama` names them; without effect unless the run shows colours."""
    Style: Any = Colorless()
    """Text styles as `colorama` names them; without effect unless the run shows colours."""
    isolation: str = "worker"
    """``"worker"``: fragments share a warm process; ``"process"``: each gets a fresh one."""
    pytest_fixtures: Sequence[str] = ()
    """Names of the fixtures that tests of this driver want when pytest runs them."""
    fixtures: Mapping[str, Any] = MappingProxyType({})
    """The values of `pytest_fixtures`; empty where it is not pytest that runs the test."""
    on_push: Callable[[ResultQueueItem], None] | None = None
    """Set by the run: told of each result at the moment it is pushed."""

    def __init__(self, env: Any, test_env: dict[str, Any]) -> None:
        self.env = env
        """The environment of the whole run: directories, options, and what the suite added."""
        self.testsuite_options = getattr(env, "options", None)
        """The parsed command line."""
        self.test_env = test_env
        """What the test says about itself, and where it is."""
        self.test_name: str = test_env["test_name"]
        self.execution_started = False
        """Set by the run when the first fragment of this test starts."""
        self._result: TestResult | None = None
        self._result_queue: list[ResultQueueItem] | None = None
        self._pending: tuple[str, ...] | set[str] = ()

    @property
    def result(self) -> TestResult:
        """The result named after the test; an ERROR until it is given another status."""
        result = self._result
        if result is None:
            result = self._result = TestResult(
                self.test_name, env=self.test_env, test_matcher=self._matcher()
            )
        return result

    @result.setter
    def result(self, value: TestResult) -> None:
        self._result = value

    @property
    def result_queue(self) -> list[ResultQueueItem]:
        """The results pushed so far that the run has not taken yet."""
        if self._result_queue is None:
            self._result_queue = []
        return self._result_queue

    @result_queue.setter
    def result_queue(self, value: list[ResultQueueItem]) -> None:
        self._result_queue = value

    @property
    def fragment_uids(self) -> tuple[str, ...]:
        """Uids of the fragments of this test, in the order in which they were added."""
        return tuple(self._pending)

    @property
    def pending_fragments(self) -> set[str]:
        """Uids of the fragments added to the graph; the run takes out those that have ended."""
        if not isinstance(self._pending, set):
            self._pending = set(self._pending)
        return self._pending

    @property
    def fragment_timeout_s(self) -> float | None:
        """How long one fragment may take, in seconds; None leaves it to the run.

        This is ``timeout`` of the test's ``test.yaml`` where it is a number.
        """
        return seconds_or_none(self.test_env.get("timeout"))

    @property
    def working_dir_cleanup_enabled(self) -> bool:
        """Whether the run wants working directories removed at all."""
        mode = getattr(self.env, "cleanup_mode", CleanupMode.PASSING)
        return mode is not CleanupMode.NONE

    @abc.abstractmethod
    def add_test(self, dag: DAG) -> None:
        """Add the fragments of this test to *dag*, with `add_fragment`."""

    def add_fragment(
        self,
        dag: DAG,
        name: str,
        fun: FragmentCallback | None = None,
        after: Sequence[str] | None = None,
    ) -> None:
        """Add fragment *name* of this test to *dag*.

        Args:
            dag: the graph of the whole run.
            name: unique in this test; the fragment's uid is ``TEST.NAME``.
            fun: what to call, as ``fun(previous_values, slot)``; the method called *name* if None.
            after: names of fragments of this test that must have ended before this one starts.
        """
        uid = f"{self.test_name}.{name}"
        callback: FragmentCallback = getattr(self, name) if fun is None else fun
        dag.update_vertex(
            vertex_id=uid,
            data=FragmentData(uid, self, name, callback, fun is None),
            predecessors=[f"{self.test_name}.{other}" for other in after] if after else None,
            enable_checks=False,  # a check reads the whole graph; the run does it once
        )
        if isinstance(self._pending, set):
            self._pending.add(uid)
        else:
            self._pending = (*self._pending, uid)

    def push_result(self, result: TestResult | None = None) -> None:
        """Hand *result* (`self.result` if None) to the run; it counts from now on.

        A test may push several results, each under its own name; by convention ``TEST.SUB``.
        """
        item = ResultQueueItem(self.result if result is None else result, stack=_calls())
        self.result_queue.append(item)
        if self.on_push is not None:
            self.on_push(item)

    def working_dir(self, *parts: str) -> str:
        """Return the path of *parts* in the directory kept free for this test to work in.

        Nobody else uses that directory; it exists once the driver has made it.
        """
        directory: str | None = self.test_env.get("working_dir")
        if directory is None:
            directory = os.path.join(self.env.working_dir, path_for(self.test_name))
        return os.path.join(directory, *parts) if parts else directory

    def test_dir(self, *parts: str) -> str:
        """Return the path of *parts* in the directory that defines the test."""
        directory: str = self.test_env["test_dir"]
        return os.path.join(directory, *parts) if parts else directory

    def _matcher(self) -> str | None:
        """What patterns given by users match: the test's own word, or its directory."""
        matcher: str | None = self.test_env.get("test_matcher")
        directory: str | None = self.test_env.get("test_dir")
        if matcher is not None or directory is None:
            return matcher
        root = str(getattr(self.env, "test_dir", "") or "")
        if root and directory.startswith(root + os.sep):
            return directory[len(root) + 1 :]
        return directory


def seconds_or_none(value: object) -> float | None:
    """Return *value* as a float if it is a time limit: a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _calls() -> list[tuple[CodeType, int]]:
    """Return the calls below `push_result`, innermost first: what runs, and how far it has come."""
    frame = inspect.currentframe()
    for _ in ("this function", "push_result"):
        frame = frame.f_back if frame is not None else None
    calls: list[tuple[CodeType, int]] = []
    for _ in range(_STACK_DEPTH):
        if frame is None:
            break
        calls.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return calls


def _line_at(code: CodeType, at: int) -> int:
    """Return the line of the instruction at offset *at* of *code*."""
    found = code.co_firstlineno
    for start, end, line in code.co_lines():
        if start <= at < end and line is not None:
            found = line
    return found
