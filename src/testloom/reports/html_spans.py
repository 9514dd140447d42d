"""What the HTML report knows of the slots: when each fragment ran, and what it had waited for."""

from __future__ import annotations

from typing import Any, Final

from testloom.model.paths import critical_path, longest_chain
from testloom.model.summary import Summary

_DIGITS: Final = 5
"""Digits of seconds that are kept."""


def spans_of(summary: Summary) -> dict[str, Any]:
    """Return the fragments of a run in columns; those that one follows by their places."""
    spans = list(summary.spans())
    places = {span.uid: at for at, span in enumerate(spans)}
    tests: dict[str, int] = {}
    return {
        "test": [tests.setdefault(span.test, len(tests)) for span in spans],
        "tests": list(tests),
        "name": [span.name for span in spans],
        "slot": [span.slot for span in spans],
        "started": [round(span.started_s, _DIGITS) for span in spans],
        "took": [round(span.ended_s - span.started_s, _DIGITS) for span in spans],
        "end": ["" if span.end == "Returned" else span.end for span in spans],
        "attempt": [span.attempt for span in spans],
        "after": [[places[uid] for uid in span.after if uid in places] for span in spans],
        "critical": critical_path(spans),
        "chain": longest_chain(spans),
    }
