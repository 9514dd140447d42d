"""Where workers leave results for main without waking it: memory that they share.

A result has to be out of a worker's hands the moment it is pushed, because the worker may crash
next.  But main has nothing to do with it before the fragment ends, and being woken for each one
would cost it more than all the rest.  So a worker puts results into its part of this memory, and
main takes them when the fragment has ended or its worker has died.

The memory is inherited: processes forked after it was made have it, others do not.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

PART_BYTES: Final = 64 * 1024
_LENGTH: Final = struct.Struct("<I")


class Tray:
    """Memory with one part for each of *count* slots; pages that nobody uses take no room.

    At the beginning of a part stands how much of it is used.  That is written last, so an item
    that a worker did not live to finish is not there.
    """

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * PART_BYTES)

    def put(self, slot: int, item: bytes) -> bool:
        """In the worker: leave *item*; False if there is no room for it."""
        start = slot * PART_BYTES
        (used,) = _LENGTH.unpack_from(self._memory, start)
        end = used + _LENGTH.size + len(item)
        if end + _LENGTH.size > PART_BYTES:
            return False
        at = start + _LENGTH.size + used
        _LENGTH.pack_into(self._memory, at, len(item))
        self._memory[at + _LENGTH.size : at + _LENGTH.size + len(item)] = item
        _LENGTH.pack_into(self._memory, start, end)
        return True

    def take(self, slot: int) -> list[bytes]:
        """In main: return what was left, in order, and make room.

        To be called while the worker puts nothing: when it waits for an order, or is dead.
        What a test has scribbled over is cut off.
        """
        start = slot * PART_BYTES
        (used,) = _LENGTH.unpack_from(self._memory, start)
        if used == 0:
            return []
        items = []
        at, end = start + _LENGTH.size, start + _LENGTH.size + min(used, PART_BYTES - _LENGTH.size)
        while at + _LENGTH.size <= end:
            (size,) = _LENGTH.unpack_from(self._memory, at)
            at += _LENGTH.size
            if at + size > end:
                break
            items.append(self._memory[at : at + size])
            at += size
        _LENGTH.pack_into(self._memory, start, 0)
        return items
