"""Values on their way from a fragment to those that follow it, as opaque bytes.

Main never unpickles them: a hostile or broken pickle harms only the fragment that asked for it.
A value is dropped as soon as everybody who needs it has been given it, and none of them may run
again; until then a large one is kept in a file.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from typing import Final

from testloom.model.errors import FragmentLost
from testloom.model.fragment import FragmentData
from testloom.processes.channel import MAX_PAYLOAD
from testloom.processes.parcels import Parcels
from testloom.processes.shelf import Shelf, Shelved
from testloom.workers import messages

MAX_TOGETHER: Final = MAX_PAYLOAD - 4 * 1024 * 1024
"""Bytes; how much a fragment can be given of values and states in all."""
_LARGE: Final = 1024 * 1024


class Values:
    """What the fragments of a graph have left for those that follow.

    Args:
        fragments: uid -> fragment.
        predecessors: uid -> the uids it follows.
        repeatable: uids of those that may run more than once.
        parcels: in which large values come and go; None if there is a limit to their size.
    """

    def __init__(
        self,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        repeatable: Collection[str] = (),
        parcels: Parcels | None = None,
    ) -> None:
        self._repeatable = repeatable
        self._parcels = parcels
        self._sent = 0
        self._before: dict[str, tuple[tuple[str, bytes, bool], ...]] = {}
        """uid -> the uids it follows, their names as messages have them, whether it is one test"""
        self._readers: dict[str, int] = {}
        self._values: dict[str, bytes | Shelved | None] = {}
        self._states: dict[str, bytes | Shelved] = {}
        self._shelf = Shelf()
        for uid, before in predecessors.items():
            if not before:
                continue
            own = fragments[uid].driver
            needed = []
            for other in sorted(before):
                is_own = own is not None and fragments[other].driver is own
                name = messages.packed_name(fragments[other].name if is_own else other)
                needed.append((other, name, is_own))
                self._readers[other] = self._readers.get(other, 0) + 1
            self._before[uid] = tuple(needed)

    def is_wanted(self, uid: str) -> bool:
        """Tell whether a fragment follows *uid*."""
        return uid in self._readers

    def is_given(self, uid: str) -> bool:
        """Tell whether *uid* follows a fragment."""
        return uid in self._before

    def put(self, uid: str, value: bytes | None, state: bytes | None = None) -> None:
        """Keep what fragment *uid* has left, if anybody is going to need it."""
        if uid not in self._readers:
            return
        try:
            self._values[uid] = None if value is None else self._stored(value)
            if state is not None:
                self._states[uid] = self._stored(state)
        except OSError as error:
            self.put_lost(uid, f"its value cannot be kept: {error.strerror}")

    def _stored(self, data: bytes) -> bytes | Shelved:
        return self._shelf.put(data) if len(data) > _LARGE else data

    def put_lost(self, uid: str, why: str) -> None:
        """Note that fragment *uid* ended without a value: those that follow get an exception."""
        if uid in self._readers:
            self._values[uid] = _lost(uid, why)

    def take(self, uid: str) -> tuple[messages.Values, list[bytes]]:
        """Return the values for fragment *uid* by name, and the states of its own test.

        A predecessor of the same test goes by its short name, others by their uid.
        """
        before = self._before.get(uid)
        if before is None:
            return {}, []
        fits = self._parcels is not None or self._size(before) <= MAX_TOGETHER
        values: messages.Values = {}
        states = []
        for other, name, is_own in before:
            value = self._values.get(other)
            if not fits and value is not None:
                value = _lost(other, f"its value and those of others are over {MAX_TOGETHER} bytes")
            values[name] = self._loaded(value)
            if is_own and fits and other in self._states:
                states.append(self._loaded(self._states[other]) or b"")
        if uid not in self._repeatable and self._parcels is None:
            self.release(uid)
        return values, states

    def ended(self, uid: str) -> None:
        """Note that fragment *uid* has ended, and reads the parcels that it was given no more."""
        if self._parcels is not None:
            self.release(uid)

    def release(self, uid: str) -> None:
        """Note that fragment *uid* has been given what it needs, and does not run again."""
        for other, _name, _is_own in self._before.pop(uid, ()):
            self._forget(other)

    def parcelled(self, values: messages.Values) -> str:
        """Return the name of a parcel with *values*; empty if a message has room for them.

        Raises:
            OSError: there is no room for it anywhere.
        """
        if self._parcels is None:
            return ""
        if sum(map(len, filter(None, values.values()))) <= MAX_TOGETHER:
            return ""
        self._sent += 1
        name = f"values-{self._sent}"
        self._parcels.put(name, messages.encode(values))
        return name

    def close(self) -> None:
        """Let go of all values."""
        self._values.clear()
        self._states.clear()
        self._shelf.close()

    def _size(self, before: tuple[tuple[str, bytes, bool], ...]) -> int:
        return sum(
            len(self._values.get(other) or b"") + (len(self._states.get(other, b"")) if own else 0)
            for other, _name, own in before
        )

    def _loaded(self, data: bytes | Shelved | None) -> bytes | None:
        return self._shelf.get(data) if isinstance(data, Shelved) else data

    def _forget(self, uid: str) -> None:
        self._readers[uid] -= 1
        if self._readers[uid] == 0:
            for kept in (self._values.pop(uid, None), self._states.pop(uid, None)):
                if isinstance(kept, Shelved):
                    self._shelf.remove(kept)
                elif kept is not None and kept.startswith(messages.PARCEL) and self._parcels:
                    self._parcels.remove(kept[len(messages.PARCEL) :].decode())


def _lost(uid: str, why: str) -> bytes:
    return pickle.dumps(FragmentLost(f"{uid}: {why}"))
