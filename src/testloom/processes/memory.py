"""Limits of memory, and who was killed because there was none left.

A program with a limit runs in a control group of its own, version 2 or 1, with all that it
starts: the kernel ends some of them when they want more together, and counts that.  Where no
such group can be made, each process has a limit of its address space, which makes its
allocations fail; what the program then does is its own end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import resource
from typing import Final, Self

from testloom.processes import cgroup
from testloom.processes.cgroup import Cgroup

_LIMITS: Final = {
    # The second one, where it is there, keeps the program from using the disk instead.
    "memory.max": ("memory.swap.max", "0"),
    "memory.limit_in_bytes": ("memory.memsw.limit_in_bytes", ""),
}
_COUNTS: Final = ("memory.events.local", "memory.events", "memory.oom_control")
_KILLS: Final = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_numbers: Final = itertools.count(1)


class MemoryLimit:
    """A limit for one program and all that it starts; to be closed when they are gone."""

    def __init__(self, limit_bytes: int, group: Cgroup | None) -> None:
        self.limit_bytes = limit_bytes
        self._group = group

    @classmethod
    def of(cls, limit_bytes: int) -> Self:
        """Return a limit of *limit_bytes*, in the best way there is."""
        for place in filter(None, (cgroup.place(), cgroup.place("memory"))):
            group = cgroup.make_in(place, f"testloom-memory-{next(_numbers)}")
            if group is not None:
                if _is_limited(group, limit_bytes):
                    return cls(limit_bytes, group)
                group.remove()
        return cls(limit_bytes, None)

    def enter(self) -> None:
        """Subject the calling process to it, and all that it starts; to be called after a fork."""
        if self._group is not None and self._group.enter():
            return
        _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = self.limit_bytes if hard == resource.RLIM_INFINITY else min(self.limit_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    @property
    def is_for_all(self) -> bool:
        """Whether it is for all processes together, and not for each of them."""
        return self._group is not None

    @property
    def was_exceeded(self) -> bool:
        """Whether the kernel has ended one of its processes for it."""
        return self._group is not None and _kills(self._group.path) > 0

    def close(self) -> None:
        if self._group is not None:
            self._group.remove()


class MemoryWatch:
    """Tells whether the kernel has just ended processes around this one for lack of memory."""

    def __init__(self) -> None:
        places = (cgroup.place(), cgroup.place("memory"))
        self._places = [place for place in places if place is not None]
        self._seen = self._count()

    def happened(self) -> bool:
        """Tell whether it has since this was asked last."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        return sum(map(_kills, self._places))


def _is_limited(group: Cgroup, limit_bytes: int) -> bool:
    for name, (second, value) in _LIMITS.items():
        if os.path.exists(f"{group.path}/{name}"):
            try:
                group.set(name, str(limit_bytes))
            except OSError:
                return False
            with contextlib.suppress(OSError):
                group.set(second, value or str(limit_bytes))
            with contextlib.suppress(OSError):
                group.set("memory.oom.group", "1")
            return True
    return False


def _kills(path: str) -> int:
    for name in _COUNTS:
        with contextlib.suppress(OSError, ValueError):
            found = _KILLS.search(_read(f"{path}/{name}"))
            return int(found[1]) if found else 0
    return 0


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
