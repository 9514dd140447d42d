"""Puts a process back to what it was before a test ran in it, and says what had changed.

The checks cost about ten microseconds a fragment, so they run after each one.  What can be
restored is (directory, mask, environment, signals, descriptors, streams, search path); what
cannot (threads) makes the process unfit for another test.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import Collection
from typing import TextIO

from testloom.processes import tree

_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


class Baseline:
    """How this process is now; `restore` brings it back to that."""

    def __init__(self) -> None:
        self._cwd = os.getcwd()
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._environ = dict(os.environ)
        self._raw_environ = dict(_raw(os.environ))
        self._path = list(sys.path)
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._recursion = sys.getrecursionlimit()
        self._signals = [(s, signal.getsignal(s)) for s in _SIGNALS]
        self._nofile = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._threads = threading.active_count()
        self._fds = _open_fds()

    def restore(self, *, spare: Collection[int] = ()) -> tuple[list[str], bool]:
        """Restore what can be; return what had changed, and whether the process is still fit.

        Children of this process that are not in *spare* are killed.
        """
        changed: list[str] = []
        fit = True
        if threading.active_count() != self._threads:
            changed.append(f"threads={threading.active_count() - self._threads}")
            fit = False
        if tree.has_children():
            self._end_children(spare, changed)
        self._restore_place(changed)
        if _raw(os.environ) != self._raw_environ:
            changed.append("environment")
            os.environ.clear()
            os.environ.update(self._environ)
        if sys.path != self._path:
            changed.append("sys.path")
            sys.path[:] = self._path
        self._restore_interpreter(changed)
        if not self._restore_limits(changed):
            fit = False
        self._restore_fds(changed)
        return changed, fit

    def _end_children(self, spare: Collection[int], changed: list[str]) -> None:
        own = os.getpid()
        left = [p for p in tree.descendants(own, spare) if not tree.is_zombie(p)]
        if left:
            changed.append("processes: " + ", ".join(tree.describe(pid) for pid in left))
        tree.kill_below(own, spare)

    def _restore_place(self, changed: list[str]) -> None:
        try:
            moved = os.getcwd() != self._cwd
        except FileNotFoundError:
            moved = True
        if moved:
            changed.append("directory")
            with contextlib.suppress(OSError):
                os.chdir(self._cwd)
        mask = os.umask(self._umask)
        if mask != self._umask:
            changed.append(f"umask={mask:03o}")

    def _restore_interpreter(self, changed: list[str]) -> None:
        if (sys.stdin, sys.stdout, sys.stderr) != self._streams:
            changed.append("streams")
            sys.stdin, sys.stdout, sys.stderr = self._streams
        if sys.getrecursionlimit() != self._recursion:
            changed.append("recursion limit")
            sys.setrecursionlimit(self._recursion)
        for signum, handler in self._signals:
            if signal.getsignal(signum) is not handler:
                changed.append(f"handler of {signum.name}")
                signal.signal(signum, handler)

    def _restore_limits(self, changed: list[str]) -> bool:
        if resource.getrlimit(resource.RLIMIT_NOFILE) == self._nofile:
            return True
        changed.append("limit of open files")
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._nofile)
        except (OSError, ValueError):
            return False
        return True

    def _restore_fds(self, changed: list[str]) -> None:
        now = _open_fds()
        if now == self._fds:
            return
        extra = now - self._fds
        for fd in extra:
            with contextlib.suppress(OSError):
                os.close(fd)
        if extra:
            changed.append(f"descriptors={len(extra)}")

    @property
    def stdout(self) -> TextIO:
        """The stream that tests print to."""
        return self._streams[1]


def _raw(environ: os._Environ[str]) -> dict[bytes, bytes]:
    # The mapping behind it compares fifty times faster than the one in front.
    data: dict[bytes, bytes] = environ._data  # type: ignore[attr-defined]  # noqa: SLF001
    return data


def _open_fds() -> frozenset[int]:
    """Return the open descriptors (and the one that this function opens and closes again)."""
    try:
        return frozenset(map(int, os.listdir("/proc/self/fd")))
    except OSError:
        return frozenset()
