"""Divides the tests of a suite among machines: ``--shard 2/4``.  Pure decisions.

Each machine divides all the tests, and runs its own share.  That the shares are disjoint and
complete follows from all of them dividing the same: the division depends on the names of the
tests, on which of them follow others, and on the times given, and on nothing else.  Its digest is
kept with each run, so that `testloom.journal.merging` can tell whether that was so.

Tests that follow each other stay together.  Of such groups the longest one comes first, and each
goes to the share that has least to do so far: no share takes longer than another by more than
the longest group.  A test whose time is not known is taken to last as long as most.
"""

from __future__ import annotations

import hashlib
import heapq
import re
import statistics
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from testloom.model.summary import ResultEntry

MOST: Final = 10_000


class Shard(msgspec.Struct, frozen=True):
    """Share *number* (1 is the first) of *count*."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return what ``2/4`` stands for.

        Raises:
            ValueError: *text* stands for none; the message says what to write.
        """
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if not found:
            raise ValueError(f"{text!r} is no shard; write 2/4 for the second of four")
        shard = cls(int(found[1]), int(found[2]))
        if not 1 <= shard.number <= shard.count:
            raise ValueError(f"there is no shard {text}; write 1/{shard.count} for the first")
        if shard.count > MOST:
            raise ValueError(f"{shard.count} shards are too many; write at most {MOST}")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


class Division(msgspec.Struct, frozen=True):
    """Which test is in which share."""

    shares: Mapping[str, int]
    """Name -> number of the share, counted from 1."""

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that differ for different divisions."""
        digest = hashlib.sha256()
        for name, number in sorted(self.shares.items()):
            digest.update(f"{number} ".encode() + name.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()[:16]

    def share(self, number: int) -> frozenset[str]:
        """Return the tests of share *number*."""
        return frozenset(name for name, one in self.shares.items() if one == number)


def divide(
    names: Iterable[str],
    follows: Mapping[str, Collection[str]],
    times_s: Mapping[str, float],
    count: int,
) -> Division:
    """Divide tests into *count* shares.

    Args:
        names: all tests; their order does not matter.
        follows: which other tests a test follows, for those that follow any.
        times_s: how long tests take, as far as it is known.
        count: how many shares there are; some may be empty.
    """
    groups = _groups(sorted(set(names)), follows)
    usual_ms = _milliseconds(statistics.median(times_s.values()) if times_s else 1.0)
    known_ms = {name: _milliseconds(each) for name, each in times_s.items()}
    sized = [(sum(known_ms.get(name, usual_ms) for name in group), group) for group in groups]
    sized.sort(key=lambda one: (-one[0], one[1][0]))
    loads = [(0, 0, number) for number in range(1, count + 1)]
    shares: dict[str, int] = {}
    for size_ms, group in sized:
        load_ms, held, number = loads[0]
        heapq.heapreplace(loads, (load_ms + size_ms, held + len(group), number))
        shares.update(dict.fromkeys(group, number))
    return Division(shares)


def times_of(entries: Iterable[ResultEntry]) -> dict[str, float]:
    """Return how long each test of a run took, as far as it ran."""
    found: dict[str, float] = {}
    for entry in entries:
        if entry.time_s is not None and entry.slot >= 0:
            found[entry.test] = max(entry.time_s, found.get(entry.test, 0.0))
    return found


def _groups(names: list[str], follows: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return the tests that follow each other, directly or not, together; each list is sorted."""
    head = {name: name for name in names}

    def found(name: str) -> str:
        while head[name] != name:
            head[name] = head[head[name]]  # the way is half as long next time
            name = head[name]
        return name

    for name in names:
        for other in follows.get(name, ()):
            if other in head:
                head[found(other)] = found(name)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(found(name), []).append(name)
    return list(groups.values())


def _milliseconds(seconds: float) -> int:
    # Whole numbers: their sum does not depend on the order in which they are added.
    return max(1, round(min(max(seconds, 0.0), 1e9) * 1000))
