"""Reads what another process puts into a `multiprocessing` queue, without ever blocking.

``get`` blocks for ever when a process dies in the middle of a large object, because this process
holds the other end of the pipe as well.  Here a piece of an object is only that.
"""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any

_SHORT = struct.Struct("!i")
_LONG = struct.Struct("!Q")
_READ_BYTES = 1 << 16


class QueuePipe:
    """The pipe of a queue; raises `AttributeError` if *queue* has none."""

    def __init__(self, queue: Any) -> None:
        self.fd: int = queue._reader.fileno()  # noqa: SLF001 - the way that does not block
        self._data = bytearray()
        os.set_blocking(self.fd, False)

    def objects(self) -> list[Any]:
        """Return the objects that have arrived as a whole, each once.

        Raises:
            Exception: whatever making one of them raises.
        """
        while True:
            try:
                chunk = os.read(self.fd, _READ_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                break
            self._data += chunk
        found = []
        while (piece := self._next()) is not None:
            found.append(pickle.loads(piece))  # noqa: S301 - as the queue would
        return found

    def _next(self) -> bytes | None:
        data = self._data
        if len(data) < _SHORT.size:
            return None
        (size,) = _SHORT.unpack_from(data)
        start = _SHORT.size
        if size == -1:  # two gigabytes or more
            if len(data) < start + _LONG.size:
                return None
            (size,) = _LONG.unpack_from(data, start)
            start += _LONG.size
        if len(data) < start + size:
            return None
        piece = bytes(data[start : start + size])
        del data[: start + size]
        return piece
