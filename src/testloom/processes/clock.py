"""The only place that asks what time it is.

Durations and deadlines come from `now`, which never goes back; dates for people from `wall`.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """A source of instants."""

    def now(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean something."""

    def wall(self) -> float:
        """Return seconds since the epoch; may jump."""


class SystemClock:
    """The clock of the machine."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


class ManualClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, now: float = 0.0, wall: float = 0.0) -> None:
        self._now, self._wall = now, wall

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        """Move both times forward."""
        self._now += seconds
        self._wall += seconds


def iso(wall: float) -> str:
    """Return the instant *wall* (seconds since the epoch) as ISO 8601, UTC, whole seconds."""
    at = dt.datetime.fromtimestamp(int(wall), tz=dt.UTC)
    return at.isoformat()


def cpu_now() -> float:
    """Return the CPU seconds used by this process."""
    return time.process_time()
