"""Puts a process back to what it was before a test ran in it, and says what had changed.

The checks cost some thirty microseconds a fragment, so they run after each one.  What can be
restored is (directory, mask, environment, signals, limits, search path).  What cannot (threads,
descriptors: closing one that some object still holds would hit whoever gets its number next)
makes the process unfit for another test.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import locale
import os
import resource
import signal
import sys
import threading
from collections.abc import Collection
from typing import Any, Final, TextIO

from testloom.processes import tree

_SIGNALS: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGXFSZ,
    signal.SIGXCPU,
)
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS: Final = {
    resource.RLIMIT_AS: "address space",
    resource.RLIMIT_CORE: "core files",
    resource.RLIMIT_CPU: "CPU time",
    resource.RLIMIT_FSIZE: "file size",
    resource.RLIMIT_NOFILE: "open files",
    resource.RLIMIT_STACK: "stack",
}
# Without the conversion to enums, which takes ten times as long as the call.
_plain: Final[Any] = importlib.import_module("_signal")
_handler_of, _change_mask = _plain.getsignal, _plain.pthread_sigmask


class Baseline:
    """How this process is now; `restore` brings it back to that."""

    def __init__(self) -> None:
        self._cwd = _directory()
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._environ = os.environ
        self._variables = dict(os.environ)
        self._raw_variables = dict(_raw(os.environ))
        self._path = list(sys.path)
        self._locale = locale.setlocale(locale.LC_ALL)
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._recursion = sys.getrecursionlimit()
        # None is a handler that was not installed from Python, and cannot be.
        self._signals = [(s, h) for s in _SIGNALS if (h := _handler_of(s)) is not None]
        self._blocked = _change_mask(signal.SIG_BLOCK, ())
        self._limits = [(n, resource.getrlimit(n)) for n in _LIMITS]
        self._rights = _rights()
        self._threads = threading.active_count()
        self._files = _standard_files()
        self._fds = _open_fds()
        self._fd_count = _count_fds()

    def restore(self, *, spare: Collection[int] = ()) -> tuple[list[str], bool]:
        """Restore what can be; return what had changed, and whether the process is still fit.

        Children of this process that are not in *spare* are killed.
        """
        changed: list[str] = []
        fit = self._end_children(spare, changed) if tree.has_children() else True
        if threading.active_count() != self._threads:
            changed.append(f"threads={threading.active_count() - self._threads}")
            fit = False
        self._restore_signals(changed)
        self._restore_place(changed)
        self._restore_interpreter(changed)
        fit &= self._restore_limits(changed)
        if _rights() != self._rights:
            changed.append("user or priority")
            fit = False
        fit &= self._check_files(changed)
        return changed, fit

    def _end_children(self, spare: Collection[int], changed: list[str]) -> bool:
        own = os.getpid()
        left = [p for p in tree.descendants(own, spare) if not tree.is_zombie(p)]
        if left:
            changed.append("processes: " + ", ".join(tree.describe(pid) for pid in left))
        stuck = tree.kill_below(own, spare)
        if stuck:
            changed.append("unkillable: " + ", ".join(tree.describe(pid) for pid in stuck))
        return not stuck

    def _restore_signals(self, changed: list[str]) -> None:
        for timer in _TIMERS:
            if signal.getitimer(timer) != (0.0, 0.0):
                changed.append("timer")
                signal.setitimer(timer, 0.0)
        for signum, handler in self._signals:
            if _handler_of(signum) is not handler:
                changed.append(f"handler of {signum.name}")
                signal.signal(signum, handler)
        if _change_mask(signal.SIG_BLOCK, ()) != self._blocked:
            changed.append("blocked signals")
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def _restore_place(self, changed: list[str]) -> None:
        if _directory() != self._cwd:
            changed.append("directory")
            with contextlib.suppress(OSError):
                os.chdir(self._cwd)
        mask = os.umask(self._umask)
        if mask != self._umask:
            changed.append(f"umask={mask:03o}")
        if os.environ is not self._environ or _raw(os.environ) != self._raw_variables:
            changed.append("environment")
            os.environ = self._environ  # noqa: B003 - the object itself was replaced
            os.environ.clear()
            os.environ.update(self._variables)

    def _restore_interpreter(self, changed: list[str]) -> None:
        if sys.path != self._path:
            changed.append("sys.path")
            sys.path[:] = self._path
        if (sys.stdin, sys.stdout, sys.stderr) != self._streams:
            changed.append("streams")
            sys.stdin, sys.stdout, sys.stderr = self._streams
        if sys.getrecursionlimit() != self._recursion:
            changed.append("recursion limit")
            sys.setrecursionlimit(self._recursion)
        if locale.setlocale(locale.LC_ALL) != self._locale:
            changed.append("locale")
            locale.setlocale(locale.LC_ALL, self._locale)

    def _restore_limits(self, changed: list[str]) -> bool:
        fit = True
        for number, limit in self._limits:
            if resource.getrlimit(number) != limit:
                changed.append(f"limit of {_LIMITS[number]}")
                try:
                    resource.setrlimit(number, limit)
                except (OSError, ValueError):  # raised again by nobody but root
                    fit = False
        return fit

    def _check_files(self, changed: list[str]) -> bool:
        """Tell whether the descriptors and the standard streams are as they were."""
        fit = True
        if (self._fd_count == 0 or _count_fds() != self._fd_count) and _open_fds() != self._fds:
            gc.collect()  # files that nobody can reach any more are no leak
            now = _open_fds()
            if now != self._fds:
                changed.append(f"descriptors={len(now) - len(self._fds)}")
                # Said once, where the process goes on all the same.
                self._fds, self._fd_count = now, _count_fds()
                fit = False
        if any(stream.closed for stream in self._streams) or _standard_files() != self._files:
            changed.append("standard streams")
            self._files = _standard_files()
            fit = False
        return fit

    @property
    def stdout(self) -> TextIO:
        """The stream that tests print to."""
        return self._streams[1]


def _raw(environ: os._Environ[str]) -> dict[bytes, bytes]:
    # The mapping behind it compares fifty times faster than the one in front.
    data: dict[bytes, bytes] = environ._data  # type: ignore[attr-defined]  # noqa: SLF001
    return data


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed, or may not be seen
        return ""


def _rights() -> tuple[Any, ...]:
    return os.getresuid(), os.getresgid(), os.getpriority(os.PRIO_PROCESS, 0)


def _standard_files() -> tuple[int, ...]:
    """Return what the standard descriptors refer to, and whether writing waits when it has to."""
    try:
        found = os.fstat(0).st_ino, os.fstat(1).st_ino, os.fstat(2).st_ino
        return *found, os.get_blocking(1)
    except OSError:
        return ()


def _count_fds() -> int:
    """Return how many descriptors are open; 0 where the system does not tell (before Linux 6.2).

    A quarter of what it costs to list them.  A test that closes one of ours and leaves one of
    its own goes unseen; most of ours are missed soon.
    """
    try:
        return os.stat("/proc/self/fd").st_size
    except OSError:
        return 0


def _open_fds() -> list[str]:
    """Return the open descriptors, and the one that this function opens and closes again."""
    try:
        return os.listdir("/proc/self/fd")
    except OSError:
        return []
