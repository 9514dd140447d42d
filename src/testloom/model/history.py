"""What earlier runs found out: values, and what can be told from them.  No I/O.

A `History` is what a summary, a console or a report asks; it is made where the history is kept,
and reads it only when asked.  `NO_HISTORY` knows nothing and stands in wherever there is none.

Lists of earlier runs and results are always in the order of time, the newest last: this is how
people read them (``✓✓✓✗``).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from testloom.model import reason
from testloom.model.status import PASSING_STATUSES, TestStatus


class PastRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An earlier run."""

    run_id: str
    suite: str
    started_at: float
    """Seconds since the epoch."""
    duration_s: float = 0.0
    commit: str = ""
    """The commit of the sources that were tested; empty if that is not known."""
    branch: str = ""
    host: str = ""
    platform: str = ""
    jobs: int = 0
    selected: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    stopped: str = ""
    """Why it ended before everything had run, else empty."""
    exit_code: int | None = None
    """None if it did not end by itself."""


class PastResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The result of one name in an earlier run."""

    name: str
    test: str = ""
    """Name of the test that it is a result of."""
    run_id: str
    started_at: float
    """When the run started, in seconds since the epoch."""
    status: TestStatus
    reason: str = ""
    time_s: float | None = None
    cpu_s: float | None = None
    memory_bytes: int = 0
    """The most that one of its programs had in memory; 0 if that is not known."""
    slot: int = -1
    commit: str = ""
    host: str = ""
    flaky: str = ""
    """``2/3`` if it passed at the second of three tries, else empty."""

    @property
    def ran(self) -> bool:
        """Whether the test ran, so that its status says something about it."""
        return ran(self.status, self.reason)


class Recap(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the tests of a run before it begins."""

    against: str = ""
    """The id of the newest run; empty if there is none."""
    latest: Mapping[str, PastResult] = {}
    """The newest result of each name that says something, whichever run it is from."""
    usual_s: Mapping[str, float] = {}
    """How long each test takes: the median of its last few runs."""


class History(Protocol):
    """What is known of earlier runs of a suite, the run that one looks at not included.

    Nothing here raises: what cannot be read is not known.
    """

    def runs(self, last: int = 20) -> Sequence[PastRun]:
        """Return the *last* runs."""

    def results(self, name: str, last: int = 50) -> Sequence[PastResult]:
        """Return the results of *name* in the *last* runs that had one."""

    def recent(self, last: int = 20) -> Mapping[str, Sequence[PastResult]]:
        """Return, by name, all results of the *last* runs: one read for those who need many."""


class NoHistory:
    """Knows nothing."""

    def runs(self, last: int = 20) -> Sequence[PastRun]:  # noqa: ARG002 - the interface's
        return ()

    def results(self, name: str, last: int = 50) -> Sequence[PastResult]:  # noqa: ARG002 - as above
        return ()

    def recent(self, last: int = 20) -> Mapping[str, Sequence[PastResult]]:  # noqa: ARG002 - as above
        return {}

    def __repr__(self) -> str:
        return "NO_HISTORY"


NO_HISTORY: Final = NoHistory()


class Flakiness(msgspec.Struct, frozen=True, kw_only=True):
    """How unsteady a test is."""

    runs: int
    """In how many runs it ran."""
    failures: int
    """In how many of these it failed."""
    changes: int
    """How often it turned from passing to failing or back."""
    retried: int
    """In how many runs it failed and then passed when it was tried again."""

    @property
    def rate(self) -> float:
        """From 0, steady, to 1: in every run it did something else than in the one before."""
        steps = self.runs - 1
        return min(1.0, (self.changes + self.retried) / steps) if steps > 0 else float(self.retried)


def ran(status: TestStatus, why: str) -> bool:
    """Tell whether a result with this status and reason is of a test that ran."""
    if why in (reason.RUN_ABORTED, reason.INTERRUPTED, reason.DEPENDENCY_FAILED):
        return False
    return status not in (TestStatus.SKIP, TestStatus.NOT_APPLICABLE)


def flakiness(results: Sequence[PastResult]) -> Flakiness | None:
    """Return how unsteady the test of *results* is; None if they don't say that it is.

    A test that began to fail and went on failing, or failed until it was put right, has turned
    once: that is not flaky.  It has to turn twice, or to pass only when it is tried again.
    """
    verdicts = [result.status.is_bad for result in results if result.ran]
    changes = sum(now != before for before, now in itertools.pairwise(verdicts))
    retried = sum(bool(result.flaky) for result in results)
    if changes < 2 and not retried:
        return None
    return Flakiness(runs=len(verdicts), failures=sum(verdicts), changes=changes, retried=retried)


def failing_since(results: Sequence[PastResult]) -> PastResult | None:
    """Return the first of the failures that *results* end with; None if they end otherwise."""
    first = None
    for result in reversed(results):
        if result.ran:
            if not result.status.is_bad:
                break
            first = result
    return first


def last_passed(results: Sequence[PastResult]) -> PastResult | None:
    """Return the newest of *results* that passed."""
    return next((r for r in reversed(results) if r.status in PASSING_STATUSES), None)


def usual_time_s(results: Sequence[PastResult]) -> float | None:
    """Return the median of how long *results* took; None if that is not known."""
    times = [r.time_s for r in results if r.time_s is not None and r.ran]
    return statistics.median(times) if times else None
