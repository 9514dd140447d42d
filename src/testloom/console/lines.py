"""The consoles for pipes, files and build servers: lines, one below the other.

`LinesConsole` shows failures at once and, so that nobody takes a long run for a hung one, a
line about its progress from time to time.  `MinimalConsole` shows failures and the last line.
`DotsConsole` shows a sign for each result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from testloom.console.base import Console, Place
from testloom.console.failure import STATUS_STYLES
from testloom.console.progress import Progress, shown_rate
from testloom.console.spans import Line, Span, render
from testloom.console.summary import stopped_line
from testloom.console.text import clock_duration, cut_middle
from testloom.model.events import Load
from testloom.model.names import shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

HEARTBEAT_S: Final = 10.0
_LONG_S: Final = 10.0
"""A fragment that has run for so long is named in the heartbeat."""
_DOTS_FLUSH_S: Final = 1.0
_DOTS_A_LINE: Final = 72
_DOTS: Final[Mapping[TestStatus, str]] = {
    TestStatus.PASS: ".",
    TestStatus.FAIL: "F",
    TestStatus.ERROR: "E",
    TestStatus.XFAIL: "x",
    TestStatus.XPASS: "X",
    TestStatus.VERIFY: "v",
    TestStatus.SKIP: "s",
    TestStatus.NOT_APPLICABLE: "n",
}


class LinesConsole(Console):
    """Shows failures at once, and a line about the progress every ten seconds."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._due: float | None = None

    def run_started(self, run: RunInfo, *, tests: int, fragments: int, now: float) -> None:
        super().run_started(run, tests=tests, fragments=fragments, now=now)
        self._due = now + HEARTBEAT_S

    def refresh(self, now: float) -> float | None:
        slow = super().refresh(now)
        if self._due is not None and now >= self._due:
            self.progress.mark(now)
            self.show([[(heartbeat(self.progress, now), "faint")]])
            self._due = now + HEARTBEAT_S
        return min(at for at in (self._due, slow) if at is not None)


class MinimalConsole(Console):
    """Shows failures, what people must know, and the last line."""

    def show_header(self, run: RunInfo) -> None:
        """Show nothing."""

    def summary_lines(self, summary: Summary) -> list[Line]:
        notes: list[Line] = [[(shown_line(note), "")] for note in summary.notes]
        return [*notes, *stopped_line(summary)]


class DotsConsole(Console):
    """Shows a sign for each result, and failures at once."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._waiting: list[tuple[str, str]] = []
        self._column = 0

    def result_added(self, entry: ResultEntry, load: Load) -> None:
        self._waiting.append((_DOTS[entry.status], STATUS_STYLES[entry.status]))
        super().result_added(entry, load)

    def refresh(self, now: float) -> float | None:
        self._flush()
        super().refresh(now)
        return now + _DOTS_FLUSH_S

    def show(self, lines: Iterable[Line]) -> None:
        self._flush()
        if self._column:
            self._column = 0
            self.place.out.write("\n")
        super().show(lines)

    def _flush(self) -> None:
        """Write the signs that have come since the last time."""
        spans: list[Span] = []
        for sign in self._waiting:
            spans.append(sign)
            self._column += 1
            if self._column == _DOTS_A_LINE:
                self._column = 0
                spans.append((f"  {self.progress.percent}\n", "faint"))
        self._waiting.clear()
        if spans:
            text = render([spans], color=self.place.color)
            self.place.out.write(text.removesuffix("\n") if self._column else text)


def heartbeat(progress: Progress, now: float) -> str:
    """Return the line that says how far the run has come."""
    facts = [f"{progress.done}/{progress.tests}"]
    facts += [text for status, text in progress.numbers() if status.is_bad]
    rate = progress.rate()
    if rate:
        facts.append(f"{shown_rate(rate)}/s")
    left = progress.left_s(now)
    if left is not None:
        facts.append(f"ETA {clock_duration(max(1.0, left))}")
    for _, running in progress.longest(1):
        if now - running.since >= _LONG_S:
            name = cut_middle(shown_line(running.test), 60, "~")
            facts.append(f"longest: {name} {clock_duration(now - running.since)}")
    return f"[{progress.percent}] " + ", ".join(facts)
