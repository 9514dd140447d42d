"""Whose the terminal is; what keys do is seen at a whole run, in tests/suite."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator

import pytest

from testloom.processes import keys
from testloom.processes.keys import Keys
from testloom.processes.loop import EventLoop


@pytest.fixture
def terminal() -> Iterator[int]:
    ours, theirs = os.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("is_in_foreground", [True, False])
def test_the_terminal_is_given_back_unless_it_has_become_somebody_elses(
    terminal: int, monkeypatch: pytest.MonkeyPatch, is_in_foreground: bool
) -> None:
    """Who changes it from the background is stopped, even at the end of a run."""
    loop = EventLoop()
    before = termios.tcgetattr(terminal)
    monkeypatch.setattr(keys, "_is_in_foreground", lambda _fd: True)
    pressed = Keys(loop, lambda _key: None, terminal)
    assert pressed.begin()
    taken = termios.tcgetattr(terminal)
    monkeypatch.setattr(keys, "_is_in_foreground", lambda _fd: is_in_foreground)
    pressed.end()
    loop.close()

    assert taken != before
    assert termios.tcgetattr(terminal) == (before if is_in_foreground else taken)
