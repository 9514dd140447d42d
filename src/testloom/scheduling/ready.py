"""Which units may run now: counters of unfinished predecessors and a heap of the ready.

Pure: no processes, no clock.  Building costs O(V+E) once, and so does everything together that
happens until the last unit is done.  Units that are ready at the same time come out by
priority, then in the order in which they were given, whatever the hash seed.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from testloom.model.errors import CycleError
from testloom.scheduling.graph import circles

# What a unit does: wait for others, wait for its turn, run; or it has ended, or will never run.
_WAITS: Final = 0
_IS_READY: Final = 1
_IS_TAKEN: Final = 2
_IS_DONE: Final = 3


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
        self._state = bytearray(len(self._uids))
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
        self._ready = 0
        for at, count in enumerate(self._waits_for):
            if count == 0:
                self._push(at)

    def _push(self, at: int) -> None:
        self._state[at] = _IS_READY
        self._ready += 1
        heapq.heappush(self._heap, self._keys[at] if self._keys else (0.0, at))

    def __bool__(self) -> bool:
        return self._ready > 0

    def __len__(self) -> int:
        """How many units are ready."""
        return self._ready

    def take(self) -> str:
        """Return the first of the ready units, which is then running.

        Raises:
            IndexError: none is ready.
        """
        at = heapq.heappop(self._heap)[1]
        while self._state[at] != _IS_READY:  # it was discarded while it stood in line
            at = heapq.heappop(self._heap)[1]
        self._state[at] = _IS_TAKEN
        self._ready -= 1
        return self._uids[at]

    def put_back(self, uid: str) -> None:
        """Let *uid*, which was taken and did not run, be ready again."""
        self._push(self._number[uid])

    def rank(self, uid: str) -> tuple[float, int]:
        """Return what the ready are sorted by; the smallest comes first."""
        at = self._number[uid]
        return self._keys[at] if self._keys else (0.0, at)

    def done(self, uid: str) -> str | None:
        """Note that *uid* is done, which may make others ready.

        Returns:
            The unit that continues the chain of *uid*: it is ready and taken, to be run where
            *uid* ran.  None if there is no such unit.
        """
        at = self._number[uid]
        self.left -= 1
        state, waits_for = self._state, self._waits_for
        state[at] = _IS_DONE
        chained = self._chained.get(at)
        if chained is not None and state[chained] != _WAITS:
            chained = None
        for successor in self._next.pop(at, ()):
            waits_for[successor] -= 1
            if waits_for[successor] == 0 and successor != chained and state[successor] == _WAITS:
                self._push(successor)
        if chained is None:
            return None
        state[chained] = _IS_TAKEN
        return self._uids[chained]

    def continues(self, uid: str) -> bool:
        """Tell whether another unit of the same group is going to follow *uid* at once."""
        chained = self._chained.get(self._number[uid])
        return chained is not None and self._state[chained] == _WAITS

    def add(self, uid: str, predecessors: Iterable[str] = (), priority: float = 0.0) -> None:
        """Add a unit while others run.  It is never part of a chain.

        Raises:
            ValueError: there is a unit *uid* already.
            KeyError: a predecessor is not a unit, or has been forgotten.
        """
        if uid in self._number:
            raise ValueError(f"there is a unit {uid!r} already")
        needed = {self._number[p] for p in predecessors}
        needed = {before for before in needed if self._state[before] != _IS_DONE}
        at = self._number[uid] = len(self._uids)
        self._uids.append(uid)
        self._state.append(_WAITS)
        self._waits_for.append(len(needed))
        if priority and self._keys is None:
            self._keys = [(0.0, number) for number in range(at)]
        if self._keys is not None:
            self._keys.append((-priority, at))
        for before in needed:
            self._next.setdefault(before, []).append(at)
        self.left += 1
        if not needed:
            self._push(at)

    def discard(self, uid: str) -> bool:
        """Let *uid* never run, unless it was taken; those that follow it count it as done.

        Returns:
            Whether it was there and had not been taken.
        """
        at = self._number.get(uid)
        if at is None or self._state[at] in (_IS_TAKEN, _IS_DONE):
            return False
        if self._state[at] == _IS_READY:
            self._ready -= 1  # its place in the heap is passed over later
        self._state[at] = _IS_TAKEN
        chained = self.done(uid)
        if chained is not None:
            self.put_back(chained)
        return True

    def forget(self, uid: str) -> None:
        """Forget the name of *uid*, which is done: what works for weeks must not grow with it."""
        at = self._number.pop(uid)
        self._uids[at] = ""

    def drop_waiting(self) -> list[str]:
        """Let all that wait for others never run; return them.  What is ready stays ready."""
        dropped = [at for at, state in enumerate(self._state) if state == _WAITS]
        for at in dropped:
            self._state[at] = _IS_DONE
        self.left -= len(dropped)
        self._next.clear()
        self._chained.clear()
        return [self._uids[at] for at in dropped]

    def again(self, follows: Mapping[str, Iterable[str]]) -> None:
        """Let units that are done be done once more, after all that are there now.

        *follows* has the units, and which of each other they follow.  They are chained as they
        were.
        """
        old = [self._number[uid] for uid in follows]
        new = dict(zip(old, itertools.count(len(self._uids)), strict=False))
        for uid, at in zip(follows, old, strict=True):
            self._number[uid] = new[at]
            self._uids.append(uid)
            self._state.append(_WAITS)
            if self._keys is not None:
                self._keys.append((self._keys[at][0], new[at]))
            if self._chained.get(at) in new:
                self._chained[new[at]] = new[self._chained[at]]
        for uid, before in follows.items():
            needed = {self._number[p] for p in before}
            self._waits_for.append(len(needed))
            for other in needed:
                self._next.setdefault(other, []).append(self._number[uid])
        self.left += len(old)
        for at in new.values():
            if self._waits_for[at] == 0:
                self._push(at)

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
