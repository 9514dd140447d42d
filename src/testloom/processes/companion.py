"""A process beside this one that runs a function of ours, at the other end of a channel.

::

    this process ── messages ── companion

It takes no notice of the terminal's signals, which are this process's to handle, and has none of the
descriptors that are the runner's own.  Its function sees to it that it ends when this process has gone.
The end of the channel does not tell that: a process that this one has forked may hold the other end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
from collections.abc import Callable, Collection
from typing import Final, NoReturn

from testloom.processes import own_fds, prctl, signals, tree

_UNKNOWN: Final = -1
"""What a process has exited with that somebody else has waited for."""


class Companion:
    """Starts the process; this one keeps the handle, which has what `subprocess.Popen` has.

    Args:
        name: what process listings show, up to 15 letters.
        run: is called there with its end of the channel and the number of this process.
        keeps: descriptors of the runner's own that it needs.

    Raises:
        OSError: there can be no further process.
    """

    def __init__(
        self, name: str, run: Callable[[socket.socket, int], None], keeps: Collection[int] = ()
    ) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own_fds.add(self.channel.fileno())
        self.returncode: int | None = None
        parent = os.getpid()
        try:
            self.pid = signals.fork()
            if self.pid == 0:
                _be_companion(name, parent, theirs, run, frozenset(keeps))
        except OSError:
            self._let_go()
            raise
        finally:
            theirs.close()

    def send(self, message: bytes) -> bool:
        """Send *message*, which is not empty; False if that cannot be done now or any more."""
        try:
            self.channel.send(message, socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def poll(self) -> int | None:
        """Return what the process exited with, None while it runs."""
        return self._waited_for(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait for the process to end; return what it exited with."""
        return self._waited_for(0)

    def is_over(self, channel: socket.socket, parent: int) -> bool:
        """In another companion: wait until this one has ended; False if there is news before.

        That is a message on its own *channel*, or the end of its *parent*.
        """
        with contextlib.ExitStack() as open_fds:
            fds = []
            for pid in (parent, self.pid):
                try:
                    fds.append(os.pidfd_open(pid))
                except OSError:  # it has ended, and has been waited for
                    return pid != parent
                open_fds.callback(os.close, fds[-1])
            poller = select.poll()
            for fd in (channel.fileno(), *fds):
                poller.register(fd, select.POLLIN)
            return all(fd == fds[-1] for fd, _ in poller.poll())

    def kill(self) -> None:
        """Kill the process, with all below it."""
        if self.poll() is None:
            tree.kill_tree(self.pid)

    def close(self) -> None:
        """Let go of the process, killed if it still runs; once more is fine."""
        self.kill()
        self.wait()
        self._let_go()

    def _waited_for(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                self.returncode = _UNKNOWN
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def _let_go(self) -> None:
        own_fds.discard(self.channel.fileno())
        self.channel.close()


def _be_companion(
    name: str,
    parent: int,
    channel: socket.socket,
    run: Callable[[socket.socket, int], None],
    keeps: frozenset[int],
) -> NoReturn:
    """Run *run*, and nothing else ever again."""

    def run_it() -> None:
        signals.reset_in_child(ignored=(*signals.STOPPING, signal.SIGTSTP))
        own_fds.close_all(but=keeps)
        own_fds.add(channel.fileno())
        prctl.set_name(name)
        gc.freeze()
        run(channel, parent)

    signals.be_child(run_it)
