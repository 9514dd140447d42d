"""The run as one strict JSON document, for programs.

Every result has the same keys.  Those that are not a plain PASS have ``details`` with their logs,
each cut to 64 KiB; those of a test that was tried again have the ``earlier`` ones.  Text is valid
Unicode: what is not is escaped.  Times that are not numbers are null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from testloom.model.compare import Comparison
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.details import details_of, needs_details
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
            "flaky": summary.flaky,
            "notes": list(summary.notes),
            "changes": _changes(summary.changes),
        }
        yield f'{json_text(head)[:-1]},"results":['
        before = "\n"
        for entry in summary.entries:
            yield before + json_text(_result(summary, entry))
            before = ",\n"
        yield "\n]}\n"


def _run(run: RunInfo) -> dict[str, Any]:
    """Return what the document says of the run: not what it ran in, which is for people."""
    told: dict[str, Any] = msgspec.to_builtins(run)
    del told["environment"], told["versions"]
    return told


def _changes(changes: Comparison | None) -> dict[str, Any] | None:
    """Return the names of what changed since each test ran last."""
    if changes is None:
        return None
    kinds = ("new", "still", "fixed", "silenced", "not_run", "added", "gone", "slower")
    names = {kind: [change.name for change in getattr(changes, kind)] for kind in kinds}
    return {"against": changes.against, **names}


def _result(summary: Summary, entry: ResultEntry) -> dict[str, Any]:
    heading = {"name": entry.name, "test": entry.test, "status": entry.status.name}
    result: dict[str, Any] = {**heading, **entry.facts()}
    if entry.earlier:
        result["earlier"] = [_result(summary, earlier) for earlier in entry.earlier]
    if needs_details(entry):
        details = details_of(summary, entry)
        result["details"] = {
            "log": details.log,
            "diff": details.diff,
            "expected": details.expected,
            "out": details.out,
        }
    return result
