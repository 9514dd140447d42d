"""What tests of the engine share: they run programs, and leave nothing behind."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.processes import prctl, tree

LIMIT_S = 20.0
"""How long anything may take before a test gives up on it; nothing waits that long."""


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """No child, no zombie, no open descriptor, the old handlers."""
    prctl.become_subreaper()
    before = what_is_there()
    yield
    if what_is_there() != before:
        gc.collect()  # takes longer than most tests
    assert what_is_there() == before


def what_is_there() -> tuple[object, ...]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    return open_fds(), tree.children(os.getpid()), [signal.getsignal(n) for n in numbers]


def open_fds() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    return {fd: target for fd, target in found.items() if not target.endswith("/fd")}


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code as a program of its own."""

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(code)
        return subprocess.run(
            [sys.executable, path, *arguments],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return run


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Tell whether a process, which need not be a child, ends soon."""

    def wait(pid: int) -> bool:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([fd], [], [], LIMIT_S)[0])
        finally:
            os.close(fd)

    return wait
