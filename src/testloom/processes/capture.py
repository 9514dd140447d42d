"""What a program wrote: its beginning, its end, and how much there was in all."""

from __future__ import annotations

import collections


class Capture:
    """Keeps the first and the last *keep_bytes* of a stream; the middle is dropped.

    Memory is bounded by twice *keep_bytes* and one chunk, however much is added.
    """

    __slots__ = ("_head", "_keep", "_tail", "_tail_bytes", "total")

    def __init__(self, keep_bytes: int) -> None:
        self._keep = keep_bytes
        self._head: list[bytes] = []
        self._tail: collections.deque[bytes] = collections.deque()
        self._tail_bytes = 0
        self.total = 0
        """How many bytes were added."""

    def add(self, chunk: bytes) -> None:
        before = self.total
        self.total = before + len(chunk)
        if self.total <= self._keep:
            self._head.append(chunk)
            return
        if before < self._keep:
            self._head.append(chunk[: self._keep - before])
            chunk = chunk[self._keep - before :]
        self._tail.append(chunk)
        self._tail_bytes += len(chunk)
        while self._tail_bytes - len(self._tail[0]) >= self._keep:
            self._tail_bytes -= len(self._tail.popleft())

    def content(self) -> bytes:
        """Return what was kept, with a line that says how much is missing where it is."""
        if not self._tail:
            return self._head[0] if len(self._head) == 1 else b"".join(self._head)
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
