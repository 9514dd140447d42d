"""The numbered places of a run."""

from __future__ import annotations

import heapq


class Slots:
    """*count* places, numbered from 0. The lowest free number is given out first.

    A slot is given to one holder at a time: drivers derive ports and file names from it.  Those that
    are `shut` are not given out.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"a run needs at least 1 slot, not {count}")
        self.count = count
        self.shut = 0
        """How many have not been opened yet: those with the highest numbers."""
        self._free = list(range(count))
        self._is_free = [True] * count

    def __bool__(self) -> bool:
        """Whether a slot is free."""
        return bool(self._free)

    @property
    def opened(self) -> int:
        """How many slots are not shut."""
        return self.count - self.shut

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return self.opened - len(self._free)

    def shut_all_but(self, count: int) -> None:
        """Leave only the first *count* open; to be called while none is taken."""
        self.shut = max(0, self.count - count)
        self._free = list(range(self.count - self.shut))

    def open(self, more: int) -> None:
        """Open *more* slots, or as many as are shut."""
        for _ in range(min(more, self.shut)):
            heapq.heappush(self._free, len(self._is_free) - self.shut)
            self.shut -= 1

    def add(self) -> int:
        """Add a slot, which is free; return its number.  None may be shut."""
        slot = len(self._is_free)
        self._is_free.append(True)
        heapq.heappush(self._free, slot)
        self.count += 1
        return slot

    def take(self) -> int:
        """Return the lowest free slot, which is taken then.

        Raises:
            IndexError: none is free.
        """
        slot = heapq.heappop(self._free)
        self._is_free[slot] = False
        return slot

    def give_back(self, slot: int) -> None:
        """Free *slot*.

        Raises:
            ValueError: it is free already.
        """
        if self._is_free[slot]:
            raise ValueError(f"slot {slot} is free already")
        self._is_free[slot] = True
        heapq.heappush(self._free, slot)

    def retire(self, slot: int) -> None:
        """Never give out *slot*, which is taken, again."""
        if self._is_free[slot]:
            raise ValueError(f"slot {slot} is free")
        self.count -= 1
        self.open(1)  # in its place
