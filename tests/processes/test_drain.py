from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import e3.os.process
import pytest

from testloom.processes import tree
from testloom.processes.drain import Drain
from testloom.processes.loop import EventLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


def popen(code: str, **options: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen(["sh", "-c", code], **options)


def drained(loop: EventLoop, process: Any) -> None:
    """Drain *process* to its end."""
    done: list[str] = []
    drain = Drain.of(process, loop)
    loop.call_at(loop.now() + 20, lambda: done.append("too late"))
    pid = process.pid
    while not tree.is_zombie(pid) and not done:
        loop.call_at(loop.now() + 0.01, list)
        loop.run_once()
    drain.finish(lambda: done.append("done"))
    while not done:
        loop.run_once()
    assert done == ["done"]


def test_more_than_a_pipe_holds_can_be_read_afterwards(loop: EventLoop) -> None:
    process = popen("head -c 300000 /dev/zero", stdout=subprocess.PIPE)
    drained(loop, process)

    assert len(process.stdout.read()) == 300_000  # type: ignore[union-attr]  # it has one
    process.communicate()


def test_both_streams_are_there_for_communicate(loop: EventLoop) -> None:
    process = popen(
        "head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; exit 3",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    drained(loop, process)
    out, err = process.communicate()

    assert (len(out), len(err), process.returncode) == (200_000, 200_000, 3)


def test_text_stays_text(loop: EventLoop) -> None:
    process = popen(r"printf 'h\303\251\r\n'", stdout=subprocess.PIPE, text=True, encoding="utf-8")
    drained(loop, process)

    assert process.communicate() == ("hé\n", None)


def test_a_process_of_e3_keeps_its_output(loop: EventLoop) -> None:
    process = e3.os.process.Run(
        ["sh", "-c", "head -c 200000 /dev/zero; exit 3"], output=e3.os.process.PIPE, bg=True
    )
    drained(loop, process)

    assert (process.wait(), len(process.out)) == (3, 200_000)


def test_a_daemon_that_holds_the_pipe_does_not_hold_us_up(loop: EventLoop) -> None:
    process = popen("sleep 99 & echo $!", stdout=subprocess.PIPE, text=True)
    drained(loop, process)
    daemon = int(process.communicate()[0])
    alive = not tree.is_zombie(daemon)
    tree.kill_below(os.getpid())

    assert alive


def test_without_pipes_there_is_nothing_to_do(loop: EventLoop) -> None:
    process = popen("exit 0")
    drained(loop, process)

    assert process.wait() == 0
