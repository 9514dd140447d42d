"""What the worker of each slot is doing right now: memory that it and main share.

A worker that is given several units at a time writes here which one it has begun, which costs it
no system call; main looks only when it has to know: when the worker has died, or when a time limit
may have passed.  The memory survives the worker, and is inherited by processes forked after it was made.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

import msgspec

_ENTRY: Final = struct.Struct("<dqq")
_PART_BYTES: Final = 64
"""A cache line each, so that slots do not slow each other down."""
NOTHING: Final = -1


class Doing(msgspec.Struct, frozen=True):
    """What a worker was doing when it was looked at."""

    unit: int
    """The number of the unit; `NOTHING` between two of them."""
    stage: int
    """How far it has come with that, as the worker counts."""
    since: float
    """When it began, on the clock that never goes back."""


class Board:
    """One entry for each of *count* slots."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * _PART_BYTES)
        for slot in range(count):
            self.clear(slot)

    def begin(self, slot: int, unit: int, now: float) -> None:
        """In the worker: *unit* begins."""
        _ENTRY.pack_into(self._memory, slot * _PART_BYTES, now, unit, 0)

    def reach(self, slot: int, stage: int) -> None:
        """In the worker: the unit has come to *stage*."""
        since, unit, _ = _ENTRY.unpack_from(self._memory, slot * _PART_BYTES)
        _ENTRY.pack_into(self._memory, slot * _PART_BYTES, since, unit, stage)

    def clear(self, slot: int) -> None:
        """Nothing goes on in *slot*."""
        _ENTRY.pack_into(self._memory, slot * _PART_BYTES, 0.0, NOTHING, 0)

    def look(self, slot: int) -> Doing:
        """Return what goes on in *slot*."""
        since, unit, stage = _ENTRY.unpack_from(self._memory, slot * _PART_BYTES)
        return Doing(unit, stage, since)
