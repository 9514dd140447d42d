"""What the live view shows at one instant: lines made from the progress of a run.

A frame never has a line that is wider than the terminal, nor more lines than leave room for
the failures that scroll by above it.
"""

from __future__ import annotations

from typing import Final

from testloom.console.failure import STATUS_STYLES
from testloom.console.look import Look
from testloom.console.progress import Progress, Running, shown_rate
from testloom.console.spans import Line, Span, text_of
from testloom.console.text import (
    cells,
    clock_duration,
    cut,
    cut_middle,
    padded,
    short_duration,
)
from testloom.model.names import shown_line

TWO_COLUMNS: Final = 96
"""Columns from which on slots are shown in two columns."""
_LEAST_ROWS: Final = 12
"""With fewer rows there is only the bar and the counts."""
_LEAST_COLUMNS: Final = 20
_LEFT_FREE: Final = 6
"""Rows that are left to what scrolls by, at least; and a quarter of all, if that is more."""
_SLOW_S: Final = 30.0
_LEAST_NAME: Final = 16
_IDLE: Final = "(idle)"


def frame(progress: Progress, now: float, *, height: int, look: Look) -> list[Line]:
    """Return what to show of *progress* on a terminal of *height* rows."""
    lines = [_bar(progress, now, look), _counts(progress, now, look)]
    if height >= _LEAST_ROWS and look.width >= _LEAST_COLUMNS:
        rule: Line = [(look.glyphs.rule * look.width, "faint")]
        most = height - 3 - max(_LEFT_FREE, height // 4)
        lines = [rule, *lines, *_slots(progress, now, most, look)]
    return [_stripped(line) for line in lines]


def _stripped(line: Line) -> Line:
    """Return *line* without the blanks at its end, which a terminal would wrap when resized."""
    spans = list(line)
    while spans and not spans[-1][0].strip():
        spans.pop()
    return [*spans[:-1], (spans[-1][0].rstrip(), spans[-1][1])] if spans else []


def _bar(progress: Progress, now: float, look: Look) -> Line:
    spent = clock_duration(progress.elapsed_s(now))
    tail = f" {progress.percent}   {progress.done}/{progress.tests}   {spent}"
    width = look.width - cells(tail) - 3
    if width < 5:
        return [(cut(tail.strip(), look.width, look.glyphs.cut), "")]
    halves = int(progress.share * width * 2)
    done = look.glyphs.bar * (halves // 2)
    done += look.glyphs.bar_end if halves % 2 else ""
    style = "fail" if progress.failures else "pass"
    return [
        (" " + done, style),
        (look.glyphs.bar_rest * (width - len(done)), "faint"),
        (" " + tail, ""),
    ]


def _counts(progress: Progress, now: float, look: Look) -> Line:
    """Return the numbers of results, the rate and the time left, as many as there is room for."""
    facts: list[Span] = [(text, STATUS_STYLES[status]) for status, text in progress.numbers()]
    timing: list[Span] = []
    rate = progress.rate()
    if rate:
        timing.append((f"{shown_rate(rate)} tests/s", ""))
    left = progress.left_s(now)
    if progress.done < progress.tests:
        eta = "?" if left is None else clock_duration(max(1.0, left))
        timing.append((f"ETA {eta}", ""))
    for chosen, gap in (
        (facts + timing, 3),
        (facts + timing, 2),
        (facts + timing[-1:], 2),
        (facts, 2),
    ):
        line = _spaced(chosen, gap)
        if cells(text_of(line)) <= look.width:
            return line
    return [(cut(text_of(line), look.width, look.glyphs.cut), "")]


def _spaced(facts: list[Span], gap: int) -> list[Span]:
    line: list[Span] = []
    for at, fact in enumerate(facts):
        line += [(" " * (gap if at else 1), ""), fact]
    return line


def _slots(progress: Progress, now: float, most: int, look: Look) -> list[Line]:
    """Return the slots in their places; the longest-running ones if there is no room for all."""
    columns = 2 if look.width >= TWO_COLUMNS else 1
    slots = range(progress.jobs)
    rows = -(-len(slots) // columns)
    hidden = 0
    chosen = list(slots)
    if rows > most:
        rows = max(1, most - 1)
        chosen = sorted(slot for slot, _ in progress.longest(rows * columns))
        hidden = len(progress.running) - len(chosen)
    gap = 2 if columns == 2 else 0
    width = (look.width - gap) // columns
    cell = _Cells(progress, now, width, look)
    lines: list[Line] = []
    for row in range(rows):
        line: list[Span] = []
        for at in range(row, min(len(chosen), rows * columns), rows):
            if line:
                line.append((" " * gap, ""))
            line += cell.of(chosen[at])
        lines.append(line or [("", "")])
    if len(chosen) < len(slots):
        text = f"   {look.glyphs.cut} {hidden} more" if hidden > 0 else ""
        lines.append([(text, "faint")])
    return lines


class _Cells:
    """Makes the cells of one frame: the columns within them are the same for all."""

    def __init__(self, progress: Progress, now: float, width: int, look: Look) -> None:
        self._running = progress.running
        self._now = now
        self._width = width
        self._look = look
        self._widest = max(_LEAST_NAME, progress.widest)
        self._digits = len(str(max(0, progress.jobs - 1)))
        slow = any(now - running.since >= _SLOW_S for running in self._running.values())
        self._slow_width = 5 if slow else 0
        # The name of the fragment is worth its room where tests have more than one.
        longest = max(map(cells, progress.fragments), default=0)
        self._step_width = min(longest, 10) + 1 if len(progress.fragments) > 1 else 0

    def of(self, slot: int) -> list[Span]:
        """Return the cell of *slot*, filled up to its width."""
        number = f" {slot:>{self._digits}} "
        running = self._running.get(slot)
        if running is None:
            return [(number, "faint"), (padded(_IDLE, self._width - len(number)), "faint")]
        return [(number, "faint"), *self._shown(running, self._width - len(number))]

    def _shown(self, running: Running, room: int) -> list[Span]:
        spent_s = self._now - running.since
        slow = spent_s >= _SLOW_S
        spent = f"{short_duration(max(0.0, spent_s)):>6}"
        sign = self._look.glyphs.cut
        step = cut(shown_line(running.fragment), self._step_width - 1, sign)
        name_room = room - len(spent) - self._slow_width - self._step_width - 1
        name_room = min(name_room, self._widest)
        if name_room < 8:
            return [(padded(cut_middle(shown_line(running.test), room, sign), room), "")]
        spans: list[Span] = [
            (padded(cut_middle(shown_line(running.test), name_room, sign), name_room) + " ", ""),
        ]
        if self._step_width:
            spans.append((padded(step, self._step_width), "faint"))
        spans.append((spent, "slow" if slow else "faint"))
        if self._slow_width:
            spans.append((" SLOW" if slow else "     ", "slow"))
        return [*spans, (" " * (room - sum(cells(text) for text, _ in spans)), "")]
