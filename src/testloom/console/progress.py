"""How far a run has come: counts, what runs now, the rate, and when it may be over."""

from __future__ import annotations

import collections
import itertools
import statistics
from typing import Final, NamedTuple

from testloom.console.forecast import Forecast
from testloom.console.text import cells, counted
from testloom.model.expectation import NOTHING_EXPECTED, Expectation
from testloom.model.names import shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo

_RATE_WINDOW_S: Final = 20.0
_RECENT: Final = 500
"""Durations that the median is made of."""
COUNTED_AS: Final = {
    TestStatus.PASS: "passed",
    TestStatus.FAIL: "failed",
    TestStatus.ERROR: "error",
    TestStatus.XPASS: "xpass",
    TestStatus.VERIFY: "verify",
    TestStatus.SKIP: "skipped",
    TestStatus.NOT_APPLICABLE: "not applicable",
    TestStatus.XFAIL: "xfail",
}
"""How a status is called behind its number, in the order in which they are told."""


class Running(NamedTuple):
    """A fragment that runs."""

    uid: str
    test: str
    fragment: str
    since: float


class Progress:
    """Counts what a listener is told."""

    def __init__(self) -> None:
        self.tests = self.jobs = 0
        self.running: dict[int, Running] = {}
        """What runs in each slot that is in use."""
        self.fragments: set[str] = set()
        """Names of the fragments that have been started."""
        self.widest = 0
        """Columns of the longest name of a test that has been started."""
        self.counts = dict.fromkeys(TestStatus, 0)
        self._passed = self._flaky = 0
        self._seen: set[str] = set()
        self._durations: collections.deque[float] = collections.deque(maxlen=_RECENT)
        self._marks: collections.deque[tuple[float, int]] = collections.deque()
        self._started_at = 0.0
        self._expected = NOTHING_EXPECTED
        self._forecast = Forecast(NOTHING_EXPECTED, 1)

    def expect(self, expected: Expectation) -> None:
        """Take note of what earlier runs say about this one, before it begins."""
        self._expected = expected

    def begin(self, run: RunInfo, tests: int, now: float) -> None:
        """Take note that *run* begins."""
        # Tests that cannot be run because what defines them is wrong have results, too.
        self.tests, self.jobs, self._started_at = max(tests, run.selected), run.jobs, now
        self._marks.append((now, 0))
        self._forecast = Forecast(self._expected, run.jobs)

    def start(self, slot: int, running: Running) -> None:
        """Take note that *running* is in *slot* now."""
        self.running[slot] = running
        self.fragments.add(running.fragment)
        self.widest = max(self.widest, cells(running.test))

    def end(self, slot: int, uid: str) -> None:
        """Take note that the fragment in *slot* has ended."""
        running = self.running.get(slot)
        if running is not None and running.uid == uid:
            del self.running[slot]

    def add(self, entry: ResultEntry) -> None:
        """Count a result. This is called for each, so it is to be quick."""
        status = entry.status
        # Hashing a member of an enum takes longer than all the rest.
        if status is TestStatus.PASS:
            self._passed += 1
            self._flaky += entry.is_flaky
        else:
            self.counts[status] += 1
        self._seen.add(entry.test)
        if self._forecast:
            self._forecast.end(entry.test)
        if entry.time_s is not None:
            self._durations.append(entry.time_s)

    @property
    def done(self) -> int:
        """How many tests have a result."""
        return min(len(self._seen), self.tests) if self.tests else len(self._seen)

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1: of its work, where that is known."""
        if self._forecast and self.done < self.tests:
            return self._forecast.share
        return self.done / self.tests if self.tests else 1.0

    @property
    def percent(self) -> str:
        """How much of the run is done; ``100%`` is said when all is done."""
        return f"{int(self.share * 100):>3}%"

    @property
    def failures(self) -> int:
        return self.counts[TestStatus.FAIL] + self.counts[TestStatus.ERROR]

    def numbers(self) -> list[tuple[TestStatus, str]]:
        """Return ``12 passed``, ``1 failed`` ... for each status that occurred, and for PASS."""
        found = {**self.counts, TestStatus.PASS: self._passed}
        words = dict(COUNTED_AS)
        if self._flaky:
            words[TestStatus.PASS] += f" ({self._flaky} flaky)"
        errors = counted(found[TestStatus.ERROR], "error")
        return [
            (status, errors if status is TestStatus.ERROR else f"{found[status]} {word}")
            for status, word in words.items()
            if found[status] or status is TestStatus.PASS
        ]

    def elapsed_s(self, now: float) -> float:
        return max(0.0, now - self._started_at)

    def mark(self, now: float) -> None:
        """Remember how far the run has come; the rate is reckoned from such marks."""
        marks = self._marks
        marks.append((now, len(self._seen)))
        while len(marks) > 2 and marks[1][0] <= now - _RATE_WINDOW_S:
            marks.popleft()

    def rate(self) -> float:
        """Return how many tests a second have come to an end lately; 0 if that is not known."""
        if not self._marks:
            return 0.0
        (since, before), (until, after) = self._marks[0], self._marks[-1]
        return (after - before) / (until - since) if until - since >= 0.5 else 0.0

    def left_s(self, now: float) -> float | None:
        """Return how many seconds the rest may take; None if nothing is known.

        Where earlier runs tell how long tests take, see `Forecast`.  Else, of two guesses the later one: each test that is left takes as long as half of those that
        have ended took at most (true at the beginning of a run, when the rate is not), and the
        rest goes on as the last seconds did (true when few tests take most of the time).
        """
        left = self.tests - self.done
        if self._forecast:
            running = [(one.test, now - one.since) for one in self.running.values()]
            return self._forecast.left_s(self.elapsed_s(now), running) if left > 0 else None
        if not self._durations or left <= 0:
            return None
        guess = statistics.median(self._durations) * left / max(1, min(self.jobs, left))
        rate = self.rate()
        if rate:
            guess = max(guess, left / rate)
        if left <= len(self.running):
            # Only what runs is left: if that has taken longer, nothing can be said about it.
            oldest = min(running.since for running in self.running.values())
            return None if now - oldest > guess else guess
        return guess

    def longest(self, most: int) -> list[tuple[int, Running]]:
        """Return the *most* slots whose fragments have run longest, longest first."""
        by_age = sorted(self.running.items(), key=lambda item: (item[1].since, item[0]))
        return list(itertools.islice(by_age, most))


def shown_rate(rate: float) -> str:
    """Return how often something happens, with as many digits as mean something."""
    return f"{rate:.0f}" if rate >= 9.95 else f"{rate:.1f}"


def header(run: RunInfo, tests: int) -> str:
    """Return the line that stands at the beginning of a run of *tests* tests."""
    seed = "" if run.seed is None else f"seed {run.seed}"
    facts = [counted(tests, "test"), counted(run.jobs, "slot"), run.platform, seed]
    return shown_line(f"run {run.run_id}: " + ", ".join(fact for fact in facts if fact))
