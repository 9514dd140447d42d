"""A PID namespace for each worker: what runs in it can see, and signal, nobody outside.

::

    nursery ── first process of the namespace ── worker ── programs

The first process only waits.  When it ends, because the worker has or because it was killed, the
kernel ends all that is left in the namespace, whatever that has done to escape.  It cannot end
by a signal of its own, so it leaves the worker's end in memory that the nursery shares.

Python has no names for the system calls before 3.12.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import mmap
import os
import struct
from collections.abc import Iterator
from typing import Any, Final

from testloom.processes import prctl

_NEW_MOUNTS: Final = 0x00020000
_NEW_PIDS: Final = 0x20000000
_PRIVATE: Final = 0x4000 | (1 << 18)  # recursively
_PLAIN: Final = 2 | 4 | 8  # no set-user-id programs, no devices, no programs
_END: Final = struct.Struct("<?iq")


@functools.cache
def _libc() -> Any:  # ctypes has no better type
    return ctypes.CDLL(None, use_errno=True)


class Cell:
    """The namespace of one worker."""

    def __init__(self) -> None:
        self._end = mmap.mmap(-1, _END.size)
        self._outside = -1
        """The namespace of the nursery, to come back to."""

    @contextlib.contextmanager
    def for_next_child(self) -> Iterator[None]:
        """While the block runs, a child of this process begins a new namespace.

        Raises:
            OSError: that is not allowed.
        """
        self._outside = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", _NEW_PIDS)
            try:
                yield
            finally:
                _call("setns", self._outside, _NEW_PIDS)
        finally:
            os.close(self._outside)

    def enter(self) -> None:
        """In that child: wait for a process that alone returns from here, and end with it."""
        os.close(self._outside)
        prctl.die_with_parent()
        prctl.set_name("testloom-first")
        _own_proc()
        worker = os.fork()
        if worker == 0:
            return
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        while True:
            pid, status, usage = os.wait4(-1, 0)
            if pid == worker:
                _END.pack_into(self._end, 0, True, status, usage.ru_maxrss)
                os._exit(0)

    def outcome(self, status: int, max_rss: int) -> tuple[int, int]:
        """Return the wait status and the largest resident set of the worker.

        If its end was not seen, they are those of the first process, which are given.
        """
        is_known, its_status, its_max_rss = _END.unpack_from(self._end)
        return (its_status, its_max_rss) if is_known else (status, max_rss)


@functools.cache
def why_not() -> str:
    """Return why no such namespace can be made here; empty if one can."""
    pid = os.fork()
    if pid == 0:
        code = errno.EPERM
        try:
            _call("unshare", _NEW_PIDS)
            first = os.fork()
            if first == 0:
                _own_proc()
                os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "" if code == 0 else os.strerror(abs(code)).lower()


def _own_proc() -> None:
    """Let ``/proc`` show the processes of this namespace, to those in it only."""
    _call("unshare", _NEW_MOUNTS)
    _call("mount", b"none", b"/", None, _PRIVATE, None)
    _call("mount", b"proc", b"/proc", b"proc", _PLAIN, None)


def _call(name: str, *arguments: Any) -> None:
    try:
        call = getattr(_libc(), name)
    except (OSError, AttributeError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if call(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
