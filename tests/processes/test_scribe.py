"""A process that is sent messages does something with each, whatever becomes of the sender."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testloom.processes.scribe import Scribe

LIMIT_S = 20.0
Script = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("nothing_is_left", "in_time")


def nothing(_message: bytes) -> None:
    """Be content with having got it."""


def test_messages_are_dealt_with_in_order_and_the_last_words_come_back() -> None:
    heard: list[bytes] = []
    scribe = Scribe(heard.append, lambda: b",".join(heard))

    assert all(scribe.send(b"%d" % number) for number in range(100))

    assert scribe.close(LIMIT_S) == b",".join(b"%d" % number for number in range(100))
    assert heard == []


def test_having_nothing_to_say_is_another_thing_than_having_come_to_no_end() -> None:
    assert Scribe(nothing, bytes).close(LIMIT_S) == b""


def test_who_dies_of_a_message_says_no_last_words(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(_message: bytes) -> None:
        raise LookupError("of this message")

    scribe = Scribe(fail, bytes)
    scribe.send(b"x")

    assert scribe.close(LIMIT_S) is None
    assert "LookupError: of this message" in capfd.readouterr().err


def test_who_does_not_end_in_time_is_killed() -> None:
    scribe = Scribe(lambda _message: signal.pause(), bytes)
    scribe.send(b"x")

    assert scribe.close(0.05) is None


def test_the_sender_is_never_kept_waiting() -> None:
    reader, writer = os.pipe()
    sent = 0

    def wait(_message: bytes) -> None:
        os.read(reader, 1)

    scribe = Scribe(wait, bytes)

    while scribe.send(bytes(10_000)):
        sent += 1
    os.write(writer, bytes(sent))

    assert 1 <= sent < 1000
    assert scribe.close(LIMIT_S) == b""
    os.close(reader)
    os.close(writer)


def test_nothing_can_be_sent_to_one_that_was_killed() -> None:
    scribe = Scribe(nothing, bytes)
    os.kill(scribe.pid, signal.SIGKILL)
    os.waitid(os.P_PID, scribe.pid, os.WEXITED | os.WNOWAIT)

    assert not scribe.send(b"x")
    assert scribe.close(LIMIT_S) is None


def test_the_signals_of_a_terminal_are_not_for_it() -> None:
    scribe = Scribe(nothing, bytes)
    scribe.send(b"x")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(scribe.pid, number)

    assert scribe.close(LIMIT_S) == b""


def test_what_a_killed_sender_had_sent_is_done(script: Script, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = script(
        """
import os, signal, sys
from testloom.processes.scribe import Scribe

def note(message):
    with open(sys.argv[1], "ab") as file:
        file.write(message)

scribe = Scribe(note, bytes)
other = os.fork()
if other == 0:  # somebody who has our end of the channel
    os.close(1)
    os.close(2)
    signal.pause()
for number in range(10):
    scribe.send(b"%d" % number)
print(scribe.pid, other, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
        str(out),
    )
    pid, other = map(int, ended.stdout.split())

    assert ended.returncode == -signal.SIGKILL
    os.waitpid(pid, 0)
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    assert out.read_bytes() == b"0123456789"
    assert ended.stderr == ""
