"""A driver that compares what programs write with what they are known to write: a baseline."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from testloom.drivers import programs
from testloom.drivers.classic import ClassicTestDriver
from testloom.drivers.diff_text import unified
from testloom.drivers.keeping import like
from testloom.drivers.refiners import (
    CanonicalizeLineEndings,
    LineByLine,
    OutputRefiner,
    PatternSubstitute,
    RefiningChain,
    ReplacePath,
    Substitute,
)
from testloom.model import reason
from testloom.model.errors import TestAbortWithError
from testloom.model.log import Log
from testloom.model.status import FailureReason
from testloom.processes.files import read_whole, write_whole

__all__ = [
    "CanonicalizeLineEndings",
    "ClassicTestDriver",
    "DiffTestDriver",
    "LineByLine",
    "OutputRefiner",
    "PatternSubstitute",
    "RefiningChain",
    "ReplacePath",
    "Substitute",
]

T = TypeVar("T", str, bytes)


class DiffTestDriver(ClassicTestDriver):
    """Fails a test whose output is not what its baseline says.

    These keys of ``test.yaml`` have a meaning: ``baseline_file`` (``test.out``),
    ``baseline_regexp`` (the baseline is a regular expression that all of the output must match),
    ``strict_line_endings``, ``diff_context_size`` (1), ``encoding``.
    """

    failing_diff_count: int = 0
    """How many comparisons failed so far."""

    @property
    def baseline_file(self) -> tuple[str, bool]:
        """Name of the baseline in the test's directory, and whether it is a regular expression."""
        return (
            self.test_env.get("baseline_file", "test.out"),
            bool(self.test_env.get("baseline_regexp", False)),
        )

    @property
    def baseline(self) -> tuple[str | None, Any, bool]:
        """Absolute path of the baseline, its content, and whether it is a regular expression.

        The path is None if the baseline does not come from a file.  The content is text, or bytes
        if the encoding is ``binary``.

        Raises:
            TestAbortWithError: the file cannot be read.
        """
        name, is_regexp = self.baseline_file
        path = self.test_dir(name)
        encoding = self.default_encoding
        content: str | bytes
        try:
            content = read_whole(path)
            if encoding != "binary":
                content = content.decode(encoding)
        except FileNotFoundError as error:
            if not self.rewrite_baseline:
                raise self._unreadable(error) from error
            content = b"" if encoding == "binary" else ""
        except (OSError, ValueError, LookupError) as error:
            raise self._unreadable(error) from error
        return path, content, is_regexp

    @property
    def rewrite_baseline(self) -> bool:
        """Whether to write the output over a baseline that differs from it."""
        wanted = bool(getattr(self.env, "rewrite_baselines", False))
        return wanted and not self.test_control.xfail

    @property
    def output_refiners(self) -> Sequence[OutputRefiner[Any]]:
        """What is done to the output before it is compared."""
        if self.test_env.get("strict_line_endings", False):
            return []
        return [CanonicalizeLineEndings()]

    @property
    def refine_baseline(self) -> bool:
        """Whether to do the same to the baseline."""
        return True

    @property
    def diff_ignore_white_chars(self) -> bool:
        """Whether white space at the ends of lines, and empty lines, make no difference."""
        return False

    @property
    def diff_context_size(self) -> int:
        """How many equal lines to show around each difference."""
        return int(self.test_env.get("diff_context_size", 1))

    def compute_failures(self) -> list[str]:
        """Compare `output` with `baseline`."""
        path, baseline, is_regexp = self.baseline
        if is_regexp:
            failures = self.compute_regexp_match(baseline, self.output.log)
            if failures and path is not None:
                self.note_difference(path, None, "")
            return failures
        return self.compute_diff(path, baseline, self.output.log)

    def compute_diff(
        self,
        baseline_file: str | None,
        baseline: T,
        actual: T,
        failure_message: str = "unexpected output",
        ignore_white_chars: bool | None = None,
        context_size: int | None = None,
        truncate_logs_threshold: int | None = None,
    ) -> list[str]:
        """Compare *actual* with *baseline*; log and keep the difference.

        If the run rewrites baselines, the file is overwritten; the test fails all the same.

        Args:
            baseline_file: absolute path of the baseline, None if it is in no file.
            baseline: what is expected.
            actual: what there is; `output_refiners` are applied here.
            failure_message: what to say if the two differ.
            ignore_white_chars: as `diff_ignore_white_chars`, which counts if this is None.
            context_size: as `diff_context_size`, which counts if this is None.
            truncate_logs_threshold: how many lines of each end of the difference to log.

        Returns:
            The failure in a list; an empty one if there is no difference.
        """
        refiner = RefiningChain(self.output_refiners)
        actual = refiner.refine(actual)
        if self.refine_baseline:
            baseline = refiner.refine(baseline)
        if actual == baseline:
            return []
        expected, out = programs.text_of(baseline), programs.text_of(actual)
        difference = unified(
            expected,
            out,
            context=self.diff_context_size if context_size is None else context_size,
            ignore_white_chars=(
                self.diff_ignore_white_chars if ignore_white_chars is None else ignore_white_chars
            ),
        )
        if not difference:
            return []
        if baseline_file is not None and self.rewrite_baseline:
            self._write_baseline(baseline_file, actual)
            failure_message = f"{failure_message} (baseline updated)"
        elif baseline_file is not None:
            self.note_difference(baseline_file, actual, difference)
        self._keep_difference(failure_message, difference, expected, out, truncate_logs_threshold)
        return [failure_message]

    def compute_regexp_match(
        self,
        regexp: T | re.Pattern[T],
        actual: T,
        failure_message: str = "output does not match expected pattern",
        truncate_logs_threshold: int | None = None,
    ) -> list[str]:
        """Check that all of *actual*, refined, matches *regexp*, which is taken as it is.

        Returns:
            The failure in a list; an empty one if it matches.

        Raises:
            TestAbortWithError: *regexp* is no regular expression.
        """
        try:
            pattern = re.compile(regexp)
        except re.error as error:
            self.result.reason = reason.CONFIG
            raise TestAbortWithError(f"invalid pattern in baseline: {error}") from error
        actual = RefiningChain(self.output_refiners).refine(actual)
        if pattern.fullmatch(actual):
            return []
        lines = self._logged_lines if truncate_logs_threshold is None else truncate_logs_threshold
        shown = programs.indented(_cut(programs.text_of(actual), lines))
        wanted = programs.indented(_cut(programs.text_of(pattern.pattern), lines))
        self._note_failure(
            f"{failure_message}:\n{shown}\nDoes not match the expected pattern:\n{wanted}"
        )
        return [failure_message]

    def note_difference(self, path: str, actual: str | bytes | None, difference: str) -> None:
        """Keep *actual* for those who want to make it the baseline in *path*.

        None stands for an output that does not match the pattern in *path*.
        """
        if getattr(self.env, "failures_dir", ""):
            with contextlib.suppress(UnicodeEncodeError):
                content = None if actual is None else self._encoded(path, actual)
                self.keeping.difference(path, content, difference)

    def _keep_difference(
        self, message: str, difference: str, expected: str, out: str, line_count: int | None
    ) -> None:
        """Put a difference into the result: the first with both sides, more of them without."""
        result = self.result
        block = f"Diff failure: {message}\n{difference}"
        lines = self._logged_lines if line_count is None else line_count
        self._note_failure(f"\n{programs.cut(block, lines)}")
        if result.diff is None:
            result.expected, result.out, result.diff = Log(expected), Log(out), Log(block)
        else:
            result.expected = result.out = None
            result.diff = Log(f"{result.diff}\n{block}")

    def _note_failure(self, log: str) -> None:
        result = self.result
        self.failing_diff_count += 1
        result.failure_reasons.add(FailureReason.DIFF)
        result.reason = result.reason or reason.DIFF
        programs.note(result, log)

    def _unreadable(self, error: Exception) -> TestAbortWithError:
        self.result.reason = reason.CONFIG
        return TestAbortWithError(f"cannot read baseline file ({type(error).__name__}: {error})")

    def _write_baseline(self, path: str, content: str | bytes) -> None:
        try:
            write_whole(os.path.realpath(path), self._encoded(path, content))  # a link stays one
        except (OSError, UnicodeEncodeError) as error:
            raise TestAbortWithError(
                f"cannot write baseline file ({type(error).__name__}: {error})"
            ) from error

    def _encoded(self, path: str, content: str | bytes) -> bytes:
        """Return *content* as it has to be in the file *path*."""
        if isinstance(content, str):
            content = content.encode(self.default_encoding)
        if any(isinstance(each, CanonicalizeLineEndings) for each in self.output_refiners):
            return like(path, content)
        return content


def _cut(text: str, line_count: int) -> str:
    """Return *text* cut to its first and last lines if it has more than twice *line_count*."""
    return text if text.count("\n") < 2 * line_count else programs.cut(text, line_count)
