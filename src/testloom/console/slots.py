"""How well the slots of a run were used, and what kept it from being shorter: a line at its end.

Only of runs that took a while: it is read from the journal, which must not make short runs longer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from testloom.console.look import Look
from testloom.console.spans import Line
from testloom.console.text import cells, cut_middle, exact_duration
from testloom.model.names import shown_line
from testloom.model.paths import longest_chain
from testloom.model.span import FragmentSpan
from testloom.model.summary import Summary

LEAST_S: Final = 30.0
"""Seconds that a run must have taken for people to ask."""
_MOST: Final = 50_000
"""Results of a run that is looked at."""
_DECISIVE: Final = 0.5
"""The share of the run that a chain must take to be named."""
_NAMED: Final = 4
"""Tests of a chain that are named."""
_LEAST: Final = 8
"""Columns that a name has in any case."""


def slots_line(summary: Summary, look: Look, label: str) -> list[Line]:
    """Return the line, with *label* before it; nothing if there is nothing worth to be told."""
    run = summary.run
    if run.duration_s < LEAST_S or len(summary.entries) > _MOST:
        return []
    try:
        spans = list(summary.spans())
    except OSError:  # the journal is gone; the results were told
        return []
    if not spans:
        return []
    text = _shares(spans, max(run.jobs, 1 + max(span.slot for span in spans)), run.duration_s)
    chain = longest_chain(spans)
    took_s = sum(spans[at].ended_s - spans[at].started_s for at in chain)
    line: Line = [(label, "name"), (text, "")]
    if took_s < _DECISIVE * run.duration_s:
        return [line]
    path = f"critical path {exact_duration(took_s)}: "
    names = [name for name, _ in itertools.groupby(spans[at].test for at in chain)]
    path += _named(names, look.width - cells(label) - cells(path), look)
    if cells(label) + cells(text) + 3 + cells(path) <= look.width:
        return [[*line, (f"   {path}", "faint")]]
    return [line, [(" " * cells(label) + path, "faint")]]


def _shares(spans: Sequence[FragmentSpan], slots: int, duration_s: float) -> str:
    """Say which shares of the slots' time went where."""
    whole = slots * duration_s
    busy = sum(span.ended_s - span.started_s for span in spans) / whole
    last = dict.fromkeys(range(slots), 0.0)
    for span in spans:
        last[span.slot] = max(last.get(span.slot, 0.0), span.ended_s)
    idle = sum(max(0.0, duration_s - ended_s) for ended_s in last.values()) / whole
    return f"{busy:.0%} busy, {idle:.0%} idle at the end".replace("%", " %")


def _named(names: Sequence[str], room: int, look: Look) -> str:
    """Return the beginning of a chain and its end in *room* columns."""
    arrow = f" {look.glyphs.tab} "
    gap = f"{look.glyphs.cut}{arrow}" if len(names) > _NAMED else ""
    names = [*names[: _NAMED - 1], names[-1]] if gap else names
    each = max(_LEAST, (room - len(gap) - len(arrow) * (len(names) - 1)) // len(names))
    shown = [cut_middle(shown_line(name), each, look.glyphs.cut) for name in names]
    return arrow.join([*shown[:-1], gap + shown[-1]])
