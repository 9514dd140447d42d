"""When each slot did what, as a trace that Perfetto, Chrome and Firefox's profiler open.

Each slot is a track; on it is a bar for each fragment that ran, and from fragment to fragment go
arrows where one had to wait for the other.  Times are those of the journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import Summary
from testloom.reports.strict_json import json_text

_PROCESS: Final = 1
_COLORS: Final = {
    TestStatus.PASS: "good",
    TestStatus.FAIL: "terrible",
    TestStatus.ERROR: "bad",
    TestStatus.SKIP: "grey",
}
"""Names of colours that Chrome has; others choose their own."""


class TraceReport:
    """The ``trace`` report."""

    name: Final = "trace"
    default_file: Final = "trace.json"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        run = summary.run
        about = {"run": run.run_id, "suite": run.suite, "host": run.host, "platform": run.platform}
        yield f'{{"displayTimeUnit":"ms","otherData":{json_text(about)},"traceEvents":[\n'
        before = ""
        for event in _events(summary):
            yield before + json_text(event)
            before = ",\n"
        yield "\n]}\n"


def _events(summary: Summary) -> Iterator[dict[str, Any]]:
    run = summary.run
    yield _named("process_name", 0, {"name": f"{run.suite}, run {run.run_id}"})
    for slot in range(run.jobs):
        yield _named("thread_name", slot, {"name": f"slot {slot}"})
        yield _named("thread_sort_index", slot, {"sort_index": slot})
    statuses: dict[str, TestStatus] = {}
    for entry in summary.entries:
        if entry.status.is_bad or entry.test not in statuses:
            statuses[entry.test] = entry.status
    # The journal is read twice, because only what comes later tells which ends will be needed.
    awaited = {uid for span in summary.spans() for uid in span.after}
    ended: dict[str, FragmentSpan] = {}
    number = 0
    for span in summary.spans():
        yield _bar(span, statuses.get(span.test))
        if span.uid in awaited:
            ended[span.uid] = span
        for uid in span.after:
            if uid in ended:
                number += 1
                yield from _arrow(number, ended[uid], span)


def _named(kind: str, slot: int, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "M", "pid": _PROCESS, "tid": slot, "name": kind, "args": arguments}


def _bar(span: FragmentSpan, status: TestStatus | None) -> dict[str, Any]:
    verdict = status.name if status else ""
    event: dict[str, Any] = {
        "ph": "X",
        "pid": _PROCESS,
        "tid": span.slot,
        "ts": _microseconds(span.started_s),
        "dur": _microseconds(span.ended_s - span.started_s),
        "name": span.test,
        "cat": span.name,
        "args": {
            "fragment": span.uid,
            "status": verdict,
            "end": span.end,
            "cpu_s": span.cpu_s,
            "attempt": span.attempt,
        },
    }
    if status in _COLORS:
        event["cname"] = _COLORS[status]
    return event


def _arrow(number: int, before: FragmentSpan, after: FragmentSpan) -> Iterator[dict[str, Any]]:
    common = {"pid": _PROCESS, "id": number, "name": "follows", "cat": "dependency"}
    # An arrow belongs to the bar that is there at its time, so it leaves a moment before the end.
    leaves = (before.started_s + before.ended_s) / 2
    yield {"ph": "s", "tid": before.slot, "ts": _microseconds(leaves), **common}
    yield {"ph": "f", "bp": "e", "tid": after.slot, "ts": _microseconds(after.started_s), **common}


def _microseconds(seconds: float) -> float:
    return round(seconds * 1e6, 3)
