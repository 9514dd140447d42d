"""The index of the HTML report: the run, and of each result what its row shows, in columns."""

from __future__ import annotations

import functools
import heapq
from typing import Any, Final

import msgspec

from testloom.model.status import TestStatus
from testloom.model.summary import Summary
from testloom.reports.html_details import Blocks
from testloom.reports.html_history import Past, changes_of

_DIGITS: Final = 4
"""Digits of seconds that are kept: a tenth of a millisecond."""
_SLOWEST: Final = 50
"""Tests of which it is told how long they usually take."""


def index_of(summary: Summary, blocks: Blocks, past: Past) -> dict[str, Any]:
    """Return the index; *blocks* must have been made."""
    entries = summary.entries
    new = summary.changes.new_names if summary.changes else frozenset()
    return {
        "run": msgspec.to_builtins(summary.run),
        "last_line": summary.last_line,
        "notes": list(summary.notes),
        "statuses": [status.name for status in TestStatus],
        "blocks": blocks.starts,
        "changes": changes_of(summary.changes),
        "runs": past.runs,
        "unsteady": past.unsteady(),
        "usual": {
            entry.name: _seconds(past.usual_s(entry.name))
            for entry in heapq.nlargest(_SLOWEST, entries, key=lambda entry: entry.time_s or 0)
        },
        "columns": {
            "name": [entry.name for entry in entries],
            "test": [None if entry.test == entry.name else entry.test for entry in entries],
            "status": [entry.status.value - 1 for entry in entries],
            "message": [entry.message for entry in entries],
            "reason": [entry.reason for entry in entries],
            "time": [_seconds(entry.time_s) for entry in entries],
            "cpu": [_seconds(entry.cpu_s) for entry in entries],
            "slot": [entry.slot for entry in entries],
            "started": [_seconds(entry.started_s) for entry in entries],
            "driver": [entry.driver for entry in entries],
            "source": [entry.source for entry in entries],
            "line": [entry.line for entry in entries],
            "tags": [entry.tags for entry in entries],
            "cause": blocks.causes,
            "memory": [entry.memory_bytes for entry in entries],
            "flaky": [entry.tries if entry.is_flaky else "" for entry in entries],
            "new": [int(entry.name in new) for entry in entries],
            "past": [past.letters(entry.name) for entry in entries],
            **({"part": _parts(summary)} if summary.run.parts else {}),
        },
    }


def _parts(summary: Summary) -> list[int]:
    """Return, for each result, which part of a merged run it is from."""
    part_of = functools.cache(summary.run.part_of)
    return [part_of(entry.slot) for entry in summary.entries]


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
