"""What is laid out for a process begins if, and only if, main has not taken it back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from testloom.processes.tickets import Tickets
from testloom.workers.laid_out import LaidOut
from testloom.workers.messages import Order


@pytest.fixture
def tickets() -> Iterator[Tickets]:
    tickets = Tickets(2)
    yield tickets
    tickets.close()


class Pipe:
    """What descriptor 2 writes to when a process begins."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()


@pytest.fixture
def output() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reader)
    os.close(pipe.writer)


@pytest.fixture
def laid_out(tickets: Tickets, output: Pipe) -> Iterator[LaidOut]:
    before = os.dup(2)
    os.dup2(output.writer, 2)
    found = LaidOut(tickets, (0, 1))
    os.dup2(before, 2)
    os.close(before)
    yield found
    os.close(found._output)  # which it keeps as long as its process lives


def order(attempt: int, part: int = 0) -> Order:
    return Order(0, attempt, part=part, ahead=True)


def test_what_lies_there_begins_once(laid_out: LaidOut, tickets: Tickets) -> None:
    tickets.put(0, 7)

    assert laid_out.may_begin(order(7))
    assert tickets.take(0) is None
    assert not laid_out.may_begin(order(7))


def test_what_was_taken_back_does_not_begin(laid_out: LaidOut, tickets: Tickets) -> None:
    tickets.put(0, 7)
    tickets.take(0)

    assert not laid_out.may_begin(order(7))


def test_another_one_that_lies_there_meanwhile_is_kept_for_its_order(
    laid_out: LaidOut, tickets: Tickets
) -> None:
    tickets.put(0, 7)
    tickets.take(0)
    tickets.put(0, 9)

    assert not laid_out.may_begin(order(7))
    assert laid_out.may_begin(order(9))


def test_the_next_one_may_lie_there_before_the_last_one_has_begun(
    laid_out: LaidOut, tickets: Tickets
) -> None:
    tickets.put(0, 7)
    tickets.put(1, 8)

    assert laid_out.may_begin(order(7))
    assert laid_out.may_begin(order(8, part=1))


def test_nothing_begins_while_main_has_not_read_what_was_written(
    laid_out: LaidOut, tickets: Tickets, output: Pipe
) -> None:
    tickets.put(0, 7)
    assert not laid_out.has_written()
    os.write(output.writer, b"something")
    assert laid_out.has_written()

    assert not laid_out.may_begin(order(7))
    assert tickets.take(0) == 7  # as main does then
    os.read(output.reader, 100)
    laid_out.go_on()
    tickets.put(0, 9)
    assert laid_out.may_begin(order(9))


def test_another_one_that_lies_there_meanwhile_can_be_taken_back(
    laid_out: LaidOut, tickets: Tickets
) -> None:
    """Its turn may be a long time coming: others may be before it."""
    tickets.put(0, 9)
    laid_out.may_begin(order(7))  # which was taken back

    assert tickets.take(0) == 9
