"""GAIA's form of a run: a directory with a list of results, and a file for each part of each one.

The list is called ``results``; a line of it is ``NAME:STATUS:MESSAGE``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from testloom.model import records
from testloom.model.log import Log
from testloom.model.names import path_for, shown_line
from testloom.model.result import TestResult
from testloom.model.status import FailureReason, TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.beside import NOWHERE, FilesBeside

STATUS_WORDS: Final = {
    TestStatus.PASS: "OK",
    TestStatus.FAIL: "FAIL",
    TestStatus.XFAIL: "XFAIL",
    TestStatus.XPASS: "UOK",
    TestStatus.VERIFY: "VERIFY",
    TestStatus.SKIP: "DEAD",
    TestStatus.NOT_APPLICABLE: "NOT-APPLICABLE",
    TestStatus.ERROR: "PROBLEM",
}
REASON_WORDS: Final = {
    FailureReason.CRASH: "CRASH",
    FailureReason.TIMEOUT: "TIMEOUT",
    FailureReason.MEMCHECK: "PROBLEM",
    FailureReason.DIFF: "DIFF",
}
"""In this order: the first one that a failure has is what is shown."""


class GaiaReport:
    """The ``gaia`` report."""

    name: Final = "gaia"
    default_file: Final = "gaia"
    main_file: Final = "results"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the list of results only."""
        return self.write_with_files(summary, NOWHERE)

    def write_with_files(self, summary: Summary, files: FilesBeside) -> Iterator[str]:
        """Yield the list of results, and put what each consists of into *files*."""
        for entry in summary.entries:
            known = FailureReason.__members__
            reasons = {known[name] for name in entry.failure_reasons if name in known}
            word = word_for(entry.status, reasons)
            yield line_of(entry.name, word, entry.message)
            if files.directory:
                stem = path_for(entry.name)
                for part, content in parts_of(_result(summary, entry)).items():
                    files.add(f"{stem}.{part}", content)


def word_for(status: TestStatus, failure_reasons: Collection[FailureReason]) -> str:
    """Return GAIA's word for *status*."""
    if status is TestStatus.FAIL:
        for reason, word in REASON_WORDS.items():
            if reason in failure_reasons:
                return word
    return STATUS_WORDS[status]


def line_of(name: str, word: str, message: str | None) -> str:
    """Return the line of a result in the list; what would break it is written as an escape."""
    return f"{shown_line(name)}:{word}:{shown_line(message or '')}\n"


def parts_of(result: TestResult) -> dict[str, str | bytes]:
    """Return the content of the files of *result*, by the ends of their names."""
    word = word_for(result.status, result.failure_reasons)
    parts: dict[str, object] = {
        "result": f"{word}:{result.msg or ''}\n",
        "log": result.log,
        "expected": result.expected,
        "out": result.out,
        "diff": result.diff,
        "time": None if result.time is None else f"{result.time:.9f}",
        "info": "\n".join(f"{k}:{v}" for k, v in sorted(result.info.items())) or None,
    }
    return {part: _plain(content) for part, content in parts.items() if content is not None}


def _result(summary: Summary, entry: ResultEntry) -> TestResult:
    try:
        result = records.result_of(summary.load(entry))
    except OSError as error:
        result = TestResult(entry.name, status=entry.status, msg=entry.message)
        result.log = Log(f"the logs of this result are lost: {error}\n")
    if result.time is None:
        result.time = entry.time_s
    return result


def _plain(content: object) -> str | bytes:
    plain = content.log if isinstance(content, Log) else content
    return plain if isinstance(plain, bytes) else str(plain)
