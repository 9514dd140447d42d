"""What changed between two runs: pure, and the same for consoles, reports and gates.

A name that failed is told by what became of it:

====================  =====================================================================
new                   fails now, and did not before: it passed, was skipped, or is new itself
still failing         failed before, too (e3-testsuite: *already detected*)
fixed                 failed before and passes now
silenced              failed before, and neither fails nor passes now: skipped, expected to fail
not run               failed before, and has not got to run now; nothing is known about it
====================  =====================================================================

Results of tests that did not get to run are otherwise as if they were not there: an aborted run
neither fixes nor breaks anything.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from testloom.model import reason
from testloom.model.status import PASSING_STATUSES, TestStatus

_NOT_RUN: Final = frozenset({reason.RUN_ABORTED, reason.INTERRUPTED})


class Seen(Protocol):
    """A result, of this run or another: `ResultEntry`, `PastResult`, `KnownFailure`."""

    @property
    def name(self) -> str: ...

    @property
    def status(self) -> TestStatus: ...

    @property
    def reason(self) -> str: ...

    @property
    def time_s(self) -> float | None: ...


class KnownFailure(msgspec.Struct, frozen=True):
    """A failure of which only the name is known."""

    name: str
    status: TestStatus = TestStatus.FAIL
    reason: str = ""
    time_s: float | None = None


class Change(msgspec.Struct, frozen=True):
    """A name whose results differ."""

    name: str
    before: Seen | None
    """None if it had no result."""
    after: Seen | None


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """How much longer a test may take without that meaning anything."""

    ratio: float = 1.5
    """Times as long as before, or as usual..."""
    seconds: float = 0.1
    """... and at least so much more."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What changed, each in the order of the results of the later run."""

    against: str = ""
    """What it was compared with: the id of a run, or the name of a file."""
    new: Sequence[Change] = ()
    still: Sequence[Change] = ()
    fixed: Sequence[Change] = ()
    silenced: Sequence[Change] = ()
    not_run: Sequence[Change] = ()
    added: Sequence[Change] = ()
    """Names that there were not before, whatever their results."""
    gone: Sequence[Change] = ()
    """Names that there are not any more."""
    slower: Sequence[Change] = ()
    """What took longer than chance explains, the largest difference first."""

    @property
    def new_names(self) -> frozenset[str]:
        """The names of the new failures."""
        return frozenset(change.name for change in self.new)


def compare(
    before: Iterable[Seen],
    after: Iterable[Seen],
    *,
    against: str = "",
    usual: Callable[[str], Sequence[float]] = lambda _name: (),
    noise: Noise | None = None,
) -> Comparison:
    """Compare two runs.

    Args:
        before: the results of the earlier run.
        after: the results of the later one.
        against: what *before* is, for people.
        usual: how long a name took in runs before, as many as are known: what varies much has
            to be very late to be called slower.
        noise: what is not worth a word.
    """
    old = {result.name: result for result in before}
    found = _Found()
    both: list[tuple[Seen, Seen]] = []
    names = set()
    for result in after:
        names.add(result.name)
        earlier = old.get(result.name)
        found.add(earlier, result)
        if earlier is not None:
            both.append((earlier, result))
    gone = [Change(name, result, None) for name, result in old.items() if name not in names]
    return Comparison(
        against=against,
        new=found.new,
        still=found.still,
        fixed=found.fixed,
        silenced=found.silenced,
        not_run=found.not_run,
        added=found.added,
        gone=gone,
        slower=_slower(both, usual, noise or Noise()),
    )


class _Found(msgspec.Struct):
    new: list[Change] = []
    still: list[Change] = []
    fixed: list[Change] = []
    silenced: list[Change] = []
    not_run: list[Change] = []
    added: list[Change] = []

    def add(self, before: Seen | None, after: Seen) -> None:
        """Sort in what became of one name."""
        if after.reason in _NOT_RUN:
            if before is not None and before.status.is_bad:
                self.not_run.append(Change(after.name, before, after))
            return
        change = Change(after.name, before, after)
        if before is None:
            self.added.append(change)
        was_bad = before is not None and before.status.is_bad
        if after.status.is_bad:
            (self.still if was_bad else self.new).append(change)
        elif was_bad:
            passes = after.status in PASSING_STATUSES
            (self.fixed if passes else self.silenced).append(change)


def _slower(
    both: Sequence[tuple[Seen, Seen]], usual: Callable[[str], Sequence[float]], noise: Noise
) -> list[Change]:
    """Return what of *both*, results that passed, took longer than chance explains."""
    timed = [
        (Change(after.name, before, after), before.time_s, after.time_s)
        for before, after in both
        if before.time_s is not None
        and after.time_s is not None
        and before.status in PASSING_STATUSES
        and after.status in PASSING_STATUSES
    ]
    # A machine that is busy makes everything slower: that is no news about a test.
    pace = max(1.0, _pace([(was, now) for _, was, now in timed], noise))
    late: list[tuple[float, Change]] = []
    for change, was, now in timed:
        if now - was <= noise.seconds or now <= was * noise.ratio * pace:
            continue
        if now > pace * _bound([*usual(change.name), was], noise):
            late.append((now - was, change))
    late.sort(key=lambda item: -item[0])
    return [change for _, change in late]


def _pace(times: Sequence[tuple[float, float]], noise: Noise) -> float:
    """Return by how much the whole run was slower, told by the tests that are not tiny."""
    ratios = [now / was for was, now in times if was >= noise.seconds]
    return statistics.median(ratios) if len(ratios) >= 5 else 1.0


def _bound(times: Sequence[float], noise: Noise) -> float:
    """Return the time up to which chance explains how long it takes what took *times* before."""
    middle = statistics.median(times)
    spread = statistics.median(abs(time - middle) for time in times)
    # For a normal distribution, 1.48 of these are one standard deviation.  What is mostly quick
    # and sometimes slow has no spread in that sense: it has been as slow before.
    slow_before = sorted(times)[int(0.9 * len(times))]
    return max(middle * noise.ratio, middle + 3 * 1.4826 * spread, slow_before)


def latest(results: Mapping[str, Sequence[Seen]]) -> list[Seen]:
    """Return the newest result of each name that says something; *results* are oldest first.

    This is what a run of some of the tests is compared with: the last run may have had others.
    """
    found = []
    for of_one in results.values():
        told = next((r for r in reversed(of_one) if r.reason not in _NOT_RUN), None)
        if told is not None:
            found.append(told)
    return found
