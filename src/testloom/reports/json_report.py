"""The run as one strict JSON document, for programs.

Every result has the same keys; those that are not a plain PASS have ``details`` with their
logs, each cut to 64 KiB.  Text is valid Unicode: what is not is escaped.  Times that are not
numbers are null.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.details import Details, details_of, needs_details
from testloom.reports.strict_json import json_text

FORMAT: Final = "testloom-results"
VERSION: Final = 1
"""Increased when a key changes its meaning or goes away; new keys may come at any time."""


class JsonReport:
    """The ``json`` report."""

    name: Final = "json"
    default_file: Final = "results.json"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "run": _run(summary.run),
            "counts": {status.name: count for status, count in summary.counts.items()},
            "passed": summary.passed,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "notes": list(summary.notes),
        }
        yield f'{json_text(head)[:-1]},"results":['
        before = "\n"
        for entry in summary.entries:
            details = details_of(summary, entry) if needs_details(entry) else None
            yield before + json_text(_result(entry, details))
            before = ",\n"
        yield "\n]}\n"


def _run(run: RunInfo) -> dict[str, Any]:
    """Return what the document says of the run: not what it ran in, which is for people."""
    told = dataclasses.asdict(run)
    del told["environment"], told["versions"]
    return told


def _result(entry: ResultEntry, details: Details | None) -> dict[str, Any]:
    result = {
        "name": entry.name,
        "test": entry.test,
        "status": entry.status.name,
        "message": entry.message,
        "reason": entry.reason,
        "failure_reasons": entry.failure_reasons,
        "time_s": entry.time_s,
        "cpu_s": entry.cpu_s,
        "slot": entry.slot,
        "started_s": entry.started_s,
        "driver": entry.driver,
        "source": entry.source,
        "line": entry.line,
        "tags": entry.tags,
        "info": dict(entry.info),
    }
    if details is not None:
        result["details"] = {
            "log": details.log,
            "diff": details.diff,
            "expected": details.expected,
            "out": details.out,
        }
    return result
