"""Somebody who runs items while pytest still collects others, as main sees it.

It is a companion with a slot of its own.  What comes of its items is in a spool, and is taken from there
once it has ended, however that happened.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from testloom.processes.companion import Companion
from testloom.processes.spool import Spool
from testloom.pytest_plugin import wire
from testloom.pytest_plugin.bundles import bundles
from testloom.scheduling.turns import Bundle

END: Final = b"end"
"""Do what you do, and then no more."""
TERMINATE: Final = b"terminate"
"""End what you do."""

Runs = Callable[[Sequence[Any], int, Spool, socket.socket, int], None]
"""What it does: items, the number of its slot, where to leave results, its channel, its parent."""


class Ahead:
    """Who runs *items* in *slot*, after *before*, whoever had it.

    *longest_s* is how long any of the items may take, None for ever.

    Raises:
        OSError: there can be no further process.
    """

    def __init__(
        self,
        items: Sequence[Any],
        slot: int,
        longest_s: float | None,
        run: Runs,
        before: Ahead | None = None,
    ) -> None:
        self.items = items
        self.slot = slot
        self.longest_s = longest_s
        self.numbers: Sequence[int | None] = ()
        """Those of its items in the session, None for one that is not in it; see `number_by`."""
        self._spool = spool = Spool()
        self._messages: list[bytes] = []
        """What was in the spool in the end."""

        def begin(channel: socket.socket, parent: int) -> None:
            if before is None or before.process.is_over(channel, parent):
                run(items, slot, spool, channel, parent)

        try:
            self.process = Companion("testloom-ahead", begin, keeps=(spool.fileno(),))
        except OSError:
            spool.close()
            raise

    @property
    def has_ended(self) -> bool:
        """Whether it has come to an end; then nothing is left of it but what it has told."""
        if self.process.poll() is None:
            return False
        if not self._spool.is_closed:
            self._messages = self._spool.messages()
            self.close()
        return True

    def number_by(self, numbers: dict[int, int]) -> None:
        """Learn the numbers of items, by their identities."""
        self.numbers = [numbers.get(id(item)) for item in self.items]

    def results(self) -> Iterator[wire.Item]:
        """Yield what has come of items that are in the session, by their numbers there.

        To be called once it has ended.
        """
        assert self.has_ended
        for message in self._messages:
            done = wire.decode(message)
            if done.number >= 0:
                number = self.numbers[done.number]
                if number is None:
                    continue
                done.number = number
            yield done

    def bundles_without(self, ran: Collection[int]) -> list[Bundle]:
        """Return its items that are in the session, but for those that *ran*."""
        left = []
        for bundle in bundles(self.items):
            units = [self.numbers[unit] for unit in bundle.units]
            some = tuple(unit for unit in units if unit is not None and unit not in ran)
            if some:
                left.append(Bundle(some, bundle.is_whole))
        return left

    def end(self) -> None:
        """Let it come to an end after what it does now."""
        self.process.send(END)

    def terminate(self) -> None:
        """Let it end what it does."""
        self.process.send(TERMINATE)

    def close(self) -> None:
        """Let go of it, killed if it still runs."""
        self.process.close()
        self._spool.close()
