"""The reports of a test whose process ended: it fails, and nobody else does."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from testloom.model.names import shown
from testloom.model.outcome import (
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    WorkerDied,
    WorkerLost,
)
from testloom.model.status import signal_name
from testloom.pytest_plugin.blocks import Block
from testloom.pytest_plugin.child import STAGES

_WORDS: Final = {
    "setup": "setting up",
    "call": "running",
    "teardown": "tearing down",
    "": "cleaning up after",
}
_OWN_FRAMES: Final = re.compile(
    r'(?m)^  File "[^"\n]*/(?:_pytest/|pluggy/)[^"\n]*", line \d+ in .*\n(?:  File .*\n)*'
)
"""Where in a stack written by `faulthandler` the test ends and pytest begins."""


def reports_of_death(
    item: Any,
    end: FragmentEnd,
    stage: int,
    output: bytes,
    *,
    duration_s: float = 0.0,
    has_run: bool = False,
) -> list[pytest.TestReport]:
    """Return the reports of *item*, in whose *stage* its process has ended.

    If it *has_run*, only the one that is to be added to those that it has.
    """
    phase = STAGES[stage]
    message = f"{_said(end)} while {_WORDS[phase]} {item.nodeid}"
    text = _OWN_FRAMES.sub("", output.decode("utf-8", "backslashreplace"))
    path, line, _name = item.location
    block = Block(f"{message}\n{shown(text)}".rstrip(), message, path, (line or 0) + 1)
    failed = phase or "teardown"
    if has_run:
        phases = [failed]
    elif failed == "setup":
        phases = ["setup", "teardown"]
    else:
        phases = ["setup", "call", "teardown"]
    return [
        pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords=dict.fromkeys(item.keywords, 1),
            outcome="failed" if when == failed else "passed",
            longrepr=block if when == failed else None,
            when=when,  # type: ignore[arg-type]  # one of the three
            duration=duration_s if when == failed else 0.0,
        )
        for when in phases
    ]


def _said(end: FragmentEnd) -> str:
    match end:
        case WorkerDied(Exited(code)):
            return f"the process exited with status {code}"
        case WorkerDied(Killed(signum)):
            return signal_name(signum)
        case FragmentTimedOut(after_s, ignored_term):
            tail = " (SIGTERM ignored, killed)" if ignored_term else ""
            return f"timed out after {after_s:g} s{tail}"
        case WorkerLost(why):
            return why
        case _:
            return "ended"
