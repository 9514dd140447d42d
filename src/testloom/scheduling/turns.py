"""Which units a slot is given at a time, where many of them are small.

To hand over one unit costs as much as to run a small one, so a slot gets several: a *turn*.  Turns
are short at first and grow to what takes about `TURN_S`, and towards the end they shrink, so that no
slot sits idle beside another with a long list.  Whoever runs a turn gives back what it did not get to.

Units that share something dear to set up come in a *bundle*: its units go to one slot, in order.  Only
when a slot has nothing else to do does it take the second half of another slot's bundle, and only if
what it then runs takes longer than setting up once more.

Pure: no processes, no clock.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

TURN_S: Final = 0.05
"""Seconds that a turn is meant to take: long beside the cost of handing it over, short for people."""
MOST: Final = 512
"""Units in a turn."""
_FORGETS: Final = 0.2
"""How much the last unit counts when it is guessed how long the next one takes."""


class Bundle(msgspec.Struct, frozen=True):
    """Units that belong together, in their order."""

    units: tuple[int, ...]
    is_whole: bool = False
    """Whether never to divide it, whatever that costs."""


class Turn(msgspec.Struct, frozen=True):
    """What a slot runs next."""

    units: tuple[int, ...]
    follows: int | None = None
    """The unit of the same bundle that is going to follow the last one; None if none does."""


class _Begun(msgspec.Struct):
    """A bundle, and what is left of it."""

    left: collections.deque[int]
    is_whole: bool = False
    is_loose: bool = False
    """Whether it is a unit that shares nothing."""
    setup_s: float | None = None
    """The longest set-up of any of its units: what it costs to begin it once more."""


class Turns:
    """Units being shared out among *slots* slots.

    Args:
        bundles: the units, each once, in the order in which they should run; those that share
            nothing are bundles of one.
        slots: how many slots there are.
    """

    def __init__(self, bundles: Iterable[Bundle], slots: int) -> None:
        self._slots = slots
        self._waiting: collections.deque[_Begun] = collections.deque()
        self._own: dict[int, _Begun] = {}
        """Slot -> the bundle that it has begun."""
        self._begun: dict[int, _Begun] = {}
        """Slot -> the bundle that its turn is from; not there if it is of units from anywhere."""
        self.left = 0
        """How many units are in nobody's hands."""
        self._mean_s: float | None = None
        self._is_over = False
        self.add(bundles)

    def add(self, bundles: Iterable[Bundle]) -> None:
        """Let *bundles* run, too, after what is waiting."""
        for bundle in bundles:
            units = collections.deque(bundle.units)
            self._waiting.append(_Begun(units, bundle.is_whole, len(units) == 1))
            self.left += len(units)

    def end(self) -> list[Bundle]:
        """Give out nothing more than what belongs to what has begun; return the rest.

        Of a bundle that has begun and may be divided one more unit is given out, so that what it has
        set up is torn down after a unit of it.
        """
        self._is_over = True
        left = [*self._waiting]
        self._waiting.clear()
        for own in self._own.values():
            if not own.is_whole and len(own.left) > 1:
                left.append(_Begun(own.left, setup_s=own.setup_s))
                own.left = collections.deque([left[-1].left.popleft()])
        bundles = [Bundle(tuple(one.left), one.is_whole) for one in left if one.left]
        self.left -= sum(len(bundle.units) for bundle in bundles)
        return bundles

    def next(self, slot: int) -> Turn | None:
        """Return what *slot* is to run next; None if there is nothing for it now."""
        bundle = self._own.get(slot)
        if bundle is None or not bundle.left:
            self._own.pop(slot, None)
            if self._is_over:
                return None
            bundle = self._first_waiting() or self._half_of_another()
            if bundle is None:
                self._begun.pop(slot, None)
                return self._loose_units()
            self._own[slot] = bundle
        self._begun[slot] = bundle
        # Nobody will want to share it while others wait to be begun.
        share = len(bundle.left) if self._waiting else len(bundle.left) // (2 * self._slots)
        units = self._taken(bundle, self._size(share))
        return Turn(units, bundle.left[0] if bundle.left else None)

    def ran(self, slot: int, wall_s: float, setup_s: float = 0.0) -> None:
        """Note that a unit of the turn of *slot* took *wall_s*, of which *setup_s* to set up."""
        before = self._mean_s
        self._mean_s = wall_s if before is None else before + _FORGETS * (wall_s - before)
        bundle = self._begun.get(slot)
        if bundle is not None:
            bundle.setup_s = max(bundle.setup_s or 0.0, setup_s)

    def give_back(self, slot: int, units: Sequence[int]) -> None:
        """Take back those *units* of the turn of *slot* that have not run."""
        if not units:
            return
        self.left += len(units)
        bundle = self._begun.get(slot)
        if bundle is not None:
            bundle.left.extendleft(reversed(units))
            self._own[slot] = bundle
        else:
            self._waiting.extendleft(
                _Begun(collections.deque([unit]), is_loose=True) for unit in reversed(units)
            )

    def leave(self, slot: int) -> None:
        """Let others go on with what *slot* has begun."""
        bundle = self._own.pop(slot, None)
        self._begun.pop(slot, None)
        if bundle is not None and bundle.left:
            self._waiting.appendleft(bundle)

    def _first_waiting(self) -> _Begun | None:
        """Return the next bundle if it is a real one."""
        if self._waiting and not self._waiting[0].is_loose:
            return self._waiting.popleft()
        return None

    def _loose_units(self) -> Turn | None:
        """Return units that share nothing, up to the next real bundle."""
        units: list[int] = []
        size = self._size(self.left // (2 * self._slots))
        while len(units) < size and self._waiting and self._waiting[0].is_loose:
            units.append(self._waiting.popleft().left[0])
        self.left -= len(units)
        return Turn(tuple(units)) if units else None

    def _half_of_another(self) -> _Begun | None:
        """Return the second half of the longest bundle that is worth being divided."""
        if self._waiting:
            return None
        others = (own for own in self._own.values() if not own.is_whole)
        longest = max(others, key=lambda own: len(own.left), default=None)
        if longest is None or longest.setup_s is None or self._mean_s is None:
            return None
        half = len(longest.left) // 2
        if half == 0 or half * self._mean_s <= longest.setup_s:
            return None
        units = [longest.left.pop() for _ in range(half)]
        return _Begun(collections.deque(reversed(units)), setup_s=longest.setup_s)

    def _taken(self, bundle: _Begun, size: int) -> tuple[int, ...]:
        self.left -= size
        return tuple(bundle.left.popleft() for _ in range(size))

    def _size(self, share: int) -> int:
        if not self._mean_s:
            return 1
        return max(1, min(int(TURN_S / self._mean_s), share, MOST))
