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
    """Says when to open more slots in a run that has *cores*.

    Attributes:
        cores: how many there are, and so how many slots to begin with.
        wait_s: how long to wait, from the last look or the beginning, before the next `look`.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.wait_s = FIRST_LOOK_S
        self._has_ended = False
        """Whether a unit has, since the last look."""
        self._window: tuple[float, float] | None = None
        """When the cores have been looked at for the first time since, and their idle time then."""

    def unit_ended(self) -> None:
        """Note that a unit has ended."""
        self._has_ended = True

    def look(self, now: float, idle_s: float | None) -> bool:
        """Tell whether to open more slots.

        Args:
            now: an instant, in seconds.
            idle_s: for how long the cores have been idle until then, all together; None if nobody
                knows.
        """
        if idle_s is None or not self._has_ended:
            return self._soon_again()
        self._has_ended = False
        window, self._window = self._window, (now, idle_s)
        if window is None:
            self.wait_s = WINDOW_S
            return False
        since, idle_before_s = window
        if idle_s - idle_before_s > _IDLE * self.cores * (now - since):
            return self._soon_again()
        self.wait_s = min(2 * self.wait_s, LONGEST_S)
        return False

    def _soon_again(self) -> bool:
        self.wait_s, self._window = FIRST_LOOK_S / 4, None
        return True
