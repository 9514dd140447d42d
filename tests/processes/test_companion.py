"""A process beside this one: what it has, how it ends, and how one waits for another."""

from __future__ import annotations

import os
import select
import signal
import socket

import pytest

from testloom.processes import own_fds
from testloom.processes.companion import Companion
from testloom.processes.spool import Spool

LIMIT_S = 20.0

pytestmark = pytest.mark.usefixtures("nothing_is_left", "in_time")


def listen(channel: socket.socket, _parent: int) -> None:
    """End at the first message."""
    channel.recv(100)


def test_it_has_its_channel_what_it_keeps_and_nothing_else_that_is_the_runners_own() -> None:
    spool = Spool()
    reader, writer = map(own_fds.add, os.pipe())

    def tell(channel: socket.socket, _parent: int) -> None:
        spool.put(channel.recv(100))
        os.write(writer, b"x")  # fails: the end of it has been closed

    companion = Companion("testloom-test", tell, keeps=(spool.fileno(),))
    assert companion.send(b"hello")

    assert companion.wait() == 1
    assert spool.messages() == [b"hello"]
    companion.close()
    spool.close()
    for fd in (reader, writer):
        own_fds.close(fd)


def test_one_that_runs_has_no_exit_status_and_is_killed_when_it_is_let_go() -> None:
    companion = Companion("testloom-test", listen)
    assert companion.poll() is None

    companion.close()

    assert companion.poll() == -signal.SIGKILL
    companion.close()  # once more
    assert not companion.send(b"x")


def following(first: Companion) -> Companion:
    """Start one that waits for the end of *first*, and tells what came."""

    def follow(channel: socket.socket, parent: int) -> None:
        is_over = first.is_over(channel, parent)
        channel.send(b"over" if is_over else channel.recv(100))

    return Companion("testloom-test", follow)


@pytest.mark.parametrize("has_been_waited_for", [True, False])
def test_another_one_begins_when_it_has_ended(*, has_been_waited_for: bool) -> None:
    first = Companion("testloom-test", listen)
    if has_been_waited_for:
        first.send(b"x")
        first.wait()

    second = following(first)
    first.send(b"x")

    assert second.channel.recv(100) == b"over"
    first.close()
    second.close()


def test_another_one_that_hears_something_does_not_wait_for_it() -> None:
    first = Companion("testloom-test", listen)
    second = following(first)
    second.send(b"news")

    assert second.channel.recv(100) == b"news"
    first.close()
    second.close()


def test_what_a_killed_one_has_put_into_a_spool_is_there() -> None:
    spool = Spool()

    def put(channel: socket.socket, _parent: int) -> None:
        for number in range(1000):
            spool.put(b"%d" % number * 100)
        channel.send(b"done")
        signal.pause()

    companion = Companion("testloom-test", put, keeps=(spool.fileno(),))
    assert select.select([companion.channel], [], [], LIMIT_S)[0]
    companion.close()

    assert spool.messages() == [b"%d" % number * 100 for number in range(1000)]
    assert not spool.is_closed
    spool.close()
    spool.close()
    assert spool.is_closed


def test_half_a_message_in_a_spool_is_none() -> None:
    spool = Spool()
    spool.put(b"whole")
    end = os.fstat(spool.fileno()).st_size
    spool.put(b"cut off")
    os.ftruncate(spool.fileno(), end + 10)

    assert spool.messages() == [b"whole"]
    spool.close()
