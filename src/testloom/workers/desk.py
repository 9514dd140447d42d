"""What main and the slots' processes share: where results are left, and what is to be done next.

It is memory and descriptors that the processes inherit; fresh interpreters and those on other
machines do without.
"""

from __future__ import annotations

import contextlib
from typing import Final

from testloom.processes import own_fds
from testloom.processes.board import Board
from testloom.processes.clock import SystemClock
from testloom.processes.tickets import Tickets
from testloom.processes.tray import Tray
from testloom.workers.messages import Order

_now: Final = SystemClock.now


class Desk:
    """The desks of *slots* slots.

    Each has two parts of the tray, so that the next fragment can leave results before main has
    looked at those of the last one; an order says which part is its own.

    Args:
        slots: how many there are.
        lays_out: whether slots shall be able to go on by themselves.
    """

    def __init__(self, slots: int, *, lays_out: bool = True) -> None:
        self.tray = Tray(2 * slots)
        self.board = Board(slots)
        """The number of the order that was begun last."""
        self.tickets: Tickets | None = None
        """For orders that are laid out while the process is busy; None if there are none."""
        if lays_out and own_fds.has_room_for_tickets(slots):
            with contextlib.suppress(OSError):
                self.tickets = Tickets(2 * slots)

    def begin(self, slot: int, order: Order) -> int:
        """In the process of *slot*: note that it begins with *order*; return its part of the tray."""
        self.board.begin(slot, order.attempt, _now())
        return self.part(slot, order.part)

    def begun(self, slot: int) -> int:
        """In main: return the number of the order that *slot* began last."""
        return self.board.look(slot).unit

    @staticmethod
    def part(slot: int, part: int) -> int:
        """Return the place, of the tray and of tickets, of one of the parts (0 or 1) of *slot*."""
        return 2 * slot + part

    def clear(self, slot: int) -> None:
        """In main: let nothing lie there of what a process that is dead had to do with."""
        self.board.clear(slot)
        for part in (0, 1):
            self.tray.take(self.part(slot, part))
            if self.tickets is not None:
                self.tickets.take(self.part(slot, part))

    def close(self) -> None:
        """In main: let go of the descriptors."""
        if self.tickets is not None:
            self.tickets.close()
            self.tickets = None
