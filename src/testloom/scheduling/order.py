"""In which order to run a graph: pure, and linear in its size.

`ordered` is how a run does best, as far as earlier runs tell.

What failed last is wanted first.  Of the rest, whatever has the longest way to go: a slot that
takes a long chain of fragments late is the slot that all others wait for in the end.  What is
short keeps the order in which it was given: nothing is won by moving it, its time differs from
run to run by chance, and people find it where they look for it.

`shuffled` finds tests that need others to have run before them, or not to have.
"""

from __future__ import annotations

import collections
import hashlib
import statistics
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Final, TypeVar

import msgspec

_SHORT: Final = 0.02
"""What takes less than this share of the time that the run takes at best is short..."""
_SHORT_S: Final = 0.5
"""... and so is what takes less than these seconds."""

Owner = TypeVar("Owner", bound=Hashable)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order for the units of a graph."""

    priorities: Mapping[str, float] = {}
    """For `MultiprocessScheduler`: more is earlier, 0 for those not mentioned."""
    paths_s: Mapping[str, float] = {}
    """How long it takes from the start of each unit to the end of the last that waits for it."""


def ordered(
    predecessors: Mapping[str, Iterable[str]],
    owners: Mapping[str, Owner],
    *,
    usual_s: Mapping[Owner, float],
    urgent: Collection[Owner] = (),
    jobs: int = 1,
    is_strict: bool = False,
) -> Order:
    """Return the order in which to run a graph.

    Args:
        predecessors: for each unit, those that must be done before it.
        owners: whose each unit is; an owner's time is shared out among its units.
        usual_s: how long it takes to do all units of an owner; those not mentioned are taken
            for ordinary ones.
        urgent: owners to do first, and what they wait for before them.
        jobs: how many units run at the same time.
        is_strict: what is short is moved, too.
    """
    parts = collections.Counter(owners.values())
    ordinary = statistics.median(usual_s.values()) if usual_s else 0.0
    cost = {
        uid: usual_s.get(owner, ordinary) / parts[owner]
        for uid in predecessors
        for owner in (owners[uid],)
    }
    wanted = frozenset(urgent)
    paths = dict(cost)
    hurry = {uid for uid in predecessors if owners[uid] in wanted}
    for uid in _last_first(predecessors):
        for before in predecessors[uid]:
            paths[before] = max(paths[before], cost[before] + paths[uid])
            if uid in hurry:
                hurry.add(before)
    longest = max(paths.values(), default=0.0)
    short = (
        0.0
        if is_strict
        else max(_SHORT_S, _SHORT * max(longest, sum(cost.values()) / max(1, jobs)))
    )
    ahead = longest + 1.0
    priorities = {uid: path if path > short else 0.0 for uid, path in paths.items()}
    for uid in hurry:
        priorities[uid] += ahead
    return Order(
        priorities={uid: priority for uid, priority in priorities.items() if priority},
        paths_s=paths,
    )


def shuffled(
    predecessors: Mapping[str, Iterable[str]],
    owners: Mapping[str, str],
    *,
    seed: int,
    urgent: Collection[str] = (),
) -> Mapping[str, float]:
    """Return priorities that run owners in a random order, the same for the same *seed*.

    Which of two comes first depends on their names and on *seed*, and on nothing else: so it
    stays like that when others are left out.  The *urgent* ones come before all others.
    """
    rank = {owner: _random(f"{seed}:{owner}") + (owner in urgent) for owner in owners.values()}
    return {uid: rank[owners[uid]] for uid in predecessors}


def _random(text: str) -> float:
    """Return a number between 0 and 1 that *text* stands for."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def _last_first(predecessors: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the units so that each comes before those it waits for; circles are left out."""
    waited_for = collections.Counter(
        before for of_one in predecessors.values() for before in set(of_one)
    )
    found = [uid for uid in predecessors if not waited_for[uid]]
    for uid in found:  # grows while it is gone through
        for before in set(predecessors[uid]):
            waited_for[before] -= 1
            if not waited_for[before]:
                found.append(before)
    return found
