"""A ticket is taken once, whoever is first."""

from __future__ import annotations

import os

import pytest

from testloom.processes.tickets import Tickets

pytestmark = pytest.mark.usefixtures("nothing_is_left", "in_time")


def test_what_was_taken_is_not_there_any_more() -> None:
    tickets = Tickets(2)
    tickets.put(1, 7)

    assert tickets.take(0) is None
    assert tickets.take(1) == 7
    assert tickets.take(1) is None
    tickets.put(1, 8)
    assert tickets.take(1) == 8
    tickets.close()


def test_of_two_processes_one_gets_it() -> None:
    tickets = Tickets(500)
    for place in range(500):
        tickets.put(place, place + 1)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, bytes([tickets.take(place) is not None for place in range(500)]))
        os._exit(0)
    mine = [tickets.take(place) is not None for place in range(500)]
    os.waitpid(pid, 0)
    theirs = [bool(byte) for byte in os.read(reader, 500)]
    for fd in (reader, writer):
        os.close(fd)
    tickets.close()

    assert [a != b for a, b in zip(mine, theirs, strict=True)] == [True] * 500


def test_a_process_keeps_only_its_own() -> None:
    tickets = Tickets(3)
    pid = os.fork()
    if pid == 0:
        tickets.keep_only((1,))
        try:
            tickets.take(1)
            tickets.take(2)
        except OSError:
            os._exit(3)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    tickets.close()


def test_where_there_are_no_descriptors_nothing_is_left_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fds = [os.eventfd(0), os.eventfd(0)]
    left = iter(fds)

    def eventfd(_value: int, _flags: int) -> int:
        try:
            return next(left)
        except StopIteration:
            raise OSError(24, "Too many open files") from None

    monkeypatch.setattr(os, "eventfd", eventfd)
    with pytest.raises(OSError, match="Too many"):
        Tickets(3)
    for fd in fds:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)
