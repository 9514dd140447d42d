"""The index of a directory of results: ``_index.json`` and what it stands for."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any, ClassVar

from testloom.compat.e3_modules.results import (
    KNOWN_REASONS,
    FailureReason,
    TestResult,
    TestResultSummary,
    TestStatus,
)
from testloom.model.result import TestResult as NativeResult
from testloom.processes.files import write_whole


@dataclasses.dataclass
class ReportIndexEntry:
    """One result of an index; its logs are on disk."""

    index: ReportIndex
    summary: TestResultSummary
    filename: str
    """Of the result's file, relative to the directory of the index."""

    @property
    def test_name(self) -> str:
        return self.summary.test_name

    @property
    def status(self) -> TestStatus:
        return self.summary.status

    @property
    def msg(self) -> str | None:
        return self.summary.msg

    @property
    def failure_reasons(self) -> set[FailureReason]:
        return self.summary.failure_reasons

    @property
    def time(self) -> float | None:
        return self.summary.time

    @property
    def info(self) -> dict[str, str]:
        return self.summary.info

    def load(self) -> NativeResult:
        """Return the result with its logs."""
        if self.index.loader is not None:
            return self.index.loader(self.test_name)
        return TestResult.load(os.path.join(self.index.results_dir, self.filename))


class ReportIndex:
    """The results in a directory."""

    INDEX_FILENAME: ClassVar[str] = "_index.json"
    INDEX_MAGIC: ClassVar[str] = "e3.testsuite.report.index.ReportIndex:1"

    def __init__(self, results_dir: str) -> None:
        self.results_dir = results_dir
        self.entries: dict[str, ReportIndexEntry] = {}
        self.status_counters: dict[TestStatus, int] = dict.fromkeys(TestStatus, 0)
        self.duration: float | None = None
        """Seconds that the run took."""
        self.loader: Callable[[str], NativeResult] | None = None
        """Knows a faster way to a result than its file, while the run goes on."""

    def save_and_add_result(self, result: TestResult) -> None:
        """Write the file of *result* and add it."""
        self.add_result(result.summary, result.save(self.results_dir))

    def add_result(self, result: TestResultSummary, filename: str) -> None:
        """Add a result whose file is there already."""
        self.entries[result.test_name] = ReportIndexEntry(self, result, filename)
        self.status_counters[result.status] += 1

    @property
    def has_failures(self) -> bool:
        """Whether there is a FAIL or an ERROR."""
        return any(status.is_bad and count for status, count in self.status_counters.items())

    @classmethod
    def read(cls, results_dir: str) -> ReportIndex:
        """Return the index of *results_dir*.

        Raises:
            OSError: there is none.
            AssertionError: the file is no index.
        """
        index = cls(results_dir)
        with open(os.path.join(results_dir, cls.INDEX_FILENAME), "rb") as file:
            data = file.read()
        try:
            index._fill(json.loads(data))
        except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
            what = f"{results_dir}: {cls.INDEX_FILENAME} is not an index of results"
            raise AssertionError(what) from error
        return index

    def _fill(self, content: Any) -> None:
        if content["magic"] != self.INDEX_MAGIC:
            raise ValueError(content["magic"])
        self.duration = content.get("duration")
        for entry in content["entries"]:
            summary = TestResultSummary(
                test_name=entry["test_name"],
                status=TestStatus[entry["status"]],
                msg=entry["msg"],
                failure_reasons={FailureReason[name] for name in entry["failure_reasons"]},
                time=entry["time"],
                info=entry["info"],
            )
            self.add_result(summary, entry["filename"])

    def write(self) -> None:
        """Write ``_index.json``."""
        content = {
            "magic": self.INDEX_MAGIC,
            "duration": self.duration,
            "entries": [_row(entry) for entry in self.entries.values()],
        }
        path = os.path.join(self.results_dir, self.INDEX_FILENAME)
        write_whole(path, json.dumps(content))


def _row(entry: ReportIndexEntry) -> dict[str, Any]:
    return {
        "test_name": entry.test_name,
        "status": entry.status.name,
        "msg": entry.msg,
        "failure_reasons": sorted(reason.name for reason in entry.failure_reasons & KNOWN_REASONS),
        "time": entry.time,
        "info": entry.info,
        "filename": entry.filename,
    }
