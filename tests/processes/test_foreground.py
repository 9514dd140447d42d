"""Programs that have the terminal for a while."""

from __future__ import annotations

import signal

import pytest

from testloom.processes.foreground import run_in_foreground


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -INT $$", -signal.SIGINT)])
def test_it_is_told_how_the_program_ended(script: str, status: int) -> None:
    assert run_in_foreground(["sh", "-c", script]) == status


def test_ctrl_c_is_meant_for_the_program() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert run_in_foreground(["sh", "-c", "kill -INT $PPID; exit 4"]) == 4
    assert signal.getsignal(signal.SIGINT) is before


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        run_in_foreground(["/no/such/editor"])
