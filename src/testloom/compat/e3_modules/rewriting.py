"""Rewrites baselines from the results of a run that is over."""

from __future__ import annotations

import abc
import dataclasses
import glob
import os
import sys
from typing import Final

from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import FailureReason, TestStatus, plain
from testloom.compat.e3_modules.utils import ColorConfig
from testloom.model.result import TestResult
from testloom.processes.files import write_whole

_FINE: Final = frozenset(
    {"OK", "O", "UOK", "U", "XFAIL", "X", "DEAD", "D", "NOT-APPLICABLE", "N", "VERIFY", "V"}
)
"""GAIA's words, and their first letters, for tests whose baselines need nothing."""
_STATUSES: Final = frozenset(
    {TestStatus.PASS, TestStatus.XPASS, TestStatus.XFAIL, TestStatus.SKIP}
    | {TestStatus.NOT_APPLICABLE, TestStatus.VERIFY}
)


class RewritingError(Exception):
    """There is nothing to rewrite from."""


@dataclasses.dataclass
class RewritingSummary:
    """What became of the baselines, by names of tests."""

    errors: set[str]
    updated_baselines: set[str]
    new_baselines: set[str]
    deleted_baselines: set[str]


class BaseBaselineRewriter(abc.ABC):
    """Rewrites the baselines of tests that failed for nothing but a difference.

    Args:
        colors: how messages are coloured.
        default_encoding: of baselines of tests that do not say it themselves.
    """

    def __init__(self, colors: ColorConfig, default_encoding: str = "utf-8") -> None:
        self.colors = colors
        self.default_encoding = default_encoding

    @abc.abstractmethod
    def baseline_filename(self, test_name: str) -> str:
        """Return the path of the baseline of test *test_name*."""

    def postprocess_baseline(self, baseline: bytes) -> bytes:
        """Return *baseline* as it is to be written."""
        return baseline

    def rewrite(self, results_dir: str) -> RewritingSummary:
        """Rewrite the baselines of the tests whose results are in *results_dir*.

        Raises:
            RewritingError: there are no results.
        """
        summary = RewritingSummary(set(), set(), set(), set())
        if os.path.exists(os.path.join(results_dir, ReportIndex.INDEX_FILENAME)):
            self.rewrite_from_index(summary, ReportIndex.read(results_dir))
            return summary
        results = sorted(glob.glob(os.path.join(glob.escape(results_dir), "*.result")))
        if not results:
            raise RewritingError(f"could not find testsuite results in {results_dir}")
        self.rewrite_from_gaia(summary, results)
        return summary

    def rewrite_from_index(self, summary: RewritingSummary, index: ReportIndex) -> None:
        """Rewrite from the results of *index*."""
        for name, entry in index.entries.items():
            if entry.status is TestStatus.FAIL and entry.failure_reasons == {FailureReason.DIFF}:
                result = entry.load()
                out = plain(result.out)
                if out is None:
                    self.handle_test_error(summary, name, "missing test output")
                    continue
                encoding = (result.env or {}).get("encoding", self.default_encoding)
                self.rewrite_from_result(summary, result, out, encoding)
            elif entry.status not in _STATUSES:
                self.handle_test_error(summary, name, _reason(entry.status, entry.msg))

    def rewrite_from_result(
        self, summary: RewritingSummary, result: TestResult, output: str | bytes, encoding: str
    ) -> None:
        """Rewrite the baseline of *result* to *output*."""
        self.handle_test_diff(summary, result.test_name, output, encoding)

    def rewrite_from_gaia(self, summary: RewritingSummary, results: list[str]) -> None:
        """Rewrite from GAIA's files ``*.result``."""
        for path in results:
            stem = path.removesuffix(".result")
            name = os.path.basename(stem)
            with open(path, encoding="utf-8", errors="replace") as file:
                status, _, message = file.read().strip().partition(":")
            if status == "DIFF":
                try:
                    with open(f"{stem}.out", "rb") as out:
                        content = out.read()
                except OSError:
                    self.handle_test_error(summary, name, "missing test output")
                else:
                    self.handle_test_diff(summary, name, content, "binary")
            elif status not in _FINE:
                reason = f"{status}: {message}" if message else status
                self.handle_test_error(summary, name, reason)

    def handle_test_error(self, summary: RewritingSummary, test_name: str, reason: str) -> None:
        """Note that the baseline of *test_name* cannot be rewritten."""
        summary.errors.add(test_name)
        self.print_warning(f"cannot update baseline for {test_name}: {reason}")

    def handle_test_diff(
        self,
        summary: RewritingSummary,
        test_name: str,
        new_baseline: bytes | str,
        encoding: str,
    ) -> None:
        """Write *new_baseline*; if there is nothing in it, remove the file."""
        if isinstance(new_baseline, str):
            encoding = self.default_encoding if encoding == "binary" else encoding
            new_baseline = new_baseline.encode(encoding)
        path = self.baseline_filename(test_name)
        content = self.postprocess_baseline(new_baseline)
        exists = os.path.isfile(path)
        if not content:
            if exists:
                self.print_info(f"baseline file found for {test_name}, deleting it")
                os.unlink(path)
                summary.deleted_baselines.add(test_name)
            return
        if exists:
            summary.updated_baselines.add(test_name)
        else:
            self.print_info(f"no baseline file for {test_name}, creating it")
            summary.new_baselines.add(test_name)
        write_whole(path, content)

    def print_stderr(self, message: str, prefix: str, style: str = "") -> None:
        """Show *message* on the standard error output."""
        reset = self.colors.Style.RESET_ALL if style else ""
        print(f"{style}{prefix}{reset}: {message}", file=sys.stderr)  # noqa: T201 - its purpose

    def print_info(self, message: str) -> None:
        self.print_stderr(message, "INFO", self.colors.Style.BRIGHT)

    def print_warning(self, message: str) -> None:
        self.print_stderr(message, "WARNING", self.colors.Fore.YELLOW)

    def print_error(self, message: str) -> None:
        self.print_stderr(message, "ERROR", self.colors.Fore.RED)


def _reason(status: TestStatus, message: str | None) -> str:
    return f"{status.name}: {message}" if message else status.name
