"""A process beside this one that is sent messages and does something with each, in order.

It is for what nobody waits for and takes the system long, such as making thousands of files.  A
thread would do it in our interpreter, which only one of them has at a time: where all cores are
busy, the system puts aside the one that has it, and everything here stands still meanwhile.

::

    main ── messages ──▶ scribe
         ◀── last words ──

It is a companion that ends when it has done all that it was sent and nobody can send any more, also when
this process was killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable
from typing import Final

from testloom.processes.companion import Companion

_LONGEST: Final = 1 << 18
"""Bytes of a message: more than the system takes."""
_LAST_WORDS: Final = 4096


class Scribe:
    """Starts the process; this one keeps the handle.

    Args:
        do: is called there with each message.
        finish: is called there in the end; what it returns is what `close` returns, up to 4 KiB.

    Raises:
        OSError: there can be no further process.
    """

    def __init__(self, do: Callable[[bytes], None], finish: Callable[[], bytes]) -> None:
        def run(channel: socket.socket, parent: int) -> None:
            _serve(parent, channel, do)
            with contextlib.suppress(BrokenPipeError):  # nobody is left to hear them
                channel.send(b"." + finish()[: _LAST_WORDS - 1])

        self._companion = Companion("testloom-scribe", run)
        self._words: bytes | None = None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._companion.pid

    def send(self, message: bytes) -> bool:
        """Send *message*, which is not empty; False if that cannot be done now or any more."""
        return self._companion.send(message)

    def last_words(self, timeout_s: float) -> bytes | None:
        """Wait until everything is done; return the last words, None if it came to no end.

        That may take *timeout_s* seconds.  `close` is still to come.
        """
        channel = self._companion.channel
        if self._words is None:
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_WR)
                channel.settimeout(timeout_s)
                self._words = channel.recv(_LAST_WORDS) or None
        return None if self._words is None else self._words[1:]

    def close(self, timeout_s: float) -> bytes | None:
        """Do as `last_words` and wait for the end of the process, which is killed if it had none."""
        words = self.last_words(timeout_s)
        if words is not None:
            self._companion.wait()
        self._companion.close()
        return words


def _serve(parent: int, channel: socket.socket, do: Callable[[bytes], None]) -> None:
    """Do what is asked until nobody is left to ask."""
    poller = select.poll()
    poller.register(channel, select.POLLIN)
    with contextlib.suppress(OSError):
        # A process that main has forked may hold the other end of the channel.
        poller.register(os.pidfd_open(parent), select.POLLIN)
    while True:
        poller.poll()
        try:
            message = channel.recv(_LONGEST, socket.MSG_DONTWAIT)
        except BlockingIOError:  # so it is the parent that has gone
            return
        if not message:
            return
        do(message)
