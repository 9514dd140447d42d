"""The descriptors that are the runner's own and that no test may see.

A forked worker inherits every descriptor.  Those that a suite opened are meant to be there;
those of the runner (journal, sockets of other workers, the event loop) are closed first thing
in the child.  Whoever opens such a descriptor says so here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

_A_SLOT = 2
"""How many descriptors of main each slot needs: a channel, and a pipe for its output."""
_BESIDES = 24
"""How many it may have beside those: journal, event loop, reports being written."""

_own: set[int] = set()
_is_registered = False


def add(fd: int) -> int:
    """Note that *fd* is the runner's own; return it."""
    _own.add(fd)
    return fd


def discard(fd: int) -> None:
    """Note that *fd* is being closed."""
    _own.discard(fd)


def close(fd: int) -> None:
    """Close *fd*, which is the runner's own; nothing happens if it is closed already."""
    _own.discard(fd)
    with contextlib.suppress(OSError):
        os.close(fd)


def slots_that_fit() -> int:
    """Return for how many slots there are descriptors; at least 1."""
    return max(1, _most() // _A_SLOT)


def tickets_that_fit(slots: int) -> int:
    """Return for how many tickets for each of so many slots there are descriptors, too."""
    return max(0, _most() // slots - _A_SLOT)


def _most() -> int:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = sys.maxsize if soft == resource.RLIM_INFINITY else soft
    return max(0, many - _BESIDES)


def close_in_forks() -> None:
    """Let processes that are forked from this one in whatever way have none of them."""
    global _is_registered  # noqa: PLW0603 - there is no way to take it back
    if not _is_registered:
        os.register_at_fork(after_in_child=close_all)
        _is_registered = True


def close_all(but: frozenset[int] = frozenset()) -> None:
    """In a forked child: close all of them except *but*."""
    for fd in _own - but:
        with contextlib.suppress(OSError):
            os.close(fd)
    _own.intersection_update(but)
