"""A process beside this one that is sent messages and does something with each, in order.

It is for what nobody waits for and takes the system long, such as making thousands of files.  A
thread would do it in our interpreter, which only one of them has at a time: where all cores are
busy, the system puts aside the one that has it, and everything here stands still meanwhile.

::

    main ── messages ──▶ scribe
         ◀── last words ──

It ends when it has done all that it was sent and nobody can send any more, also when this process
was killed; it takes no notice of the terminal's signals, which are this process's to handle.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Final, NoReturn

from testloom.processes import own_fds, prctl, signals, tree

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
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own_fds.add(self._channel.fileno())
        parent = os.getpid()
        try:
            self.pid = signals.fork()
            if self.pid == 0:
                _be_scribe(parent, theirs, do, finish)
        except OSError:
            self._let_go()
            raise
        finally:
            theirs.close()

    def send(self, message: bytes) -> bool:
        """Send *message*, which is not empty; False if that cannot be done now or any more."""
        try:
            self._channel.send(message, socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def close(self, timeout_s: float) -> bytes | None:
        """Wait until everything is done; return the last words, None if it came to no end.

        After *timeout_s* seconds without an end the process is killed.
        """
        words = None
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
            self._channel.settimeout(timeout_s)
            words = self._channel.recv(_LAST_WORDS) or None
        if words is None:
            tree.signal_all([self.pid], signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._let_go()
        return None if words is None else words[1:]

    def _let_go(self) -> None:
        own_fds.discard(self._channel.fileno())
        self._channel.close()


def _be_scribe(
    parent: int, channel: socket.socket, do: Callable[[bytes], None], finish: Callable[[], bytes]
) -> NoReturn:
    """Do what comes, and nothing else ever again."""

    def run() -> None:
        signals.reset_in_child(ignored=(*signals.STOPPING, signal.SIGTSTP))
        own_fds.close_all()
        prctl.set_name("testloom-scribe")
        gc.freeze()
        _serve(parent, channel, do)
        with contextlib.suppress(BrokenPipeError):  # nobody is left to hear them
            channel.send(b"." + finish()[: _LAST_WORDS - 1])

    signals.be_child(run)


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
