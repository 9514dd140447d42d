"""Somebody who runs items while pytest still collects others, as main sees it.

It is a companion with a slot of its own.  What comes of its items is in a spool, and is taken from there
once it has ended, however that happened.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

import msgspec

from testloom.processes.companion import Companion
from testloom.processes.spool import Spool
from testloom.pytest_plugin import wire
from testloom.pytest_plugin.bundles import bundles
from testloom.scheduling.turns import Bundle

END: Final = b"end"
"""Finish what you have begun, and give back the rest."""
TERMINATE: Final = b"terminate"
"""End what you do."""
_LARGEST: Final = 1 << 18
"""Bytes of a message: more than the system takes."""
_TOGETHER: Final = 100
"""Bundles in a message; one that has more items is the last of its message."""

Runs = Callable[[Sequence[Any], int, Spool, socket.socket, int], None]
"""What it does: items, the number of its slot, where to leave results, its channel, its parent."""


class Ahead:
    """Who runs *items* in *slot*, after *before*, whoever had it.

    Raises:
        OSError: there can be no further process.
    """

    def __init__(
        self,
        items: Sequence[Any],
        slot: int,
        run: Runs,
        before: Ahead | None = None,
    ) -> None:
        self.items = items
        self.slot = slot
        self.numbers: Sequence[int | None] = ()
        """Those of its items in the session, None for one that is not in it; see `number_by`."""
        self._spool = spool = Spool()
        self._messages: list[bytes] = []
        """What was in the spool in the end."""
        self._given_back: set[int] = set()
        """The items, by their places, that it is not going to run."""

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

    def hear(self) -> list[Bundle] | None:
        """Return which items it gives back, None if it has ended; to be called when it says something."""
        try:
            message = self.process.channel.recv(_LARGEST)
        except OSError:  # it has ended without having read all that was sent
            message = b""
        if not message:
            self.process.wait()
            return None
        given_back = _decode(message)
        self._given_back.update(unit for bundle in given_back for unit in bundle.units)
        return self._in_session(given_back)

    def bundles_without(self, ran: Collection[int]) -> list[Bundle]:
        """Return its items, but for those that *ran* and those that it has given back."""
        mine = bundles(self.items, without=self._given_back)
        left = [
            (bundle, [u for u in bundle.units if u not in ran]) for bundle in self._in_session(mine)
        ]
        return [Bundle(tuple(units), bundle.is_whole) for bundle, units in left if units]

    def _in_session(self, some: Sequence[Bundle]) -> list[Bundle]:
        """Return bundles by the numbers that their units have in the session."""
        found = []
        for bundle in some:
            numbers = (self.numbers[unit] for unit in bundle.units)
            units = tuple(number for number in numbers if number is not None)
            if units:
                found.append(Bundle(units, bundle.is_whole))
        return found

    def end(self) -> None:
        """Let it finish what it has begun, and give back the rest."""
        self.process.send(END)

    def terminate(self) -> None:
        """Let it end what it does."""
        self.process.send(TERMINATE)

    def close(self) -> None:
        """Let go of it, killed if it still runs."""
        self.process.close()
        self._spool.close()


def give_back(channel: socket.socket, given_back: Sequence[Bundle]) -> None:
    """In the process: tell main that it is not going to run these.

    What cannot be told now, main finds out in the end.
    """
    some: list[Bundle] = []
    for bundle in given_back:
        some.append(bundle)
        if len(some) == _TOGETHER or len(bundle.units) > _TOGETHER:
            _tell(channel, some)
            some = []
    _tell(channel, some)


def _tell(channel: socket.socket, some: Sequence[Bundle]) -> None:
    with contextlib.suppress(OSError):
        channel.send(_encode(some), socket.MSG_DONTWAIT)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Bundle]).decode
