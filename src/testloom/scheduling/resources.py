"""What units take while they run: places, and amounts of things that have a name and a limit.

Pure.  There is one mechanism for everything that keeps units from running at the same time: a
unit that costs several places, one that has to be alone, a group of which only so many may run,
cores, licences.  Each is an amount of something that is limited.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from testloom.model.errors import UsageError, nearest

PLACES: Final = ""
"""The name of what everybody needs."""
_EVERYTHING: Final = sys.maxsize
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class Needs(msgspec.Struct, frozen=True):
    """What a unit takes from its start to its end.

    Raises:
        UsageError: an amount makes no sense.
    """

    slots: int = 1
    """For how many it counts against the limit of units that run at the same time."""
    exclusive: bool = False
    """Whether nothing else may run meanwhile."""
    resources: Mapping[str, int] = _NOTHING
    """How much of what else: name -> amount."""

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise UsageError(f"a unit needs at least 1 slot, not {self.slots}")
        for name, amount in self.resources.items():
            if not name or amount < 0:
                raise UsageError(
                    f"{amount} of {name!r} cannot be taken; name it, and take 0 or more"
                )

    def __hash__(self) -> int:
        return hash((self.slots, self.exclusive, frozenset(self.resources.items())))

    @property
    def amounts(self) -> dict[str, int]:
        """Everything that is taken, by name, the places first."""
        taken = {PLACES: _EVERYTHING if self.exclusive else self.slots}
        taken.update((name, amount) for name, amount in self.resources.items() if amount)
        return taken


ONE_PLACE: Final = Needs()


class Resources:
    """How much there is of everything, and how much of it is taken.

    What wants more than there is gets it when nobody else has any.

    Raises:
        UsageError: a limit is below 1.
    """

    def __init__(self, places: int, limits: Mapping[str, int] | None = None) -> None:
        self._limits: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self.set_limit(PLACES, places)
        for name, limit in (limits or {}).items():
            self.set_limit(name, limit)

    def limit(self, name: str) -> int:
        """Return how much there is of *name*."""
        return self._limits[name]

    def set_limit(self, name: str, limit: int) -> None:
        """Let there be *limit* of *name*; what is taken already stays taken.

        Raises:
            UsageError: it is below 1.
        """
        if limit < 1:
            raise UsageError(f"the limit of {name or 'slots'} must be at least 1, not {limit}")
        self._limits[name] = limit
        self._taken.setdefault(name, 0)

    def check(self, uid: str, names: Iterable[str]) -> None:
        """See that there is a limit for each of *names*, which unit *uid* needs.

        Raises:
            UsageError: there is none.
        """
        for name in names:
            if name not in self._limits:
                known = filter(None, self._limits)
                raise UsageError(
                    f"{uid!r} needs {name!r}, which has no limit{nearest(name, known)}"
                )

    def has_room(self, name: str, amount: int) -> bool:
        """Tell whether *amount* of *name* can be taken now."""
        taken = self._taken[name]
        return taken == 0 or taken + amount <= self._limits[name]

    def lacking(self, amounts: Mapping[str, int]) -> str | None:
        """Return the first name of which there is too little now; None if all can be taken."""
        for name, amount in amounts.items():
            if not self.has_room(name, amount):
                return name
        return None

    def take(self, amounts: Mapping[str, int]) -> None:
        """Take *amounts*, for which there is room."""
        for name, amount in amounts.items():
            self._taken[name] += amount

    def give_back(self, amounts: Mapping[str, int]) -> None:
        """Give back what was taken."""
        for name, amount in amounts.items():
            self._taken[name] -= amount

    def take_place(self) -> bool:
        """Take one place if there is room for that; tell whether there was."""
        taken = self._taken[PLACES]
        if taken and taken >= self._limits[PLACES]:
            return False
        self._taken[PLACES] = taken + 1
        return True

    def give_place_back(self) -> None:
        """Give back one place."""
        self._taken[PLACES] -= 1
