"""Keys that are pressed while a run is shown live: one by one, without Return, and not shown.

Ctrl-C, Ctrl-Z and the like still make signals.  The terminal is given back as it was when the
run ends or is stopped; should this process be killed, its nursery does that (`give_back`).  Only
who is in the foreground may change a terminal, so others read no keys.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import termios
from collections.abc import Callable
from typing import Any, Final

from testloom.processes.loop import EventLoop

_LOCAL: Final = 3
"""Where in the attributes of a terminal the flags are that matter here."""


class Keys:
    """The keys of the terminal that is standard input; calls *pressed* with each, from *loop*."""

    def __init__(self, loop: EventLoop, pressed: Callable[[str], None], fd: int = 0) -> None:
        self._loop = loop
        self._pressed = pressed
        self._fd = fd

    def begin(self) -> bool:
        """Read keys from now on; False where there is no terminal, or it is not ours to change."""
        if _Taken.now is not None or not _is_in_foreground(self._fd):
            return False
        try:
            before = termios.tcgetattr(self._fd)
            single = list(before)
            single[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
            _Taken.now = taken = _Taken(self._fd, before)
            termios.tcsetattr(self._fd, termios.TCSADRAIN, single)
            taken.now_is = termios.tcgetattr(self._fd)  # which spells some of it in another way
            self._loop.watch(self._fd, self._read)
        except (termios.error, OSError):
            self.end()
            return False
        return True

    def end(self) -> None:
        """Give the terminal back; nothing happens if it was not taken."""
        self._loop.unwatch(self._fd)
        give_back()

    def _read(self) -> None:
        if not _is_in_foreground(self._fd):  # to read would stop us
            self.end()
            return
        try:
            data = os.read(self._fd, 256)
        except OSError:
            data = b""
        if not data:  # the terminal has gone
            self.end()
            return
        for key in data.decode("ascii", "replace"):
            self._pressed(key)


class _Taken:
    """A terminal that is not as it was; known to processes that are forked later, too."""

    now: _Taken | None = None

    def __init__(self, fd: int, before: list[Any]) -> None:
        self.fd, self.before, self.now_is = fd, before, before
        self.is_taken = mmap.mmap(-1, 1)
        self.is_taken[0] = 1


def give_back(*, is_ours: bool = True) -> None:
    """Let the terminal be as it was, unless somebody has seen to that.

    Also called in the nursery, when main may have been killed, and the terminal be somebody else's
    again: shells see to it that it is as they want it for the next line.  That holds for main in the
    background, too, which would be stopped if it changed the terminal.
    """
    taken, _Taken.now = _Taken.now, None
    if taken is not None and taken.is_taken[0]:
        taken.is_taken[0] = 0
        with contextlib.suppress(termios.error, OSError):
            unchanged = not is_ours and termios.tcgetattr(taken.fd) == taken.now_is
            if unchanged or (is_ours and _is_in_foreground(taken.fd)):
                termios.tcsetattr(taken.fd, termios.TCSADRAIN, taken.before)


def _is_in_foreground(fd: int) -> bool:
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
