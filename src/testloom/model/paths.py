"""Which fragments decided how long a run took: found from when each of them ran.

Both functions take the fragments of a run in any order and give places in that sequence.
"""

from __future__ import annotations

import bisect
import collections
from collections.abc import Sequence
from typing import Final

from testloom.model.span import FragmentSpan

_ROUNDING_S: Final = 0.001
"""By how much a fragment may seem to start before what it waited for has ended."""


def critical_path(spans: Sequence[FragmentSpan]) -> list[int]:
    """Return the fragments that the end of the run waited for, first to last.

    The last one is the fragment that ended last.  Each of the others is what the one after it
    had waited for: the last to end of the fragments it depends on and of what had its slot.
    """
    if not spans:
        return []
    before = _predecessors(spans)
    by_slot = _by_slot(spans)
    at: int | None = max(range(len(spans)), key=lambda n: spans[n].ended_s)
    path: list[int] = []
    while at is not None:
        path.append(at)
        waited_for = [*before[at], *_occupant(spans, by_slot, at)]
        # Always further back, so this comes to an end.
        earlier = [n for n in waited_for if _is_before(spans, n, at)]
        at = max(earlier, key=lambda n: spans[n].ended_s, default=None)
    return path[::-1]


def longest_chain(spans: Sequence[FragmentSpan]) -> list[int]:
    """Return the fragments, each dependent on the one before, that took longest together.

    With as many slots as one likes the run would still take so long.
    """
    before = _predecessors(spans)
    total: dict[int, float] = {}
    came_from: dict[int, int | None] = {}
    for at in sorted(range(len(spans)), key=lambda n: (spans[n].started_s, spans[n].ended_s)):
        best = max((n for n in before[at] if n in total), key=total.__getitem__, default=None)
        came_from[at] = best
        took_s = spans[at].ended_s - spans[at].started_s
        total[at] = took_s + (0.0 if best is None else total[best])
    last = max(total, key=total.__getitem__, default=None)
    chain: list[int] = []
    while last is not None:
        chain.append(last)
        last = came_from[last]
    return chain[::-1]


def _predecessors(spans: Sequence[FragmentSpan]) -> list[list[int]]:
    """Return, for each fragment, the places of those it depends on.

    Of a fragment that ran several times, the last run counts that had ended by then.
    """
    runs: dict[str, list[int]] = collections.defaultdict(list)
    for at, span in enumerate(spans):
        runs[span.uid].append(at)
    found = []
    for span in spans:
        ended = (
            [n for n in runs.get(uid, ()) if spans[n].ended_s <= span.started_s + _ROUNDING_S]
            for uid in span.after
        )
        found.append([places[-1] for places in ended if places])
    return found


def _by_slot(spans: Sequence[FragmentSpan]) -> dict[int, tuple[list[float], list[int]]]:
    """Return, for each slot, the ends of its fragments in order, and their places."""
    slots: dict[int, list[int]] = collections.defaultdict(list)
    for at in sorted(range(len(spans)), key=lambda n: spans[n].ended_s):
        slots[spans[at].slot].append(at)
    return {slot: ([spans[n].ended_s for n in places], places) for slot, places in slots.items()}


def _occupant(
    spans: Sequence[FragmentSpan], by_slot: dict[int, tuple[list[float], list[int]]], at: int
) -> list[int]:
    """Return what had the slot of fragment *at* before it."""
    ends, places = by_slot[spans[at].slot]
    found = bisect.bisect_right(ends, spans[at].started_s + _ROUNDING_S) - 1
    # Those that take no time may start and end within what rounding allows.
    while found >= 0 and not _is_before(spans, places[found], at):
        found -= 1
    return places[found : found + 1] if found >= 0 else []


def _is_before(spans: Sequence[FragmentSpan], one: int, other: int) -> bool:
    """Tell whether fragment *one* began before *other*; of two at once, one does."""
    return (spans[one].started_s, spans[one].ended_s, one) < (
        spans[other].started_s,
        spans[other].ended_s,
        other,
    )
