"""Which tests of a run that was cut off have to run in the one that resumes it: pure decisions.

=================================================  ========================================
the test                                           what follows
=================================================  ========================================
ran to its end without anything bad, is unchanged  its results are carried
ran to its end with something bad, is unchanged    runs again; the old results become those
                                                   of an earlier attempt
did not run, or not to its end                     runs; what it had so far does not count
has other files than then, or another driver       runs; what it had does not count
has no fingerprint, then or now                    runs, as if it had changed
was not part of that run (added, renamed)          runs
follows a test that has changed                    runs, as if it had changed itself
is followed by a test that runs                    runs: what it has left is gone
is not there any more, or is not selected          is no part of the new run
=================================================  ========================================

A test that was skipped did not run, so it is looked at again.  Never is anything carried but the
results of a test that ran.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence

import msgspec

from testloom.model.status import PASSING_STATUSES, TestStatus
from testloom.model.summary import ResultEntry

_CARRIED = PASSING_STATUSES | {TestStatus.XFAIL}


class Fate(enum.Enum):
    """Why a test runs in a run that resumes another, or does not."""

    CARRIED = "carried over"
    FAILED = "failed before"
    UNFINISHED = "not finished"
    CHANGED = "changed"
    ADDED = "new"
    NEEDED = "needed by others"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the old run knows about a test."""

    inputs: str
    """Its fingerprint."""
    is_settled: bool
    """Whether all of its fragments ended."""
    results: Sequence[ResultEntry] = ()

    @property
    def has_passed(self) -> bool:
        """Whether it ran to its end, and nothing was bad."""
        ran = bool(self.results) and all(one.status in _CARRIED for one in self.results)
        return self.is_settled and ran

    @property
    def has_failed(self) -> bool:
        """Whether it ran to its end, and something was bad."""
        return self.is_settled and any(one.status.is_bad for one in self.results)


def fates(
    known: Mapping[str, Known],
    inputs: Mapping[str, str],
    follows: Mapping[str, Collection[str]],
) -> dict[str, Fate]:
    """Decide about the tests of a run.

    Args:
        known: the tests of the run that is resumed.
        inputs: the fingerprints of those of the new run, all of them, in their order.
        follows: which other tests a test follows, for those that follow any.
    """
    found = {name: _alone(known.get(name), now) for name, now in inputs.items()}
    followed_by: dict[str, list[str]] = {}
    for name, before in follows.items():
        for other in before:
            followed_by.setdefault(other, []).append(name)
    changed = [name for name, fate in found.items() if fate in (Fate.CHANGED, Fate.ADDED)]
    for name in _reached(changed, followed_by):
        if found[name] is not Fate.ADDED:
            found[name] = Fate.CHANGED
    runs = [name for name, fate in found.items() if fate is not Fate.CARRIED]
    for name in _reached(runs, follows):
        if found[name] is Fate.CARRIED:
            found[name] = Fate.NEEDED
    return found


def _alone(old: Known | None, inputs: str) -> Fate:
    if old is None:
        return Fate.ADDED
    if not inputs or inputs != old.inputs:
        return Fate.CHANGED
    if old.has_passed:
        return Fate.CARRIED
    return Fate.FAILED if old.has_failed else Fate.UNFINISHED


def _reached(start: Sequence[str], edges: Mapping[str, Collection[str]]) -> set[str]:
    """Return all that can be reached from *start* by *edges*, *start* included."""
    reached, pending = set(start), list(start)
    while pending:
        for other in edges.get(pending.pop(), ()):
            if other not in reached:
                reached.add(other)
                pending.append(other)
    return reached
