"""testloom's drivers, with what suites of e3-testsuite see of theirs.

What differs from testloom's own: a result can be saved, the message of a program that failed is
always ``non-zero status code``, and no fragment has a limit unless ``--timeout`` sets one:
``timeout`` in a ``test.yaml`` is that of one program, or whatever the suite makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from testloom import drivers as native
from testloom.compat.e3_modules.results import TestResult
from testloom.drivers import ProcessResult, ResultQueueItem
from testloom.drivers.classic import TIMEOUT_OUTPUT_BYTES_RE, TIMEOUT_OUTPUT_STR_RE
from testloom.drivers.programs import DEVNULL, Stdin
from testloom.model import reason
from testloom.model.errors import (
    TestAbortWithError,
    TestAbortWithFailure,
    TestSkip,
)
from testloom.model.result import TestResult as NativeResult
from testloom.model.status import FailureReason

__all__ = [
    "BasicTestDriver",
    "ClassicTestDriver",
    "DiffTestDriver",
    "ProcessResult",
    "ResultQueueItem",
    "TestDriver",
]

_STATUS_TIMED_OUT = 2


class TestDriver(native.TestDriver):
    """Runs one kind of test."""

    @property
    def result(self) -> NativeResult:
        """The result named after the test; an ERROR until it is given another status."""
        result = self._result
        if result is None:
            result = self._result = TestResult(
                self.test_name, env=self.test_env, test_matcher=self._matcher()
            )
        return result

    @result.setter
    def result(self, value: NativeResult) -> None:
        self._result = value

    @property
    def fragment_timeout_s(self) -> float | None:
        """No limit of its own."""
        return None


class BasicTestDriver(TestDriver, native.BasicTestDriver):
    """Runs `set_up`, `run`, `analyze` and `tear_down`, one after the other."""


class ClassicTestDriver(TestDriver, native.ClassicTestDriver):
    """Runs a test in one fragment."""

    def run(self) -> None:
        """Do what the test is about; a driver without it fails when it runs, not before."""
        raise NotImplementedError

    def run_wrapper(self, prev: dict[str, Any], slot: int) -> None:
        try:
            super().run_wrapper(prev, slot)
        except (TestSkip, TestAbortWithError, TestAbortWithFailure) as error:
            # Raised where nothing looks for them, such as `tear_down`: they must not be taken for
            # a `TestAbort`, which ends a test silently.
            raise RuntimeError(f"{type(error).__name__} was raised outside of the test") from error

    def _push_skipped(self) -> None:
        """Push the result of a test that its control says not to run."""
        if self.test_control.xfail:
            self.push_failure(self.test_control.message)
        else:
            self.push_skip(self.test_control.message)

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
        """Run a program to its end; see testloom's `ClassicTestDriver.shell`."""
        result = super().shell(
            args,
            cwd,
            env,
            catch_error=False,
            analyze_output=analyze_output,
            timeout=timeout,
            encoding=encoding,
            truncate_logs_threshold=truncate_logs_threshold,
            ignore_environ=ignore_environ,
            stdin=stdin,
        )
        if catch_error and result.status != 0:
            if result.timed_out:
                self.result.failure_reasons.add(FailureReason.TIMEOUT)
                self.result.reason = self.result.reason or reason.TIMEOUT
            raise TestAbortWithFailure("non-zero status code")
        return result

    def process_may_have_timed_out(self, result: ProcessResult) -> bool:
        """Tell whether the program of *result* was ended because its time was up."""
        if result.timed_out:
            return True
        if result.status != _STATUS_TIMED_OUT:
            return False
        if isinstance(result.out, bytes):
            return bool(TIMEOUT_OUTPUT_BYTES_RE.search(result.out))
        return bool(TIMEOUT_OUTPUT_STR_RE.search(result.out))


class DiffTestDriver(ClassicTestDriver, native.DiffTestDriver):
    """Fails a test whose output is not what its baseline says.

    Only such a failure is marked as a difference: what a suite finds by calling `compute_diff` is
    what the suite says it is.
    """

    def compute_failures(self) -> list[str]:
        failures = super().compute_failures()
        if failures:
            self.result.failure_reasons.add(FailureReason.DIFF)
        return failures

    def _note_failure(self, log: str) -> None:
        reasons = set(self.result.failure_reasons)
        super()._note_failure(log)
        self.result.failure_reasons = reasons
