"""What processes are doing right now, in a few lines for people: read from ``/proc``, never asked.

Nothing here waits for a process or disturbs it, so it can be called for one that hangs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container
from typing import Final

from testloom.processes import tree

MOST: Final = 20
"""Processes that are shown of one tree."""
_WORDS: Final = {
    "R": "running",
    "S": "sleeping",
    "D": "in the kernel",
    "T": "stopped",
    "t": "traced",
    "Z": "ended",
    "I": "idle",
}
_CALLS: Final = 3
_ENTRIES: Final = ("do_syscall", "entry_", "ret_from_")
"""What each call to the kernel begins with."""
_LONGEST: Final = 100
"""Characters of a command line."""


def picture(pid: int, without: Container[int] = ()) -> list[str]:
    """Return a line for each process below *pid*, parents first; it itself is not among them.

    The trees of *without* are left out.
    """
    below = tree.descendants(pid, without)
    lines = [line for one in below[:MOST] if (line := of_one(one))]
    if len(below) > MOST:
        lines.append(f"and {len(below) - MOST} more processes")
    return lines


def of_one(pid: int) -> str:
    """Return what process *pid* does; empty if it is gone.

    Its state, for how long it has used a processor, where in the kernel it waits, what it is.
    """
    try:
        fields = _read(pid, "stat").rpartition(")")[2].split()
        state, ticks = fields[0], int(fields[11]) + int(fields[12])
    except (OSError, IndexError, ValueError):
        return ""
    parts = [
        f"pid {pid}",
        _WORDS.get(state, state),
        f"{ticks / os.sysconf('SC_CLK_TCK'):.2f} s of CPU time",
    ]
    waits = _where_it_waits(pid)
    if waits and state in ("S", "D"):
        parts.append(f"waits in {waits}")
    return f"{_what(pid)} ({', '.join(parts)})"


def _what(pid: int) -> str:
    """Return the command line of *pid*, or its name where it has none, or might keep us waiting."""
    try:
        words = [] if tree.hangs(pid) else _read(pid, "cmdline").rstrip("\0").split("\0")
        text = " ".join(words) or f"[{_read(pid, 'comm').strip()}]"
    except OSError:
        return "?"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _where_it_waits(pid: int) -> str:
    """Return the function of the kernel in which *pid* sleeps, as far as we may know.

    Where we may see more than that one (only root may), those that have called it follow.
    """
    with contextlib.suppress(OSError):
        calls = [line.split()[1].partition("+")[0] for line in _read(pid, "stack").splitlines()]
        calls = [call for call in calls if not call.startswith(_ENTRIES)]
        if calls:
            return " < ".join(calls[:_CALLS])
    try:
        name = _read(pid, "wchan").strip()
    except OSError:
        return ""
    return "" if name == "0" else name


def _read(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="surrogateescape") as file:
        return file.read(1 << 16)
