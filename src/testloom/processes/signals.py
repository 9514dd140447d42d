"""Signals as events of the loop, and dying of one properly.

A handler does nothing; Python writes the signal's number to a socket that the event loop waits
on.  So a signal is never an exception somewhere in the middle, and nothing is lost while a
callback runs.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from types import FrameType
from typing import Final, NoReturn

from testloom.processes import own_fds
from testloom.processes.loop import EventLoop

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals that ask a run to end."""
SUSPEND = signal.SIGTSTP
"""The one that asks it to stop until SIGCONT comes: Ctrl-Z."""
TELL = signal.SIGUSR1
"""The one that asks it what it is doing."""


@contextlib.contextmanager
def told_to(
    loop: EventLoop,
    callback: Callable[[int], None],
    signums: Iterable[int] = STOPPING,
    *,
    tells_forgotten: bool = True,
) -> Iterator[None]:
    """While the block runs, call *callback* from *loop* with each signal of *signums*.

    A signal that is ignored when the block begins (``nohup``) stays ignored.  Afterwards the
    former handlers are back.  Those that `raising` has raised, and that were forgotten, are told
    first; not where they may still be on their way, because this cleans up after one of them.
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
    loop.watch(reader.fileno(), read, is_urgent=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)  # if they were `held` until now
    if tells_forgotten:
        for number in wanted.intersection(_raised):
            loop.call_soon(functools.partial(callback, number))
        _raised[:] = [number for number in _raised if number not in wanted]
    try:
        yield
    finally:
        loop.unwatch(reader.fileno())
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            # None is one that was not installed from Python: it cannot be brought back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for end in (reader, writer):
            own_fds.discard(end.fileno())
            end.close()


@contextlib.contextmanager
def interrupting(loop: EventLoop) -> Iterator[None]:
    """While the block runs, let Ctrl-C raise `KeyboardInterrupt` from *loop* and nowhere else.

    So it never strikes between the start of a process and the moment somebody knows of it.  Who
    handles SIGINT otherwise, or runs in another thread, sees no difference.
    """
    is_usual = signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _ask)
    if not is_usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    with told_to(loop, _interrupt, (signal.SIGINT,), tells_forgotten=False):
        yield


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside `interrupting`: while the block runs, let Ctrl-C strike where it is, as usual."""
    if signal.getsignal(signal.SIGINT) is not _noted:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _noted)


def _interrupt(_signum: int) -> NoReturn:
    raise KeyboardInterrupt


def _noted(_signum: int, _frame: object) -> None:
    """Do nothing: the loop reads the number from its socket."""


def fork() -> int:
    """Fork; the child has all signals blocked until it calls `reset_in_child`.

    So none is lost, and none runs a handler of its parent or writes to its parent's wake-up socket.
    """
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    pid = -1
    try:
        with warnings.catch_warnings():
            # Of threads that run meanwhile, from Python 3.12 on: whoever calls this knows.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    finally:
        if pid != 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def be_child(run: Callable[[], None]) -> NoReturn:
    """In a forked child: call *run*, and do nothing else ever again; exit with 0, or 1 if it raised."""
    status = 1
    try:
        run()
        status = 0
    except BaseException:  # noqa: BLE001 - the last line of defence of a forked child
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


def reset_in_child(ignored: Collection[int] = ()) -> None:
    """In a forked child: the dispositions of a fresh interpreter, nothing blocked.

    Programs started from there get the defaults: `subprocess` restores those two that Python
    ignores.  Signals of *ignored* are ignored.
    """
    signal.set_wakeup_fd(-1)
    ignored = {signal.SIGPIPE, signal.SIGXFSZ, *ignored}
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def handle_here(signum: int, handler: Callable[[int, FrameType | None], object]) -> None:
    """Let *handler* handle a signal in this process, and not in those that are forked from it.

    There the default is back, unless somebody has put another handler in its place meanwhile.  Until
    it is, the signal waits: Python forgets what has come to a process that is being forked.
    """
    masks: list[set[int]] = []

    def hold() -> None:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, (signum,)))

    def let_go() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    def put_back() -> None:
        if signal.getsignal(signum) is handler:
            signal.signal(signum, signal.SIG_DFL)
        let_go()

    signal.signal(signum, handler)
    os.register_at_fork(before=hold, after_in_parent=let_go, after_in_child=put_back)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """While the block runs, let the signals that ask a run to end wait, until `told_to` wants them.

    So none strikes between the moment when there is something to be brought to an end and the one
    when somebody sees to that.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Asked(KeyboardInterrupt):
    """Another signal than Ctrl-C's has asked this process to end, where none is an event."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


@contextlib.contextmanager
def raising() -> Iterator[None]:
    """While the block runs, let the signals that ask a run to end raise `Asked`, as Ctrl-C does.

    So what was begun is cleaned up.  A second one ends the process at once.  Those that somebody
    ignores or handles, and other threads than the main one, see no difference.

    Where such an exception strikes in a callback of the interpreter, as there is in each import,
    Python says so and forgets it; `told_to` does not.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {s: handler for s in STOPPING if (handler := signal.getsignal(s)) in usual}
    _raised.clear()
    for number in before:
        signal.signal(number, _ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _raised.clear()


_raised: Final[list[int]] = []
"""What has been raised, and perhaps forgotten."""


def _ask(signum: int, _frame: object) -> NoReturn:
    _raised.append(signum)
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(signum, signal.SIG_DFL)
    raise Asked(signum)


@contextlib.contextmanager
def showing_stack() -> Iterator[None]:
    """While the block runs, answer `TELL` with the Python stack, on standard error.

    Only in the main thread, and not where somebody else handles it.
    """
    is_free = signal.getsignal(TELL) is signal.SIG_DFL
    if not is_free or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(TELL, _show_stack)
    try:
        yield
    finally:
        signal.signal(TELL, signal.SIG_DFL)


def _show_stack(_signum: int, frame: FrameType | None) -> None:
    with contextlib.suppress(OSError, ValueError):
        traceback.print_stack(frame)


def stop() -> None:
    """Stop this process as the terminal would; return when somebody wants it to go on.

    Where nobody could make it go on, because no shell looks after it, the system does not stop it.
    """
    before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTSTP,))
        os.kill(os.getpid(), signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, before)


def die_by(signum: int) -> NoReturn:
    """End this process by signal *signum*, so that its parent sees what happened."""
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signum,))
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # the first process of a container does not die by signals
