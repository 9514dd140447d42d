"""Values on their way from a fragment to those that follow it, as opaque bytes.

Main never unpickles them: a hostile or broken pickle harms only the fragment that asked for it.
A value is dropped as soon as everybody who needs it has been given it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping

from testloom.model.errors import FragmentLost
from testloom.model.fragment import FragmentData


class Values:
    """What the fragments of a graph have left for those that follow.

    Args:
        fragments: uid -> fragment.
        predecessors: uid -> the uids it follows.
    """

    def __init__(
        self,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
    ) -> None:
        self._before: dict[str, tuple[tuple[str, str, bool], ...]] = {}
        self._readers: dict[str, int] = {}
        self._values: dict[str, bytes | None] = {}
        self._states: dict[str, bytes] = {}
        for uid, before in predecessors.items():
            if not before:
                continue
            own = fragments[uid].driver
            needed = []
            for other in sorted(before):
                is_own = own is not None and fragments[other].driver is own
                needed.append((other, fragments[other].name if is_own else other, is_own))
                self._readers[other] = self._readers.get(other, 0) + 1
            self._before[uid] = tuple(needed)

    def is_wanted(self, uid: str) -> bool:
        """Tell whether a fragment follows *uid*."""
        return uid in self._readers

    def put(self, uid: str, value: bytes | None, state: bytes | None = None) -> None:
        """Keep what fragment *uid* has left, if anybody is going to need it."""
        if uid in self._readers:
            self._values[uid] = value
            if state is not None:
                self._states[uid] = state

    def put_lost(self, uid: str, why: str) -> None:
        """Note that fragment *uid* ended without a value: those that follow get an exception."""
        if uid in self._readers:
            self._values[uid] = pickle.dumps(FragmentLost(f"{uid}: {why}"))

    def take(self, uid: str) -> tuple[dict[str, bytes | None], list[bytes]]:
        """Return the values for fragment *uid* by name, and the states of its own test.

        A predecessor of the same test goes by its short name, others by their uid.
        """
        before = self._before.pop(uid, None)
        if before is None:
            return {}, []
        values: dict[str, bytes | None] = {}
        states = []
        for other, name, is_own in before:
            values[name] = self._values.get(other)
            if is_own and other in self._states:
                states.append(self._states[other])
            self._forget(other)
        return values, states

    def _forget(self, uid: str) -> None:
        self._readers[uid] -= 1
        if self._readers[uid] == 0:
            self._values.pop(uid, None)
            self._states.pop(uid, None)
