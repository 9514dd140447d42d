"""A driver of one fragment: run programs in a copy of the test's directory, then judge.

`ClassicTestDriver.run_wrapper` is the test from beginning to end; subclasses fill in `run` and,
where they need to, `set_up`, `compute_failures` and `tear_down`.
"""

from __future__ import annotations

import abc
import functools
import os
import re
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

from e3.collection.dag import DAG

from testloom.drivers import programs
from testloom.drivers.base import CleanupMode, TestDriver, run_dirs, seconds_or_none
from testloom.drivers.control import TestControl, TestControlCreator, YAMLTestControlCreator
from testloom.drivers.keeping import Keeping
from testloom.drivers.programs import DEVNULL, Stdin
from testloom.model import reason
from testloom.model.errors import (
    TestAbortWithError,
    TestAbortWithFailure,
    TestSkip,
    UsageError,
)
from testloom.model.log import Log, binary_repr
from testloom.model.outcome import Exited, ProgramEnd, TimedOut
from testloom.model.result import TestResult
from testloom.model.status import TestStatus
from testloom.processes.launcher import KEEP_BYTES, Program, ProgramRun
from testloom.processes.launcher import run as run_program
from testloom.processes.spare import SPARE

TIMEOUT_OUTPUT_PATTERN: Final = r"rlimit: Real time limit ([^\n]+) exceeded(\r?)\n"
TIMEOUT_OUTPUT_STR_RE: Final = re.compile(TIMEOUT_OUTPUT_PATTERN)
TIMEOUT_OUTPUT_BYTES_RE: Final = re.compile(TIMEOUT_OUTPUT_PATTERN.encode("ascii"))

DEFAULT_TIMEOUT_S: Final = 300
"""How long a program may take unless its test says otherwise."""
_FRAGMENT_FACTOR: Final = 10
_LISTED: Final = 1000
_WANTED = frozenset({TestStatus.FAIL, TestStatus.XFAIL, TestStatus.XPASS, TestStatus.ERROR})
"""Statuses of tests whose working directory somebody will want to look at."""


class ProcessResult:
    """What came of a program that a test ran."""

    __slots__ = ("end", "out", "status")

    def __init__(self, status: int, out: str | bytes, end: ProgramEnd | None = None) -> None:
        self.status = status
        """Its exit status; see `testloom.drivers.programs` for programs that have none."""
        self.out = out
        """What it wrote to stdout and stderr."""
        self.end: ProgramEnd = Exited(status) if end is None else end
        """How it ended: by itself, by a signal, because its time was up, ..."""

    @property
    def timed_out(self) -> bool:
        return isinstance(self.end, TimedOut)

    def __repr__(self) -> str:
        return f"ProcessResult(status={self.status}, end={self.end}, out={self.out!r})"


class ClassicTestDriver(TestDriver):
    """Runs a test in one fragment.

    In this order: look at the test's ``control``, copy its directory, `set_up`, `run`, `analyze`,
    and whatever happened, `tear_down`.  Raise `TestSkip`, `TestAbortWithError` or
    `TestAbortWithFailure` to end the test early with that result.
    """

    test_control: TestControl
    """What the test's ``control`` asks for; known before `set_up`."""
    output: Any
    """A `Log` of what the programs wrote so far: text, or bytes if the encoding is ``binary``."""
    slot: int
    """The number of the slot that the test runs in."""
    output_limit_bytes: int | None = None
    """End a program that writes more than this; None leaves it to the run."""
    memory_limit_bytes: int | None = None
    """What a program and all that it starts may have; None for as much as there is."""

    @property
    def copy_test_directory(self) -> bool:
        """Whether to copy the test's directory to the working directory before `set_up`.

        What the run itself writes is left out, where that is below it.
        """
        return True

    @property
    def default_process_timeout(self) -> float | None:
        """How many seconds a program may take; None for as long as it likes.

        Raises:
            UsageError: ``timeout`` of the test is no number of seconds.
        """
        value = self.test_env.get("timeout", DEFAULT_TIMEOUT_S)
        seconds = seconds_or_none(float(value) if _is_decimal(value) else value)
        if seconds is None:
            raise UsageError(f"timeout: expected a number of seconds above 0, not {value!r}")
        return seconds

    @property
    def idle_timeout_s(self) -> float | None:
        """How many seconds a program may write nothing; None for as long as it likes."""
        return seconds_or_none(getattr(self.testsuite_options, "testloom_idle_timeout", None))

    @property
    def fragment_timeout_s(self) -> float | None:
        """Ten times the limit of a program, because a test may run several.

        Where the test says nothing and the command line does, that counts for the fragment.
        """
        if "timeout" not in self.test_env and getattr(self.testsuite_options, "timeout", None):
            return None
        try:
            limit = self.default_process_timeout
        except Exception:  # noqa: BLE001 - a subclass may compute it from what `set_up` prepares
            return None
        return None if limit is None else _FRAGMENT_FACTOR * limit

    @property
    def default_encoding(self) -> str:
        """How programs write text; ``"binary"`` if what they write is no text."""
        encoding: str = self.test_env.get("encoding", "utf-8")
        return encoding

    @functools.cached_property
    def keeping(self) -> Keeping:
        """What is kept if the test fails."""
        return Keeping()

    @property
    def test_control_creator(self) -> TestControlCreator:
        """What finds out whether to run the test and whether it is known to fail."""
        return YAMLTestControlCreator({})

    def add_test(self, dag: DAG) -> None:
        self.add_fragment(dag, "run_wrapper")

    def run_wrapper(self, prev: dict[str, Any], slot: int) -> None:  # noqa: ARG002 - a callback's
        """Run the test from beginning to end."""
        self.slot = slot
        self.test_control = TestControl()
        try:
            self.test_control = self.test_control_creator.create(self)
        except ValueError as error:
            self.result.reason = reason.CONFIG
            self.push_error(f"Error while interpreting control: {error}")
            return
        if self.test_control.skip:
            self._push_skipped()
            return
        try:
            if self.copy_test_directory:
                SPARE.copy_tree(self.test_dir(), self.working_dir(), lambda: run_dirs(self.env))
            self.output = Log(b"") if self.default_encoding == "binary" else Log("")
            self.set_up()
            self.run()
            self.analyze()
        except TestSkip as error:
            self.push_skip(str(error))
        except TestAbortWithError as error:
            self.push_error(str(error))
        except TestAbortWithFailure as error:
            self.push_failure(str(error))
        finally:
            self._keep_failure()
            self.tear_down()

    def set_up(self) -> None:
        """Prepare the test; does nothing unless overridden."""

    @abc.abstractmethod
    def run(self) -> None:
        """Run the programs of the test, mostly with `shell`."""

    def analyze(self) -> None:
        """Push the result that `compute_failures` finds."""
        failures = self.compute_failures()
        if failures:
            self.push_failure(" | ".join(failures))
        else:
            self.push_success()

    def compute_failures(self) -> list[str]:
        """Return what is wrong with what the test did, a few words each; nothing by default."""
        return []

    def tear_down(self) -> None:
        """Remove the working directory, unless somebody will want to look at it."""
        if not self.working_dir_cleanup_enabled:
            return
        mode = getattr(self.env, "cleanup_mode", CleanupMode.PASSING)
        if mode is CleanupMode.PASSING and self.result.status in _WANTED:
            return
        try:
            self.cleanup_working_dir()
        except Exception:  # noqa: BLE001 - it may be overridden
            self._push_not_removed()

    def cleanup_working_dir(self) -> None:
        """Remove the working directory.

        Raises:
            OSError: something is left of it.
        """
        left = SPARE.remove_tree(self.working_dir())
        if left:
            raise OSError(f"cannot remove {left[0]}" + (" and more" if len(left) > 1 else ""))

    def push_success(self) -> None:
        """Push a PASS, or an XPASS if the test was expected to fail."""
        if self.test_control.xfail:
            self.result.set_status(TestStatus.XPASS, self.test_control.message)
        else:
            self.result.set_status(TestStatus.PASS)
        self.push_result()

    def push_skip(self, message: str | None) -> None:
        """Push a SKIP."""
        self.result.set_status(TestStatus.SKIP, message)
        self.push_result()

    def push_error(self, message: str | None) -> None:
        """Push an ERROR, also if the test was expected to fail: it did not get that far."""
        self.result.set_status(TestStatus.ERROR, message)
        self.push_result()

    def push_failure(self, message: str | None) -> None:
        """Push a FAIL, or an XFAIL if the test was expected to fail."""
        message = message or ""
        if self.test_control.xfail:
            if self.test_control.message:
                message = f"{message} ({self.test_control.message})"
            self.result.set_status(TestStatus.XFAIL, message)
        else:
            self.result.set_status(TestStatus.FAIL, message)
        self.push_result()

    def shell(
        self,
        args: Sequence[str],
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        catch_error: bool = True,
        analyze_output: bool = True,
        timeout: float | None = None,
        encoding: str | None = None,
        truncate_logs_threshold: int | None = None,
        ignore_environ: bool = True,
        stdin: Stdin = DEVNULL,
    ) -> ProcessResult:
        """Run a program to its end; its stderr goes with its stdout.

        It is logged, ended when its time is up, and everything that it leaves behind is ended too
        and noted in the result's ``info`` under ``leak``.

        Args:
            args: the program and its arguments.
            cwd: where to run it, an existing directory; the working directory if None.
            env: its environment; this process's if None.
            catch_error: end the test as failed unless the program exits with status 0.
            analyze_output: append what it writes to `output`.
            timeout: seconds it may take; `default_process_timeout` if None.
            encoding: how it writes text; `default_encoding` if None.
            truncate_logs_threshold: how many lines of each end of what it writes to log.
            ignore_environ: whether *env* is all of its environment, or added to this process's.
            stdin: what it reads; see `testloom.drivers.programs.input_of`.

        Raises:
            TestAbortWithFailure: it failed, and *catch_error* is set.
            TestAbortWithError: what it wrote is no text.
        """
        if isinstance(args, str) or not args:
            raise TypeError(f"shell() takes a list of a program and its arguments, not {args!r}")
        argv = tuple([arg if isinstance(arg, str) else os.fspath(arg) for arg in args])
        if env is not None and not ignore_environ:
            env = {**os.environ, **env}
        stdin_bytes, stdin_file = input_of(stdin) if stdin != DEVNULL else (None, None)
        program = Program(
            argv=argv,
            cwd=self.working_dir() if cwd is None else cwd,
            env=env,
            stdin=stdin_bytes,
            stdin_file=stdin_file,
            timeout_s=self.default_process_timeout if timeout is None else timeout,
            idle_timeout_s=self.idle_timeout_s,
            output_limit_bytes=self._output_limit_bytes,
            memory_limit_bytes=self.memory_limit_bytes,
        )
        run, out = self._run_logged(program, encoding, truncate_logs_threshold)
        if analyze_output:
            if type(out) is not type(self.output.log):
                raise TypeError(
                    "what a program writes in another encoding than the test's cannot be added to"
                    " self.output; pass analyze_output=False, or override default_encoding"
                )
            self.output += out
        result = ProcessResult(programs.status_of(run.end), out, run.end)
        if catch_error and result.status != 0:
            raise TestAbortWithFailure(programs.blame(self.result, run.end))
        return result

    def process_may_have_timed_out(self, result: ProcessResult) -> bool:
        """Tell whether the program of *result* was ended because its time was up."""
        return result.timed_out

    @property
    def _output_limit_bytes(self) -> int | None:
        """What a program may write: as the driver says, or else the run."""
        if self.output_limit_bytes is not None:
            return self.output_limit_bytes
        limit: int | None = getattr(self.testsuite_options, "testloom_output_limit", None)
        return limit

    @property
    def _logged_lines(self) -> int:
        """How many lines of each end of a long text to log; 0 for all."""
        return int(getattr(self.testsuite_options, "truncate_logs", 200))

    def _run_logged(
        self, program: Program, encoding: str | None, line_count: int | None
    ) -> tuple[ProgramRun, str | bytes]:
        """Run *program*; return also what it wrote, decoded, and said why it ended early."""
        cwd = program.cwd or ""
        programs.note(self.result, programs.heading(program.argv, cwd))
        self.keeping.program(program)
        run = run_program(program)
        out = self._decoded(run, self.default_encoding if encoding is None else encoding)
        why = programs.epilogue(run.end, program.argv)
        if why:
            out = out + why if isinstance(out, str) else out + why.encode()
        programs.record(
            self.result,
            run,
            argv=program.argv,
            cwd=cwd,
            output=out,
            line_count=self._logged_lines if line_count is None else line_count,
        )
        return run, out

    def _decoded(self, run: ProgramRun, encoding: str) -> str | bytes:
        if encoding == "binary":
            return run.output
        try:
            return run.output.decode(encoding)
        except UnicodeDecodeError as error:
            if run.output_bytes > 2 * KEEP_BYTES:
                # Its middle is missing, which may have cut a character in two.
                return run.output.decode(encoding, "backslashreplace")
            shown = programs.indented(binary_repr(run.output))
            programs.note(self.result, f"Cannot decode subprocess output:\n\n{shown}")
            raise TestAbortWithError(f"cannot decode process output ({_named(error)})") from error

    def _keep_failure(self) -> None:
        place = getattr(self.env, "failures_dir", "")
        if place and self.result.status.is_bad:
            self.keeping.write(
                place,
                self.result,
                self.test_env,
                work=self.working_dir(),
                root=self.env.root_dir,
                environment=self.env.configured_environment,
            )

    def _push_skipped(self) -> None:
        """Push the result of a test that its control says not to run."""
        if self.test_control.xfail:
            self.result.set_status(TestStatus.XFAIL, self.test_control.message)
            self.push_result()
        else:
            self.push_skip(self.test_control.message)

    def _push_not_removed(self) -> None:
        """Push what kept the working directory from being removed, as a result of its own."""
        left = [
            os.path.join(root, name)
            for root, _directories, files in os.walk(self.working_dir())
            for name in (".", *files)
        ]
        listed = "".join(f"  {path}\n" for path in left[:_LISTED])
        result = TestResult(f"{self.test_name}__tear_down", env=self.test_env)
        result.set_status(TestStatus.ERROR, "cannot remove the working directory")
        result.reason = reason.EXCEPTION
        programs.note(result, f"{traceback.format_exc()}\nRemaining files:\n{listed}")
        self.push_result(result)


def input_of(stdin: Stdin) -> tuple[bytes | None, str | None]:
    """See `testloom.drivers.programs.input_of`; a file that cannot be read ends the test."""
    try:
        return programs.input_of(stdin)
    except OSError as error:
        raise TestAbortWithError(f"cannot read stdin ({_named(error)})") from error


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _is_decimal(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) is not None
