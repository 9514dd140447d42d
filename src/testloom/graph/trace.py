"""Writes when which node ran, in the format of the trace viewers of browsers."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from testloom.processes.files import write_whole


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A node that ran."""

    name: str
    slot: int
    begin_s: float
    end_s: float
    failed: bool


def write(path: str | Path, spans: list[Span]) -> None:
    """Write *spans* to *path*; one row for each slot, the beginning of the first span is 0.

    Raises:
        OSError: the file cannot be written.
    """
    start_s = min((span.begin_s for span in spans), default=0.0)
    events = [
        {
            "name": span.name,
            "cat": "failed" if span.failed else "done",
            "ph": "X",
            "ts": round((span.begin_s - start_s) * 1e6, 1),
            "dur": round((span.end_s - span.begin_s) * 1e6, 1),
            "pid": os.getpid(),
            "tid": span.slot,
        }
        for span in spans
    ]
    write_whole(path, json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}) + "\n")
