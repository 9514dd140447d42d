"""What a worker is told to run: orders, with the values and states that a fragment is given.

The same whether the process that takes the order is a slot's own or runs on another machine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from testloom.model.fragment import FragmentData
from testloom.processes.parcels import Parcels
from testloom.workers.messages import Order, Report
from testloom.workers.values import Values


class Orders:
    """Makes the order of each fragment, once, from what those that it follows have left.

    Args:
        fragments: uid -> fragment, all that will ever run.
        predecessors: uid -> the uids it follows.
        continues: tells whether the same worker is going to run the next fragment of a test.
        recipe_of: how to make a fragment elsewhere; None where workers have inherited it.
        repeatable: uids of the fragments that may run more than once.
        parcels: for values that are too large for a message; None if there is a limit to them.
        returns: whether whoever gives orders wants the values, too.
    """

    def __init__(
        self,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        continues: Callable[[str], bool],
        recipe_of: Callable[[FragmentData], bytes] | None = None,
        repeatable: Collection[str] = (),
        parcels: Parcels | None = None,
        *,
        returns: bool = False,
    ) -> None:
        self._index = {uid: at for at, uid in enumerate(fragments)}
        self._values = Values(fragments, predecessors, repeatable, parcels)
        self._sharing = _sharing_tests(fragments, predecessors, continues)
        self._continues = continues
        self._recipe_of = recipe_of
        self._returns = returns
        self._attempts = itertools.count(1)

    def order(self, data: FragmentData, *, is_last: bool = False) -> Order:
        """Return the order to run *data*; if it *is_last*, its process ends afterwards."""
        uid, driver = data.uid, data.driver
        values, states = self._values.take(uid)
        parcel = self._values.parcelled(values)
        alone = is_alone(driver)
        return Order(
            self._index[uid],
            next(self._attempts),
            not alone and self._continues(uid),
            id(driver) in self._sharing,
            alone or is_last,
            self._returns or self._values.is_wanted(uid),
            {} if parcel else values,
            states,
            self._recipe_of(data) if self._recipe_of else b"",
            parcel,
        )

    def stands_alone(self, uid: str, data: FragmentData) -> bool:
        """Tell whether *uid* is given nothing, so that its order may be made twice."""
        return not self._values.is_given(uid) and id(data.driver) not in self._sharing

    def is_wanted(self, uid: str) -> bool:
        """Tell whether a fragment follows *uid*, so that its value is needed."""
        return self._values.is_wanted(uid)

    def settle(self, uid: str, report: Report) -> None:
        """Keep what *uid* has left for those that follow."""
        self._values.ended(uid)
        self._values.put(uid, report.value, report.state)
        if report.unpicklable:
            self._values.put_lost(uid, f"its value cannot be sent: {report.unpicklable}")

    def lose(self, uid: str, why: str) -> None:
        """Note that *uid* has left nothing: those that follow get an exception."""
        self._values.ended(uid)
        self._values.put_lost(uid, why)

    def release(self, uids: Iterable[str]) -> None:
        """Note that *uids*, all fragments of a test, do not run again."""
        for uid in uids:
            self._values.release(uid)

    def close(self) -> None:
        """Let go of all values."""
        self._values.close()


def time_limit(
    data: FragmentData, default_s: float | None, say: Callable[[str], None]
) -> float | None:
    """Return how long a fragment may run: what its driver says, else *default_s*.

    A driver that cannot tell is told about with *say*.
    """
    try:
        own = getattr(data.driver, "fragment_timeout_s", None)
        own_s = None if own is None else float(own)
    except Exception as error:  # noqa: BLE001 - it may be a property of a foreign driver
        say(f"{data.uid}: its time limit is not known: {type(error).__name__}: {error}")
        own_s = None
    limit_s = default_s if own_s is None else own_s
    return limit_s if limit_s is not None and math.isfinite(limit_s) else None


def _sharing_tests(
    fragments: Mapping[str, FragmentData],
    predecessors: Mapping[str, frozenset[str]],
    continues: Callable[[str], bool],
) -> frozenset[int]:
    """Return the drivers (by identity) of tests that fork or join, so that state must travel."""
    found = set()
    for uid, before in predecessors.items():
        driver = fragments[uid].driver
        for other in before:
            if fragments[other].driver is driver and (
                len(before) > 1 or not continues(other) or is_alone(driver)
            ):
                found.add(id(driver))
    return frozenset(found)


def is_alone(driver: Any) -> bool:
    """Tell whether each fragment of *driver* asks for a process of its own."""
    return bool(getattr(driver, "isolation", "worker") == "process")
