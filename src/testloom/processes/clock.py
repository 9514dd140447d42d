"""The only place that asks what time it is.

Durations and deadlines come from `now`, which never goes back; dates for people from `wall`.

That clock goes on while nothing can run: while a process is stopped (Ctrl-Z, SIGSTOP), or the
machine is held by its host.  Whoever waits for a deadline therefore waits for a moment at a
time, and does not count what passed beyond it (`overslept_s`).
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Final, Protocol

TICK_S: Final = 0.5
"""The longest that anybody waits for a deadline without looking at the clock."""
_LATE_S: Final = 0.5
"""To be woken later than that means that nothing has run."""


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


def overslept_s(before: float, waited_s: float, after: float) -> float:
    """Return for how long nothing ran while somebody waited for at most *waited_s*; mostly 0.

    >>> overslept_s(100.0, 0.5, 100.6)
    0.0
    >>> overslept_s(100.0, 0.5, 160.5)
    60.0
    """
    late = after - before - waited_s
    return late if late > _LATE_S else 0.0


def iso(wall: float) -> str:
    """Return the instant *wall* (seconds since the epoch) as ISO 8601, UTC, whole seconds."""
    at = dt.datetime.fromtimestamp(int(wall), tz=dt.UTC)
    return at.isoformat()


def cores_idle_s() -> float | None:
    """Return for how long the cores of this machine have been idle, all together, since it started.

    That is exact to some 10 ms.  None where the system does not tell.
    """
    import psutil  # noqa: PLC0415 - few runs need it, and it takes 8 ms

    try:
        return float(psutil.cpu_times().idle)
    except OSError:
        return None


def cpu_now() -> float:
    """Return the CPU seconds used by this process."""
    return time.process_time()
