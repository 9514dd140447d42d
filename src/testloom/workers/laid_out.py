"""What is laid out for a slot's process while it is busy, as that process sees it.

Main may take an order back until the process has its ticket, see `processes.tickets`.  And the
process leaves it alone while main has not read what its last fragment wrote to the standard
streams: the next one writes to the same pipe, and nobody could tell the two apart.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import Final

from testloom.processes.tickets import Tickets
from testloom.workers.messages import Order

_COUNT: Final = struct.Struct("i")


class LaidOut:
    """In the process of a slot, whose standard streams are pipes of main's.

    Args:
        tickets: for all slots.
        places: those of this slot's tickets, one for each part of its desk.
    """

    def __init__(self, tickets: Tickets, places: tuple[int, ...]) -> None:
        self._tickets = tickets
        self._places = places
        self._waits = False
        self._output = os.dup(2)  # whatever a driver puts in its place
        tickets.keep_only(places)

    def has_written(self) -> bool:
        """Tell whether something of what was written waits for main; nothing begins then."""
        try:
            count = fcntl.ioctl(self._output, termios.FIONREAD, bytes(_COUNT.size))
            self._waits = _COUNT.unpack(count)[0] > 0
        except OSError:  # a driver has closed it: who knows
            self._waits = True
        return self._waits

    def may_begin(self, order: Order) -> bool:
        """Tell whether *order* is still to be run; if so, it is this process's."""
        if self._waits:
            return False  # main takes it back and gives it anew
        place = self._places[order.part]
        ticket = self._tickets.take(place)
        if ticket is not None and ticket != order.attempt:
            # This one was taken back, and there is another one whose turn has not come.
            self._tickets.put(place, ticket)
        return ticket == order.attempt

    def go_on(self) -> None:
        """Main has read everything: it has given an order that cannot be taken back."""
        self._waits = False
