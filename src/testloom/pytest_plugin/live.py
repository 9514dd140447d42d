"""What tests print while they run, where nothing captures it (``-s``): each line with its test.

Output of several tests comes through one pipe, so a slot writes a sign of its own between them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import pytest

from testloom.model.names import shown_line

_SIGN: Final = b"\0testloom item "


def wanted_by(config: pytest.Config) -> str:
    """Return what asks for output as it comes; empty if nothing does."""
    if config.getoption("capture", "fd") == "no":
        return "-s"
    has_logging = config.pluginmanager.hasplugin("logging")  # else it has no such setting
    return "log_cli" if has_logging and config.getini("log_cli") else ""


def mark(number: int) -> None:
    """In a slot: what is printed from now on is of item *number*."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(1, _SIGN + b"%d\n" % number)


class Live:
    """Writes lines of slots to pytest's terminal."""

    def __init__(self, config: pytest.Config, items: Sequence[Any]) -> None:
        self._terminal: Any = config.pluginmanager.getplugin("terminalreporter")
        self._items = items
        self._begun: dict[int, bytes] = {}
        """Slot -> the beginning of a line."""
        self._labels: dict[int, str] = {}
        self.is_wanted = bool(wanted_by(config))

    def heard(self, slot: int, chunk: bytes) -> None:
        """Write the lines that are complete."""
        *lines, rest = (self._begun.get(slot, b"") + chunk).split(b"\n")
        self._begun[slot] = rest
        for line in lines:
            before, sign, number = line.partition(_SIGN)
            if before or not sign:
                self._write(slot, before)
            if sign and number.isdigit() and int(number) < len(self._items):
                self._labels[slot] = self._items[int(number)].nodeid

    def turned(self, slot: int) -> None:
        """The test has ended, whether or not its last line has."""
        rest = self._begun.pop(slot, b"")
        if rest:
            self._write(slot, rest)

    def say(self, line: str) -> None:
        """Tell people something about the run."""
        if self._terminal is not None:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"testloom: {shown_line(line)}")

    def _write(self, slot: int, line: bytes) -> None:
        if self._terminal is None:
            return
        label = self._labels.get(slot, f"slot {slot}")
        self._terminal.ensure_newline()
        text = shown_line(line.decode("utf-8", "backslashreplace"))
        self._terminal.write_line(f"{label}: {text}")
