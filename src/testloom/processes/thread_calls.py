"""Lets other threads have something done in the thread that runs an event loop."""

from __future__ import annotations

import collections
import contextlib
import socket
from collections.abc import Callable

from testloom.processes import own_fds
from testloom.processes.loop import EventLoop


class ThreadCalls:
    """Calls for the thread of *loop*, which they wake up.

    It is made and closed in the thread of the loop; `call` may be called from anywhere, a signal
    handler included.
    """

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._calls: collections.deque[Callable[[], object]] = collections.deque()
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
            own_fds.add(end.fileno())
        loop.watch(self._reader.fileno(), self._run)

    def call(self, callback: Callable[[], object]) -> None:
        """Have the loop call *callback* soon; nothing happens once this is closed."""
        self._calls.append(callback)
        # Full: it is going to wake up anyway.  Closed: nobody is there to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            self._writer.send(b"\0")

    def _run(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
        # One by one, so that one that raises does not take the others with it.
        for _ in range(len(self._calls)):
            self._loop.call_soon(self._call_one)

    def _call_one(self) -> None:
        if self._calls:  # or it was closed by the one before
            self._calls.popleft()()

    def close(self) -> None:
        """Drop what has not been called."""
        self._calls.clear()
        if self._reader.fileno() < 0:
            return
        self._loop.unwatch(self._reader.fileno())
        for end in (self._reader, self._writer):
            own_fds.discard(end.fileno())
            end.close()
