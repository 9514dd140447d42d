"""Reads directories ahead of who walks them, where that takes the disk or the network long.

A walk that waits for each directory has one request under way at a time; a disk, and a file server
even more, answers several in the time of one.  So once a walk has had to wait again and again, a
companion takes over its list of what is still to be entered, and a few threads there read the same, to
no other end than that the system has it when the walk comes there.  (In this process they would wait
for the interpreter most of the time.)  Where the system has everything already, which is the rule,
nobody waits and there is no companion.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from testloom.processes.companion import Companion

THREADS: Final = 6
_A_LOOK: Final = 32
"""Directories after which to see whether the walk had to wait."""
_OFTEN: Final = _A_LOOK // 2
"""It had to if it was put to sleep so often meanwhile."""
_READ_BYTES: Final = 1 << 16


class ReadAhead:
    """To be told of each step of a walk.

    Args:
        below: which of the directories *names* in directory *path* the walk is going to enter.
        files: names of files that are read where they are found.
    """

    def __init__(
        self,
        below: Callable[[str, Iterator[str]], Iterable[str]],
        files: Collection[str],
    ) -> None:
        self._below = below
        self._files = frozenset(files)
        self._count = 0
        self._slept = _times_slept()
        self._todo: list[str] = []
        """In the companion; the next one comes last."""
        self._busy = 0
        """In the companion: how many are reading a directory."""
        self._changed = threading.Condition()
        self._companion: Companion | None = None
        self._is_tried = False

    def entered(self, todo: Collection[str]) -> None:
        """Note that one more directory has been read; *todo* are to come, the next one last."""
        self._count += 1
        if self._count % _A_LOOK or self._is_tried:
            return
        before, self._slept = self._slept, _times_slept()
        if self._slept - before >= _OFTEN and todo:
            self._start(todo)

    def _start(self, todo: Collection[str]) -> None:
        self._is_tried = True
        self._todo.extend(todo)
        with contextlib.suppress(OSError):  # there may be no more processes
            self._companion = Companion("testloom-reads", self._read_all)
        self._todo.clear()

    def close(self) -> None:
        """Read nothing any more."""
        if self._companion is not None:
            self._companion.close()

    # -- in the companion -------------------------------------------------------------------------

    def _read_all(self, _channel: socket.socket, parent: int) -> None:
        threads = []
        for _ in range(THREADS - 1):
            thread = threading.Thread(target=self._read, args=(parent,), daemon=True)
            with contextlib.suppress(RuntimeError):  # there may be no more threads
                thread.start()
                threads.append(thread)
        self._read(parent)
        for thread in threads:
            thread.join()

    def _read(self, parent: int) -> None:
        while os.getppid() == parent and (path := self._next()) is not None:
            below: list[str] = []
            try:
                below = self._read_directory(path)
            except (OSError, ValueError):  # whoever walks there will tell
                pass
            finally:
                with self._changed:
                    self._todo.extend(below)
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> str | None:
        """Return what to read next; None if there is nothing, and nobody who could find more."""
        with self._changed:
            while not self._todo and self._busy:
                self._changed.wait()
            if not self._todo:
                return None
            self._busy += 1
            return self._todo.pop()

    def _read_directory(self, path: str) -> list[str]:
        """Read what the walk is going to read in *path*; return what it will enter from there."""
        names: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
                elif entry.name in self._files and entry.is_file(follow_symlinks=False):
                    _read_file(entry.path)
        return list(self._below(path, iter(sorted(names, reverse=True))))


def _read_file(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.read(fd, _READ_BYTES)
    finally:
        os.close(fd)


def _times_slept() -> int:
    """Return how often this process had to wait for something, other than for its turn."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
