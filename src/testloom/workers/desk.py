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
from testloom.scheduling.ahead import DEPTH
from testloom.workers.messages import Order

_now: Final = SystemClock.now


class Desk:
    """The desks of *slots* slots.

    Where something is laid out, each has several parts, so that the next fragments can leave
    results before main has looked at those of the last one; an order says which part is its own.
    They are used in turns.

    Args:
        slots: how many there are.
        lays_out: whether slots shall be able to go on by themselves.
    """

    def __init__(self, slots: int, *, lays_out: bool = True) -> None:
        self.tickets: Tickets | None = None
        """For orders that are laid out while the process is busy; None if there are none."""
        self._parts = 1
        """Of each desk: one for what is being done, the others for what is laid out."""
        parts = min(1 + DEPTH, own_fds.tickets_that_fit(slots)) if lays_out else 1
        if parts > 1:
            with contextlib.suppress(OSError):
                self.tickets = Tickets(parts * slots)
                self._parts = parts
        self.tray = Tray(self._parts * slots)
        self.board = Board(slots)
        """The number of the order that was begun last."""

    @property
    def depth(self) -> int:
        """How many orders can be laid out for a slot."""
        return 0 if self.tickets is None else self._parts - 1

    def begin(self, slot: int, order: Order) -> int:
        """In the process of *slot*: note that it begins with *order*; return its part of the tray."""
        self.board.begin(slot, order.attempt, _now())
        return self.part(slot, order.part)

    def begun(self, slot: int) -> int:
        """In main: return the number of the order that *slot* began last."""
        return self.board.look(slot).unit

    def part(self, slot: int, part: int) -> int:
        """Return the place, in the tray and among the tickets, of a part of *slot*."""
        return self._parts * slot + part

    def parts(self, slot: int) -> tuple[int, ...]:
        """Return the places of all parts of *slot*."""
        return tuple(range(self.part(slot, 0), self.part(slot, self._parts)))

    def after(self, part: int) -> int:
        """Return the part that is used after *part*."""
        return (part + 1) % self._parts

    def clear(self, slot: int) -> None:
        """In main: let nothing lie there of what a process that is dead had to do with."""
        self.board.clear(slot)
        for place in self.parts(slot):
            self.tray.take(place)
            if self.tickets is not None:
                self.tickets.take(place)

    def close(self) -> None:
        """In main: let go of the descriptors."""
        if self.tickets is not None:
            self.tickets.close()
            self.tickets = None
