"""Reads the pipes of a process that somebody else started, so that it never blocks on them.

Afterwards the process object has, in place of each pipe, a file with what was read: reading it
or calling ``communicate`` works as if nobody had been there before.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable
from typing import IO, Any

from testloom.processes import own_fds
from testloom.processes.loop import EventLoop, Timer

_CHUNK = 1 << 16
_LEAK_GRACE_S = 0.2


class Drain:
    """The output pipes of one process."""

    def __init__(self, owner: Any, loop: EventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._files: dict[int, tuple[str, Any, IO[bytes]]] = {}
        self._open: set[int] = set()
        self._done: Callable[[], None] | None = None
        self._timer: Timer | None = None

    @classmethod
    def of(cls, process: Any, loop: EventLoop) -> Drain:
        """Drain the pipes of *process*, a `subprocess.Popen` or an object that has one."""
        drain = cls(popen_of(process), loop)
        for name in ("stdout", "stderr"):
            pipe = getattr(drain._owner, name, None)
            if isinstance(pipe, io.IOBase) and not pipe.closed:
                drain._add(name, pipe)
        return drain

    def _add(self, name: str, pipe: Any) -> None:
        fd = os.dup(pipe.fileno())
        os.set_blocking(fd, False)
        own_fds.add(fd)
        # A real file, because `communicate` asks for its descriptor.
        self._files[fd] = (name, pipe, tempfile.TemporaryFile())  # noqa: SIM115 - handed over
        self._open.add(fd)
        self._loop.watch(fd, lambda: self._read(fd))

    def _read(self, fd: int) -> None:
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if chunk:
            self._files[fd][2].write(chunk)
            return
        self._close(fd)
        if not self._open and self._done is not None:
            self._hand_over()

    def _close(self, fd: int) -> None:
        self._open.discard(fd)
        self._loop.unwatch(fd)
        own_fds.close(fd)

    def finish(self, done: Callable[[], None]) -> None:
        """The process has ended: call *done* once its output has, or a moment later.

        A daemon that holds the pipe open does not hold us up.
        """
        self._done = done
        if self._open:
            self._timer = self._loop.call_at(self._loop.now() + _LEAK_GRACE_S, self._give_up)
        else:
            self._hand_over()

    def _give_up(self) -> None:
        for fd in list(self._open):
            self._close(fd)
        self._hand_over()

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for name, pipe, file in self._files.values():
            with contextlib.suppress(OSError):
                pipe.close()
            file.seek(0)
            is_text = isinstance(pipe, io.TextIOBase)
            text = io.TextIOWrapper(file, pipe.encoding, pipe.errors) if is_text else file
            setattr(self._owner, name, text)
        self._files.clear()
        done, self._done = self._done, None
        if done is not None:
            done()


def popen_of(process: Any) -> Any:
    """Return the `subprocess.Popen` in *process*; *process* itself if there is none.

    `e3.os.process.Run` has one in ``internal``, or that of psutil, which hides another.
    """
    inner = getattr(process, "internal", None) or process
    return getattr(getattr(inner, "communicate", None), "__self__", inner)
