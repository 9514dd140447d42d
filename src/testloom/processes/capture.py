"""What a program wrote: its beginning, its end, and how much there was in all."""

from __future__ import annotations

import collections
from collections.abc import MutableSequence

_PIECE = 1 << 16


class Capture:
    """Keeps the first and the last *keep_bytes* of a stream; the middle is dropped.

    Memory is bounded by twice *keep_bytes* and one chunk, however much is added and in however
    small pieces.
    """

    __slots__ = ("_head", "_keep", "_tail", "_tail_bytes", "total")

    def __init__(self, keep_bytes: int) -> None:
        self._keep = keep_bytes
        self._head: list[bytes | bytearray] = []
        self._tail: collections.deque[bytes | bytearray] = collections.deque()
        self._tail_bytes = 0
        self.total = 0
        """How many bytes were added."""

    def add(self, chunk: bytes) -> None:
        before = self.total
        self.total = before + len(chunk)
        if self.total <= self._keep:
            _append(self._head, chunk)
            return
        if before < self._keep:
            _append(self._head, chunk[: self._keep - before])
            chunk = chunk[self._keep - before :]
        _append(self._tail, chunk)
        self._tail_bytes += len(chunk)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= self._keep:
            self._tail_bytes -= len(self._tail.popleft())

    def content(self) -> bytes:
        """Return what was kept, with a line that says how much is missing where it is."""
        if self.total <= self._keep:
            return bytes(self._head[0]) if len(self._head) == 1 else b"".join(self._head)
        tail = b"".join(self._tail)
        excess = len(tail) - self._keep
        tail = tail[excess:] if excess > 0 else tail
        dropped = self.total - self._keep - len(tail)
        note = b"" if dropped <= 0 else b"\n... %d bytes dropped ...\n" % dropped
        return b"".join(self._head) + note + tail

    def clear(self) -> None:
        """Forget everything."""
        self._head.clear()
        self._tail.clear()
        self._tail_bytes = self.total = 0


def _append(pieces: MutableSequence[bytes | bytearray], chunk: bytes) -> None:
    """Add *chunk*, growing the last piece while it is small: each object costs memory, too."""
    last = pieces[-1] if pieces else b""
    if not last or len(last) + len(chunk) > _PIECE:
        pieces.append(chunk)
    elif isinstance(last, bytearray):
        last += chunk
    else:
        pieces[-1] = bytearray(last) + chunk
