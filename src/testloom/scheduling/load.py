"""How many units may run at a time when that depends on how busy the machine is. Pure."""

from __future__ import annotations

import msgspec


class LoadLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Lets the limit rise while the processors have time left, and fall when they have none."""

    least: int
    most: int
    busy_percent: float = 95.0
    """From which load on the processors have no time left."""

    def after(self, limit: int, cpu_percent: float, waiting: int) -> int:
        """Return the limit to use next.

        Args:
            limit: the one until now.
            cpu_percent: how busy the processors were since it was set, 0 to 100.
            waiting: for how many the units count that have not started.
        """
        if cpu_percent >= self.busy_percent:
            return max(self.least, min(limit, self.most) - max(1, limit // 4))
        if waiting <= limit:
            return limit
        # As many as would use all of the processors, if the others are like those that run.
        wanted = int(limit * 100 / max(cpu_percent, 1.0))
        return max(self.least, min(self.most, max(limit + 1, wanted)))
