"""Signals as events of the loop, and dying of one properly.

A handler does nothing; Python writes the signal's number to a socket that the event loop waits
on.  So a signal is never an exception somewhere in the middle, and nothing is lost while a
callback runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator

from testloom.processes import own_fds
from testloom.processes.loop import EventLoop

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals that ask a run to end."""


@contextlib.contextmanager
def told_to(
    loop: EventLoop, callback: Callable[[int], None], signums: Iterable[int] = STOPPING
) -> Iterator[None]:
    """While the block runs, call *callback* from *loop* with each signal of *signums*.

    A signal that is ignored when the block begins (``nohup``) stays ignored.  Afterwards the
    former handlers are back.
    """
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
        own_fds.add(end.fileno())
    wanted = {s for s in signums if signal.getsignal(s) is not signal.SIG_IGN}

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            for number in reader.recv(4096):
                if number in wanted:
                    callback(number)

    before = {s: signal.signal(s, _noted) for s in wanted}
    old_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    loop.watch(reader.fileno(), read)
    try:
        yield
    finally:
        loop.unwatch(reader.fileno())
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        for end in (reader, writer):
            own_fds.discard(end.fileno())
            end.close()


def _noted(_signum: int, _frame: object) -> None:
    """Do nothing: the loop reads the number from its socket."""


def reset_in_child() -> None:
    """In a forked child: the dispositions of a fresh interpreter, nothing blocked.

    Programs started from there get the defaults: `subprocess` restores those two that Python
    ignores.
    """
    signal.set_wakeup_fd(-1)
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            with contextlib.suppress(OSError, ValueError):
                ignored = number in (signal.SIGPIPE, signal.SIGXFSZ)
                signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def die_by(signum: int) -> None:
    """End this process by signal *signum*, so that its parent sees what happened."""
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signum,))
    os.kill(os.getpid(), signum)
