"""Reads directories ahead of who walks them, where that takes the disk or the network long.

A walk that waits for each directory has one request under way at a time; a disk, and a file server
even more, answers several in the time of one.  So once a walk has had to wait again and again, a
few threads take over its list of what is still to be entered and read the same, to no other end
than that the system has it when the walk comes there.  Where the system has everything already,
which is the rule, nobody waits and there are no threads.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

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
        """The next one comes last."""
        self._threads: list[threading.Thread] = []
        self._is_over = False

    def entered(self, todo: Collection[str]) -> None:
        """Note that one more directory has been read; *todo* are to come, the next one last."""
        self._count += 1
        if self._count % _A_LOOK or self._threads:
            return
        before, self._slept = self._slept, _times_slept()
        if self._slept - before >= _OFTEN and todo:
            self._start(todo)

    def _start(self, todo: Collection[str]) -> None:
        self._todo.extend(todo)
        for _ in range(THREADS):
            thread = threading.Thread(target=self._read, name="read-ahead", daemon=True)
            with contextlib.suppress(RuntimeError):  # there may be no more threads
                thread.start()
                self._threads.append(thread)

    def _read(self) -> None:
        while not self._is_over:
            try:
                path = self._todo.pop()
            except IndexError:
                return
            with contextlib.suppress(OSError, ValueError):  # whoever walks there will tell
                self._read_directory(path)

    def _read_directory(self, path: str) -> None:
        names: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
                elif entry.name in self._files and entry.is_file(follow_symlinks=False):
                    _read_file(entry.path)
        self._todo.extend(self._below(path, iter(sorted(names, reverse=True))))

    def close(self) -> None:
        """Read nothing any more."""
        self._is_over = True
        for thread in self._threads:
            thread.join()


def _read_file(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.read(fd, _READ_BYTES)
    finally:
        os.close(fd)


def _times_slept() -> int:
    """Return how often this process had to wait for something, other than for its turn."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
