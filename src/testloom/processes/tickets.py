"""Tickets: what is laid out for another process belongs to whoever takes its ticket first.

Main lays something out for a process that is busy, so that it need not ask when it is done; but it
may change its mind as long as the process has not begun with that.  Who of them is first, the
system decides: a ticket is the counter of an ``eventfd``, which one ``read`` empties.

The descriptors are inherited: processes forked after they were made have them, others do not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container


class Tickets:
    """Room for one ticket in each of *count* places; a ticket is a number from 1.

    Raises:
        OSError: there are no descriptors left, or the system has no such thing.
    """

    def __init__(self, count: int) -> None:
        self._fds: list[int] = []
        if not hasattr(os, "eventfd"):
            raise OSError("this system has no eventfd")
        try:
            for _ in range(count):
                self._fds.append(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        except OSError:
            self.close()
            raise

    def put(self, place: int, ticket: int) -> None:
        """Lay *ticket* in *place*, which is empty."""
        os.eventfd_write(self._fds[place], ticket)

    def take(self, place: int) -> int | None:
        """On either side: take the ticket in *place*; None if there is none any more."""
        try:
            return os.eventfd_read(self._fds[place])
        except BlockingIOError:
            return None

    def keep_only(self, places: Container[int]) -> None:
        """In another process: let go of what is none of its business."""
        for place, fd in enumerate(self._fds):
            if place not in places:
                with contextlib.suppress(OSError):
                    os.close(fd)

    def close(self) -> None:
        """Let go of all."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
