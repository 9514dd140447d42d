"""Which units may run now: counters of unfinished predecessors and a heap of the ready.

Pure: no processes, no clock.  Building costs O(V+E) once, and so does everything together that
happens until the last unit is done.  Units that are ready at the same time come out by
priority, then in the order in which they were given, whatever the hash seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping

from testloom.model.errors import CycleError
from testloom.scheduling.graph import circles


class ReadyQueue:
    """A graph being worked off.

    Args:
        predecessors: for each unit, those that must be done before it; units are identified by
            their uid, and their order here is their order where priorities are equal.
        groups: the group of each unit, if it has one.  A unit that follows only one unit, which
            has no other successor in the same group, continues a *chain*: see `done`.
        priorities: more is earlier; 0 for those not mentioned.

    Raises:
        CycleError: units wait for each other.
        KeyError: a predecessor is not a unit.
    """

    def __init__(
        self,
        predecessors: Mapping[str, Iterable[str]],
        *,
        groups: Mapping[str, Hashable] | None = None,
        priorities: Mapping[str, float] | None = None,
    ) -> None:
        self._uids = list(predecessors)
        number = {uid: at for at, uid in enumerate(self._uids)}
        self._number = number
        self._waits_for = [0] * len(self._uids)
        self._next: dict[int, list[int]] = {}
        self.left = len(self._uids)
        """How many units are not done."""
        for at, uid in enumerate(self._uids):
            needed = {number[p] for p in predecessors[uid]}
            self._waits_for[at] = len(needed)
            for before in needed:
                self._next.setdefault(before, []).append(at)
        self._check_cycles(predecessors)
        self._keys: list[tuple[float, int]] | None = None
        if priorities:
            self._keys = [(-priorities.get(uid, 0.0), at) for at, uid in enumerate(self._uids)]
        self._chained = self._find_chains(groups) if groups else {}
        self._heap: list[tuple[float, int]] = []
        for at, count in enumerate(self._waits_for):
            if count == 0:
                self._push(at)

    def _push(self, at: int) -> None:
        heapq.heappush(self._heap, self._keys[at] if self._keys else (0.0, at))

    def __bool__(self) -> bool:
        return bool(self._heap)

    def __len__(self) -> int:
        """How many units are ready."""
        return len(self._heap)

    def take(self) -> str:
        """Return the first of the ready units, which is then running.

        Raises:
            IndexError: none is ready.
        """
        return self._uids[heapq.heappop(self._heap)[1]]

    def put_back(self, uid: str) -> None:
        """Let *uid*, which was taken and did not run, be ready again."""
        self._push(self._number[uid])

    def done(self, uid: str) -> str | None:
        """Note that *uid* is done, which may make others ready.

        Returns:
            The unit that continues the chain of *uid*: it is ready and taken, to be run where
            *uid* ran.  None if there is no such unit.
        """
        at = self._number[uid]
        self.left -= 1
        chained = self._chained.get(at)
        waits_for = self._waits_for
        for successor in self._next.pop(at, ()):
            waits_for[successor] -= 1
            if waits_for[successor] == 0 and successor != chained:
                self._push(successor)
        return None if chained is None else self._uids[chained]

    def continues(self, uid: str) -> bool:
        """Tell whether another unit of the same group is going to follow *uid* at once."""
        return self._number[uid] in self._chained

    def _find_chains(self, groups: Mapping[str, Hashable]) -> dict[int, int]:
        group_of = [groups.get(uid) for uid in self._uids]
        chained = {}
        for before, successors in self._next.items():
            group = group_of[before]
            if group is None:
                continue
            same = [s for s in successors if group_of[s] == group]
            if len(same) == 1 and self._waits_for[same[0]] == 1:
                chained[before] = same[0]
        return chained

    def _check_cycles(self, predecessors: Mapping[str, Iterable[str]]) -> None:
        """Work off the graph once without running anything; what is left over is on circles."""
        waits_for = list(self._waits_for)
        ready = [at for at, count in enumerate(waits_for) if count == 0]
        seen = 0
        while ready:
            at = ready.pop()
            seen += 1
            for successor in self._next.get(at, ()):
                waits_for[successor] -= 1
                if waits_for[successor] == 0:
                    ready.append(successor)
        if seen < len(self._uids):
            known = {uid: list(before) for uid, before in predecessors.items()}
            raise CycleError(circles(known)[0])
