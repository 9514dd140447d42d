"""Keeps large pieces of data out of memory, in one file without a name.

The file is gone when the process is, however that ends, and takes one descriptor however many
pieces there are.  The room of pieces that were removed is used again.
"""

from __future__ import annotations

import os
import tempfile
from typing import IO

import msgspec

from testloom.processes import own_fds


class Shelved(msgspec.Struct, frozen=True):
    """Where a piece of data is."""

    at: int
    size: int

    def __len__(self) -> int:
        return self.size


class Shelf:
    """Some pieces of data; the file is made when the first one comes."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0
        self._free: list[Shelved] = []

    def put(self, data: bytes) -> Shelved:
        """Keep *data*.

        Raises:
            OSError: the file cannot be made, or the disk is full.
        """
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - until `close`
            own_fds.add(self._file.fileno())
        place = self._place_for(len(data))
        fd, rest = self._file.fileno(), memoryview(data)
        at = place.at
        try:
            while rest:
                done = os.pwrite(fd, rest, at)
                rest, at = rest[done:], at + done
        except OSError:
            self.remove(place)
            raise
        return place

    def _place_for(self, size: int) -> Shelved:
        for index, gap in enumerate(self._free):
            if gap.size >= size:
                if gap.size > size:
                    self._free[index] = Shelved(gap.at + size, gap.size - size)
                else:
                    del self._free[index]
                return Shelved(gap.at, size)
        place = Shelved(self._end, size)
        self._end += size
        return place

    def get(self, piece: Shelved) -> bytes:
        """Return the data of *piece*."""
        assert self._file is not None
        return os.pread(self._file.fileno(), piece.size, piece.at)

    def remove(self, piece: Shelved) -> None:
        """Forget *piece*, joining its room with free room beside it."""
        at, end = piece.at, piece.at + piece.size
        kept = []
        for gap in self._free:
            if gap.at + gap.size == at:
                at = gap.at
            elif gap.at == end:
                end += gap.size
            else:
                kept.append(gap)
        if end == self._end:
            self._end = at
            if self._file is not None:
                os.ftruncate(self._file.fileno(), at)
        else:
            kept.append(Shelved(at, end - at))
        self._free = kept

    def close(self) -> None:
        """Forget everything."""
        if self._file is not None:
            own_fds.discard(self._file.fileno())
            self._file.close()
            self._file = None
        self._free.clear()
        self._end = 0
