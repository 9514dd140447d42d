"""Says of what takes long that it still runs: once it has for so many seconds, twice as many, and so on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from testloom.console.progress import Running
from testloom.console.text import clock_duration, cut_middle
from testloom.model.names import shown_line

SLOW_S: Final = 60.0
_WIDTH: Final = 60


class SlowWatch:
    """Knows what has been said of what runs now; *after_s* is when something is said first."""

    def __init__(self, after_s: float = SLOW_S) -> None:
        self._after_s = after_s
        self._said: dict[int, tuple[Running, float]] = {}
        """Slot -> what runs there, and after how many seconds of it something is said next."""

    def lines(self, running: Mapping[int, Running], now: float) -> Iterator[str]:
        """Yield what is to be said now of *running*, the longest-running first."""
        due = []
        for slot, one in running.items():
            before, after_s = self._said.get(slot, (one, self._after_s))
            if before != one:
                after_s = self._after_s
            if now - one.since >= after_s:
                due.append((one.since, slot, one))
                while now - one.since >= after_s:
                    after_s *= 2
            self._said[slot] = (one, after_s)
        for slot in self._said.keys() - running.keys():
            del self._said[slot]
        for since, slot, one in sorted(due):
            name = cut_middle(shown_line(one.uid), _WIDTH, "~")
            yield f"still running after {clock_duration(now - since)}: {name} (slot {slot})"

    def due(self, now: float) -> float:
        """Return when to ask again, after `lines`: what starts later is not late before then."""
        ends = [one.since + after_s for one, after_s in self._said.values()]
        return min([now + self._after_s, *ends])
