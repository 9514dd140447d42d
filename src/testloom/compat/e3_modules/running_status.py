"""The file ``status``: how far a run is, for those who look from outside."""

from __future__ import annotations

import contextlib
from typing import Any

from testloom.compat.e3_modules.results import TestStatus
from testloom.processes.clock import SystemClock
from testloom.processes.files import write_whole


class RunningStatus:
    """Keeps a file up to date, rewriting it at most once an interval."""

    def __init__(
        self, filename: str, update_interval: float = 1.0, max_consecutive_failures: int = 0
    ) -> None:
        self.filename = filename
        self.update_interval = update_interval
        self.max_consecutive_failures = max_consecutive_failures
        self.aborted_too_many_failures = False
        self.status_counters: dict[TestStatus, int] = dict.fromkeys(TestStatus, 0)
        self._running: dict[str, None] = {}
        self._total = 0
        self._completed = 0
        self._in_a_row = 0
        self._clock = SystemClock()
        self._written_at: float | None = None
        self._is_stale = False

    def set_dag(self, dag: Any) -> None:
        """Learn how many fragments there are."""
        self.set_total(len(dag.vertex_data))

    def set_total(self, count: int) -> None:
        """Learn how many fragments there are."""
        self._total = count

    def start(self, fragment: Any) -> None:
        """Note that *fragment*, or the one with this uid, runs."""
        self._running[_uid(fragment)] = None
        self._changed()

    def complete(self, fragment: Any) -> None:
        """Note that it has ended."""
        self._running.pop(_uid(fragment), None)
        self._completed += 1
        self._changed()

    def process_result(self, result: Any) -> None:
        """Count a result."""
        self.status_counters[result.status] += 1
        self._in_a_row = self._in_a_row + 1 if result.status.is_bad else 0
        if 0 < self.max_consecutive_failures <= self._in_a_row:
            self.aborted_too_many_failures = True
        self._changed()

    def dump(self) -> None:
        """Write the file now."""
        self._is_stale = False
        self._written_at = self._clock.now()
        with contextlib.suppress(OSError):  # nobody's tests depend on it
            write_whole(self.filename, self.text)

    @property
    def text(self) -> str:
        """What the file says."""
        running = [f"  {uid}" for uid in sorted(self._running)] or ["  <none>"]
        partial = [
            f"  {status.name:<12} {count}"
            for status, count in self.status_counters.items()
            if count
        ] or ["  <none>"]
        return "\n".join(
            [
                f"Test fragments: {self._completed} / {self._total} completed",
                "Currently running:",
                *running,
                "Partial results:",
                *partial,
            ]
        )

    def refresh(self, now: float) -> float | None:
        """Write what has changed, if it is time; return when to ask again, None for not at all."""
        if self.update_interval <= 0:
            return None
        if self._written_at is None or now - self._written_at >= self.update_interval:
            if self._is_stale:
                self.dump()
            return now + self.update_interval
        return self._written_at + self.update_interval

    def _changed(self) -> None:
        if self.update_interval <= 0:
            self.dump()
        else:
            self._is_stale = True


def _uid(fragment: Any) -> str:
    uid: str = getattr(fragment, "uid", fragment)
    return uid
