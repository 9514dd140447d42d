"""CTRF, the Common Test Report Format: JSON that tools of many frameworks exchange.

Its statuses are fewer than ours; ``rawStatus`` has ours.  The report of a run is always the same
text, so its ``reportId`` is made of the run's id.
"""

from __future__ import annotations

import math
import os
import platform
import uuid
from collections.abc import Iterator
from typing import Any, Final

from testloom._version import __version__
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes.clock import iso
from testloom.reports.details import Details, details_of, last_lines, needs_details
from testloom.reports.sources import Sources
from testloom.reports.strict_json import json_text

SPEC_VERSION: Final = "0.0.0"
"""The version of the format: the only one there is so far."""
_STATUSES: Final = {
    TestStatus.PASS: "passed",
    TestStatus.XPASS: "passed",
    TestStatus.FAIL: "failed",
    TestStatus.VERIFY: "failed",
    TestStatus.ERROR: "failed",
    TestStatus.SKIP: "skipped",
    TestStatus.NOT_APPLICABLE: "skipped",
    TestStatus.XFAIL: "other",
}
_NAMESPACE: Final = uuid.UUID("5b3d0a8e-8f0a-5a3c-9a57-0c3f0c6b7a11")


class CtrfReport:
    """The ``ctrf`` report."""

    name: Final = "ctrf"
    default_file: Final = "ctrf.json"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        run = summary.run
        report_id = uuid.uuid5(_NAMESPACE, f"{run.run_id} {run.host} {run.started_at}")
        head = {
            "reportFormat": "CTRF",
            "specVersion": SPEC_VERSION,
            "reportId": str(report_id),
            "timestamp": iso(run.started_at + run.duration_s),
            "generatedBy": f"testloom {__version__}",
        }
        tool = {"name": "testloom", "version": __version__}
        yield f'{json_text(head)[:-1]},"results":{{"tool":{json_text(tool)},'
        yield f'"summary":{json_text(_totals(summary))},"tests":['
        sources = Sources(run.root)
        before = "\n"
        for entry in summary.entries:
            yield before + json_text(_test(summary, entry, sources))
            before = ",\n"
        yield f'\n],"environment":{json_text(_environment(run))}}}}}\n'


def _totals(summary: Summary) -> dict[str, int]:
    counts = dict.fromkeys(("passed", "failed", "skipped", "pending", "other"), 0)
    for status, count in summary.counts.items():
        counts[_STATUSES[status]] += count
    run = summary.run
    start = _milliseconds(run.started_at)
    duration = _milliseconds(run.duration_s)
    return {
        "tests": len(summary.entries),
        **counts,
        "flaky": summary.flaky,
        "start": start,
        "stop": start + duration,
        "duration": duration,
    }


def _environment(run: RunInfo) -> dict[str, Any]:
    versions = {"commit": run.commit, "branchName": run.branch}
    return {
        **{key: value for key, value in versions.items() if value},
        "appName": run.suite,
        "osPlatform": run.platform or platform.system().lower(),
        "extra": {"host": run.host, "jobs": run.jobs, "runId": run.run_id, "stopped": run.stopped},
    }


def _test(summary: Summary, entry: ResultEntry, sources: Sources) -> dict[str, Any]:
    duration = _milliseconds(entry.time_s)
    start = _milliseconds(summary.run.started_at + entry.started_s)
    source = sources.of(entry)
    folders = [part for part in os.path.dirname(entry.source).split("/")[:-1] if part]
    test: dict[str, Any] = {
        "name": entry.name or "?",
        "status": _STATUSES[entry.status],
        "rawStatus": entry.status.name,
        "duration": duration,
        "start": start,
        "stop": start + duration,
        "suite": [summary.run.suite or "tests", *folders],
    }
    if entry.message or entry.reason:
        test["message"] = entry.message or entry.reason
    if source:
        test |= {"filePath": source, "line": entry.line}
    if entry.tags:
        test["tags"] = entry.tags
    if entry.slot >= 0:
        test["threadId"] = str(entry.slot)
    labels = {"driver": entry.driver, "reason": entry.reason, **entry.info}
    test["labels"] = {key: value for key, value in labels.items() if value}
    if entry.earlier:
        attempts = [_attempt(summary, one) for one in entry.earlier]
        test |= {"retries": len(attempts), "retryAttempts": attempts, "flaky": entry.is_flaky}
    if needs_details(entry):
        test |= _logs(details_of(summary, entry))
    return test


def _attempt(summary: Summary, earlier: ResultEntry) -> dict[str, Any]:
    duration = _milliseconds(earlier.time_s)
    start = _milliseconds(summary.run.started_at + earlier.started_s)
    return {
        "attempt": earlier.attempt,
        "status": _STATUSES[earlier.status],
        "duration": duration,
        "start": start,
        "stop": start + duration,
        "message": earlier.message or earlier.reason,
        **_logs(details_of(summary, earlier)),
    }


def _logs(details: Details) -> dict[str, Any]:
    """Return why a test failed, as far as its logs show it, and what it wrote."""
    logs: dict[str, Any] = {}
    if trace := details.diff or last_lines(details.log):
        logs["trace"] = trace
    if details.log:
        logs["stdout"] = details.log.splitlines()
    return logs


def _milliseconds(seconds: float | None) -> int:
    """Return *seconds* in whole milliseconds; 0 for what is no time."""
    return round(seconds * 1000) if seconds is not None and math.isfinite(seconds) else 0
