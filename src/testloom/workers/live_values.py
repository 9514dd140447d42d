"""The values of fragments that run in this process: kept as they are until nobody needs them."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping
from typing import Any

from testloom.model.fragment import FragmentData


class LiveValues:
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
        self._fragments = fragments
        self._predecessors = predecessors
        self._values: dict[str, Any] = {}
        self._readers = collections.Counter(itertools.chain.from_iterable(predecessors.values()))

    def put(self, uid: str, value: Any) -> None:
        """Keep the value of fragment *uid*, if anybody is going to need it."""
        if self._readers[uid]:
            self._values[uid] = value

    def of_those_before(self, uid: str) -> dict[str, Any]:
        """Return the values for fragment *uid* by name.

        A predecessor of the same test goes by its short name, others by their uid.
        """
        before = self._predecessors.get(uid)
        if not before:
            return {}
        own = self._fragments[uid].driver
        values = {}
        for other in sorted(before):
            fragment = self._fragments[other]
            values[fragment.name if fragment.driver is own else other] = self._values[other]
        return values

    def release(self, uid: str) -> None:
        """Note that fragment *uid* has been given what it needs, and does not run again."""
        for other in self._predecessors.get(uid, ()):
            self._readers[other] -= 1
            if not self._readers[other]:
                del self._values[other]
