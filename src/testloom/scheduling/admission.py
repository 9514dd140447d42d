"""Which of the ready units may start now: those for whose needs there is room.

Pure.  Units come out in the order of the ready queue.  One that lacks a place is not passed by
anybody: everybody needs places, and it would starve.  One that lacks something else waits in a
line for that thing, first come first served, and those that do not need it pass; unless the
order is to be kept, then nobody passes.  Whatever waits is looked at once when its turn comes,
not each time something ends, so that ten thousand units in line cost no more than ten.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

from testloom.scheduling.ready import ReadyQueue
from testloom.scheduling.resources import ONE_PLACE, PLACES, Needs, Resources

_ONE: Mapping[str, int] = ONE_PLACE.amounts


class Admission:
    """A ready queue with room for so much at a time.

    Args:
        ready: the units.
        resources: what there is.
        needs: what units take; those not mentioned take one place.
        in_order: whether units must start in the order of the ready queue.

    Raises:
        UsageError: a unit needs something that has no limit.
    """

    def __init__(
        self,
        ready: ReadyQueue,
        resources: Resources,
        needs: Mapping[str, Needs] | None = None,
        *,
        in_order: bool = False,
    ) -> None:
        self._ready = ready
        self._resources = resources
        self._in_order = in_order
        self._amounts: dict[str, Mapping[str, int]] = {}
        """What units take, but for those that take one place."""
        self._lines: dict[str, list[tuple[tuple[float, int], str]]] = {}
        """The units that wait for something, by its name; the first is the one to be served."""
        self._in_line: dict[str, tuple[float, int]] = {}
        self._to_look_at: set[str] = set()
        """The names whose lines may have to move."""
        for uid, need in (needs or {}).items():
            self.declare(uid, need)

    def declare(self, uid: str, needs: Needs) -> None:
        """Note what *uid*, which has not started, is going to take.

        Raises:
            UsageError: it needs something that has no limit.
        """
        if needs != ONE_PLACE:
            amounts = needs.amounts
            self._resources.check(uid, amounts)
            self._amounts[uid] = amounts

    def take(self) -> str | None:
        """Return the next unit, which has started then, with all that it needs; None if none may."""
        if not self._amounts:  # so it is in nearly all runs, and nobody stands in a line
            if not self._ready or not self._resources.take_place():
                return None
            return self._ready.take()
        while True:
            if self._to_look_at:
                self._serve_lines()
            if not self._ready:
                return None
            if not self._resources.has_room(PLACES, 1):
                return None  # whoever it is
            uid = self._ready.take()
            amounts = self._amounts.get(uid, _ONE)
            lacking = self._lacking(uid, amounts)
            if lacking is None:
                self._resources.take(amounts)
                self._look_at(amounts)
                return uid
            if lacking == PLACES or self._in_order:
                self._ready.put_back(uid)
                return None
            rank = self._in_line[uid] = self._ready.rank(uid)
            heapq.heappush(self._lines.setdefault(lacking, []), (rank, uid))
            self._look_at(amounts)

    def has_more_than(self, count: int) -> bool:
        """Tell whether more than *count* units are ready, none of which needs but a place."""
        return not self._amounts and len(self._ready) > count

    def begin(self, uid: str) -> None:
        """Let *uid* have what it needs: it was taken from the ready ones, and has begun."""
        self._resources.take(self._amounts.get(uid, _ONE))

    def ended(self, uid: str, heir: str | None = None) -> None:
        """Take back what *uid* has; *heir*, which needs the same, gets it if there is one."""
        if not self._amounts:
            if heir is None:
                self._resources.give_place_back()
            return
        amounts = self._amounts.pop(uid, _ONE)
        if heir is None:
            self._resources.give_back(amounts)
            self._look_at(amounts)

    def put_back(self, uid: str) -> None:
        """Let *uid*, which did not get to run, wait for its turn again."""
        amounts = self._amounts.get(uid, _ONE)
        self._resources.give_back(amounts)
        self._look_at(amounts)
        self._ready.put_back(uid)

    def discard(self, uid: str) -> bool:
        """Let *uid* never start; tell whether it had not."""
        if self._in_line.pop(uid, None) is not None:
            self._ready.put_back(uid)  # its place in the line is passed over later
        if not self._ready.discard(uid):
            return False
        self._look_at(self._amounts.pop(uid, _ONE))
        return True

    def set_limit(self, name: str, limit: int) -> None:
        """Let there be *limit* of *name* from now on.

        Raises:
            UsageError: it is below 1.
        """
        self._resources.set_limit(name, limit)
        self._to_look_at.add(name)

    def _look_at(self, amounts: Mapping[str, int]) -> None:
        if self._lines:
            self._to_look_at.update(self._lines.keys() & amounts.keys())

    def _lacking(self, uid: str, amounts: Mapping[str, int]) -> str | None:
        """Return what *uid* lacks, or what somebody before it is waiting for."""
        lacking = self._resources.lacking(amounts)
        if lacking is None and self._lines and len(amounts) > 1:
            rank = self._ready.rank(uid)
            for name in amounts:
                first = self._first_in_line(name)
                if first is not None and first[0] < rank:
                    return name
        return lacking

    def _serve_lines(self) -> None:
        """Let the first of each line that may move be ready again, if there is room for it.

        Only the first: when it has started, or lacks something else, the next is looked at.
        """
        for name in self._sorted_to_look_at():
            first = self._first_in_line(name)
            if first is None:
                continue
            uid = first[1]
            if self._resources.has_room(name, self._amounts[uid][name]):
                heapq.heappop(self._lines[name])
                del self._in_line[uid]
                self._ready.put_back(uid)

    def _sorted_to_look_at(self) -> Iterator[str]:
        names = sorted(self._to_look_at)
        self._to_look_at.clear()
        yield from names

    def _first_in_line(self, name: str) -> tuple[tuple[float, int], str] | None:
        line = self._lines.get(name)
        while line:
            rank, uid = line[0]
            if self._in_line.get(uid) == rank:
                return rank, uid
            heapq.heappop(line)  # it was discarded
        self._lines.pop(name, None)
        return None
