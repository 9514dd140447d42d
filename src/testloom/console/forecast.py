"""When a run may be over, from how long its tests usually take: pure.

Tests differ by orders of magnitude, so how many are done says little about how long the rest
takes.  A run is over no earlier than its slots are through with all work, and no earlier than
the longest chain of tests that wait for each other; it takes as much longer than earlier runs
as it has taken so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from testloom.model.expectation import Expectation

_TELLING_S: Final = 1.0
"""From this much work on, the pace of a run is known."""
_PACES: Final = (0.2, 5.0)
"""What pace is believed, as a multiple of the usual time."""


class Forecast:
    """How much of the expected work of a run is left."""

    def __init__(self, expected: Expectation, jobs: int) -> None:
        self._expected = expected.tests_s
        self._jobs = max(1, jobs)
        self._total_s = self._left_s = sum(expected.tests_s.values())
        self._paths = sorted(expected.paths_s.items(), key=lambda item: item[1])
        """The tests that are not known to have ended, those that hold up the longest work last."""
        self._ended: set[str] = set()

    def __bool__(self) -> bool:
        """Tell whether anything is known."""
        return self._total_s > 0

    def end(self, test: str) -> None:
        """Take note that a test has a result."""
        if test not in self._ended:
            self._ended.add(test)
            self._left_s -= self._expected.get(test, 0.0)

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        return min(1.0, max(0.0, 1.0 - self._left_s / self._total_s))

    def left_s(self, elapsed_s: float, running: Iterable[tuple[str, float]]) -> float | None:
        """Return how many seconds the rest may take; None if it takes longer than it should.

        *elapsed_s* is how long the run has taken, *running* which tests run and for how long.
        """
        spent = dict(running)
        in_work = sum(min(s, self._expected.get(test, 0.0)) for test, s in spent.items())
        left = (self._left_s - in_work) / self._jobs
        while self._paths and self._paths[-1][0] in self._ended:
            self._paths.pop()
        if self._paths:
            test, path = self._paths[-1]
            left = max(left, path - spent.get(test, 0.0))
        done = (self._total_s - self._left_s + in_work) / self._jobs
        if done >= _TELLING_S:
            least, most = _PACES
            left *= min(most, max(least, elapsed_s / done))
        return left if left > 0 else None
