"""How many slots to open: all that were asked for, unless more of them would only be in the way.

More slots than cores are worth a lot while units wait for something else than a core.  Where the
cores are busy all the time, and units take milliseconds, each further slot costs the start and the
end of its process, and takes turns with the others in the caches: sixteen of them on two cores take
a quarter longer than two.  So a run begins with as many slots as there are cores, and looks again
every now and then: the others are opened if the cores were idle meanwhile, or if nothing has ended,
for then units are not short.  What was opened stays open.

Pure: no processes, no clock.
"""

from __future__ import annotations

from typing import Final

FIRST_LOOK_S: Final = 0.04
"""Until the first units may have ended: it takes some 15 ms to start their processes."""
WINDOW_S: Final = 0.05
"""How long to look at the cores; what the system tells is not more exact than 10 ms."""
LONGEST_S: Final = 0.4
"""Between two looks."""
_IDLE: Final = 0.2
"""Of the time of all cores: with more, there is something to be had."""


class Opening:
    """Opens the slots of a run with *cores*, as many at first as there are of these.

    Attributes:
        wait_s: how long to wait, from the last look or the beginning, before the next `look`.
    """

    def __init__(self, cores: int) -> None:
        self.slots = max(1, cores)
        """How many are open."""
        self.wait_s = FIRST_LOOK_S
        self._cores = self.slots
        self._ended = 0
        self._window: tuple[float, float] | None = None
        """When the cores have been looked at for the first time since, and their idle time then."""

    def unit_ended(self) -> None:
        """Note that a unit has ended."""
        self._ended += 1

    def look(self, now: float, idle_s: float | None) -> int:
        """Return how many more slots to open.

        Args:
            now: an instant, in seconds.
            idle_s: for how long the cores have been idle until then, all together; None if nobody
                knows.
        """
        if idle_s is None or not self._ended:
            return self._open()
        self._ended = 0
        window, self._window = self._window, (now, idle_s)
        if window is None:
            self.wait_s = WINDOW_S
            return 0
        since, idle_before_s = window
        if idle_s - idle_before_s > _IDLE * self._cores * (now - since):
            return self._open()
        self.wait_s = min(2 * self.wait_s, LONGEST_S)
        return 0

    def _open(self) -> int:
        """Open as many more as there are, and look again soon."""
        more = self.slots
        self.slots += more
        self.wait_s, self._window = FIRST_LOOK_S / 4, None
        return more
