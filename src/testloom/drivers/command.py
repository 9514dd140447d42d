"""The driver of suites that need no Python: ``test.yaml`` says what to run and what to expect.

See `testloom.drivers.command_spec` for the keys.  What a stream is compared with:

- ``stdout`` and ``stderr``, where given, each apply to that stream alone;
- otherwise, if the test's directory has a ``test.out``, it is the baseline of what the program
  writes: of stdout and stderr together, in the order written, unless ``stderr`` is given;
- otherwise nothing is compared, and the exit status alone decides.

When the run rewrites baselines, files named by ``stdout``, ``stderr`` and an existing ``test.out``
are overwritten, provided that the program ended as expected.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from typing import Any, Final, assert_never

from testloom.drivers import programs
from testloom.drivers.base import TestDriver, seconds_or_none
from testloom.drivers.classic import DEFAULT_TIMEOUT_S
from testloom.drivers.command_spec import (
    CommandSpec,
    Expectation,
    InFile,
    Inline,
    Matching,
    parse,
)
from testloom.drivers.control import TestControl, TestControlCreator, YAMLTestControlCreator
from testloom.drivers.diff import DiffTestDriver
from testloom.drivers.diff_text import counts, unified
from testloom.drivers.refiners import RefiningChain
from testloom.model.errors import TestAbortWithError
from testloom.model.outcome import Exited, Killed, NotStarted, ProgramEnd, headline
from testloom.model.status import signal_name
from testloom.processes.files import read_whole
from testloom.processes.launcher import GRACE_S, Program, ProgramRun
from testloom.processes.launcher import run as run_program

BASELINE: Final = "test.out"
_MARGIN_S: Final = 5.0


class CommandDriver(DiffTestDriver):
    """Runs the command of a ``test.yaml`` and compares how it ended and what it wrote."""

    ended: ProgramRun
    """What came of the command; known after `run`."""
    ended_well: bool
    """Whether it ended as the test expects; known after `compute_failures` looked."""

    def __init__(self, env: Any, test_env: dict[str, Any]) -> None:
        super().__init__(env, test_env)
        # Only checked here: many drivers wait, few run.
        parse(test_env, root=str(getattr(env, "root_dir", "") or ""))

    @functools.cached_property
    def spec(self) -> CommandSpec:
        """What the test says."""
        return parse(self.test_env)

    @property
    def copy_test_directory(self) -> bool:
        """``copy`` of the test; without, the program runs in the test's own directory."""
        return self.spec.copy

    @property
    def default_process_timeout(self) -> float:
        """``timeout`` of the test, else of the run, else five minutes."""
        return (
            seconds_or_none(self.test_env.get("timeout"))
            or seconds_or_none(getattr(self.testsuite_options, "timeout", None))
            or float(DEFAULT_TIMEOUT_S)
        )

    @property
    def fragment_timeout_s(self) -> float:
        """The time of the program, and that to end it and to compare."""
        return self.default_process_timeout + GRACE_S + _MARGIN_S

    @property
    def test_control_creator(self) -> TestControlCreator:
        return _Requirements(YAMLTestControlCreator({}))

    def run(self) -> None:
        """Run the command."""
        spec = self.spec
        base = self.working_dir() if spec.copy else self.test_dir()
        program = Program(
            argv=spec.argv,
            cwd=os.path.join(base, spec.cwd) if spec.cwd else base,
            env=programs.environment(spec.env) if spec.env else None,
            stdin=spec.stdin.text.encode() if isinstance(spec.stdin, Inline) else None,
            stdin_file=self._input_file(spec),
            timeout_s=self.default_process_timeout,
            idle_timeout_s=self.idle_timeout_s,
            output_limit_bytes=spec.output_limit_bytes or self._output_limit_bytes,
            memory_limit_bytes=spec.memory_bytes or self.memory_limit_bytes,
            merge_stderr=spec.stdout is None and spec.stderr is None,
        )
        programs.note(self.result, programs.heading(spec.argv, program.cwd or ""))
        self.keeping.program(program)
        self.ended = run_program(program)
        programs.record(
            self.result,
            self.ended,
            argv=spec.argv,
            cwd=program.cwd or "",
            output=_shown(self.ended.output),
            errors=None if program.merge_stderr else _shown(self.ended.errors),
            line_count=self._logged_lines,
        )

    def compute_failures(self) -> list[str]:
        """Return what differs from what the test expects.

        Raises:
            TestAbortWithError: the program could not be started, or a baseline cannot be read.
        """
        spec, end = self.spec, self.ended.end
        if isinstance(end, NotStarted):
            raise TestAbortWithError(programs.blame(self.result, end))
        failures = []
        self.ended_well = _is_expected(end, spec)
        if not self.ended_well:
            message = programs.blame(self.result, end)
            if isinstance(end, Exited | Killed):
                message = f"{headline(end)} (expected {_expected_ends(spec)})"
            failures.append(message)
            if not isinstance(end, Exited | Killed):
                return failures  # what it wrote until we ended it is in the log
        if spec.stdout is not None:
            failures += self._compare("stdout", self.ended.output, spec.stdout)
        elif os.path.exists(self.test_dir(BASELINE)):
            failures += self._compare("output", self.ended.output, InFile(BASELINE))
        if spec.stderr is not None:
            failures += self._compare("stderr", self.ended.errors, spec.stderr)
        return failures

    def tear_down(self) -> None:
        if self.spec.copy:  # else there is no working directory
            super().tear_down()

    def _input_file(self, spec: CommandSpec) -> str | None:
        return self.test_dir(spec.stdin.name) if isinstance(spec.stdin, InFile) else None

    def _compare(self, stream: str, actual: bytes, expected: Expectation) -> list[str]:
        """Return how *actual*, what the program wrote to *stream*, differs from *expected*."""
        match expected:
            case Inline(text):
                return self._compare_texts(f"{stream} differs:", text.encode(), actual, None)
            case InFile(name):
                path = self.test_dir(name)
                return self._compare_texts(
                    f"{stream} differs: {name}", self._content(path), actual, path
                )
            case Matching(pattern):
                text = _shown(RefiningChain(self.output_refiners).refine(actual))
                if re.search(pattern, text, re.MULTILINE):
                    return []
                message = f"{stream} does not match {pattern!r}"
                self._note_failure(
                    f"\n{message}:\n{programs.indented(programs.cut(text, self._logged_lines))}\n"
                )
                return [message]
            case _:
                assert_never(expected)

    def _compare_texts(
        self, message: str, expected: bytes, actual: bytes, path: str | None
    ) -> list[str]:
        refiner = RefiningChain(self.output_refiners)
        actual, expected = refiner.refine(actual), refiner.refine(expected)
        if actual == expected:
            return []
        old, new = _both_shown(expected, actual)
        difference = unified(old, new, context=self.diff_context_size)
        if not difference:
            return []
        added, removed = counts(difference)
        message = f"{message} +{added} -{removed}"
        if path is not None and self.rewrite_baseline and self.ended_well:
            self._write_baseline(path, actual)
            message = f"{message} (baseline updated)"
        elif path is not None and self.ended_well:
            self.note_difference(path, actual, difference)
        self._keep_difference(message, difference, old, new, None)
        return [message]

    def _content(self, path: str) -> bytes:
        try:
            return read_whole(path)
        except FileNotFoundError as error:
            if self.rewrite_baseline:
                return b""
            raise self._unreadable(error) from error
        except OSError as error:
            raise self._unreadable(error) from error


class _Requirements(TestControlCreator):
    """Skips a test whose required programs are missing, after what its ``control`` says."""

    def __init__(self, inner: TestControlCreator) -> None:
        self._inner = inner

    def create(self, driver: TestDriver) -> TestControl:
        assert isinstance(driver, CommandDriver)
        control = self._inner.create(driver)
        spec = driver.spec
        if control.skip or not spec.requires:
            return control
        path = programs.environment(spec.env).get("PATH", os.defpath)
        missing = [name for name in spec.requires if not _is_on_path(name, path)]
        if not missing:
            return control
        names = ", ".join(repr(name) for name in missing)
        verb = "is" if len(missing) == 1 else "are"
        return TestControl(f"requires {names}, which {verb} not on PATH", skip=True)


@functools.lru_cache(maxsize=1024)
def _is_on_path(name: str, path: str) -> bool:
    return shutil.which(name, path=path) is not None


def _is_expected(end: ProgramEnd, spec: CommandSpec) -> bool:
    if spec.ends is None:
        return isinstance(end, Exited)
    return end in spec.ends


def _expected_ends(spec: CommandSpec) -> str:
    if spec.ends is None:
        return "any exit status"
    codes = sorted(end.code for end in spec.ends if isinstance(end, Exited))
    signals = sorted(end.signal for end in spec.ends if isinstance(end, Killed))
    return " or ".join([*map(str, codes), *map(signal_name, signals)])


def _shown(content: bytes) -> str:
    """Return *content* as text; escaped throughout if it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return programs.text_of(content)


def _both_shown(expected: bytes, actual: bytes) -> tuple[str, str]:
    """Return both as text, escaped alike: what differs in bytes differs in text."""
    try:
        return expected.decode("utf-8"), actual.decode("utf-8")
    except UnicodeDecodeError:
        return programs.text_of(expected), programs.text_of(actual)
