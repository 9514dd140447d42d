"""The few process attributes of Linux that Python has no name for.

Each function returns whether it worked: elsewhere than on Linux none of them does, and the
callers then live with less.
"""

from __future__ import annotations

import ctypes
import functools
import signal
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


@functools.cache
def _libc() -> Any:  # ctypes has no better type
    return ctypes.CDLL(None)


def _prctl(option: int, argument: Any) -> bool:
    try:
        return bool(_libc().prctl(option, argument, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def become_subreaper() -> bool:
    """Make orphaned descendants of this process its children instead of those of init."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> bool:
    """Have the kernel kill this process when the thread that created it ends.

    The caller then checks that its parent is still the one it expects: it may have died before.
    """
    return _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def set_name(name: str) -> bool:
    """Set the name (at most 15 bytes) that process listings show."""
    return _prctl(_PR_SET_NAME, name.encode()[:15])


def be_killed_first() -> bool:
    """Let the kernel choose this process and what it starts when memory runs out."""
    try:
        # As bytes: for text, each forked child would import a codec first.
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"500")
    except OSError:
        return False
    return True
