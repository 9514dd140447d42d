"""What keys decide about outputs that wait for review: a value, without terminal and disk."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Verdict(enum.Enum):
    """What becomes of an output."""

    ACCEPT = "accepted"
    REJECT = "rejected"
    SKIP = "skipped"


class Decided(msgspec.Struct, Generic[Item], frozen=True):
    """The same verdict for some items, which are not asked about any more."""

    verdict: Verdict
    items: tuple[Item, ...]


class Show(enum.Enum):
    """What a key asks for besides a verdict; the item stays."""

    KEYS = "keys"
    DETAILS = "details"
    OTHER_VIEW = "other view"
    EDITOR = "editor"


KEYS: Final = """\
  a  accept: the output becomes the baseline     A  accept all that are left
  r  reject: forget the output                   R  reject all that are left
  s  skip: leave it for another time             S  skip all that are left
  g  accept all with the same change             i  details
  e  edit the output, or the pattern             d  show it side by side, or not
                                                 q  quit
"""

_ONE: Final = {"a": Verdict.ACCEPT, "r": Verdict.REJECT, "s": Verdict.SKIP}
_ALL: Final = {"A": Verdict.ACCEPT, "R": Verdict.REJECT, "S": Verdict.SKIP, "q": Verdict.SKIP}
_SHOWN: Final = {
    "?": Show.KEYS,
    "h": Show.KEYS,
    "i": Show.DETAILS,
    "d": Show.OTHER_VIEW,
    "e": Show.EDITOR,
}


class Review(Generic[Item]):
    """Items that are asked about, one after the other.

    Args:
        items: in the order in which to ask.
        alike: returns those of some items that have the same change as one.
    """

    def __init__(
        self, items: Sequence[Item], alike: Callable[[Sequence[Item], Item], Sequence[Item]]
    ) -> None:
        self._left = list(items)
        self._alike = alike

    @property
    def current(self) -> Item | None:
        """What is asked about now; None when all is decided."""
        return self._left[0] if self._left else None

    @property
    def left(self) -> int:
        """How many are not decided."""
        return len(self._left)

    @property
    def alike(self) -> tuple[Item, ...]:
        """What is left with the same change as `current`, that included."""
        return tuple(self._alike(self._left, self._left[0])) if self._left else ()

    def press(self, key: str) -> Decided[Item] | Show:
        """Take a key; one that means nothing shows what there is."""
        if not self._left or key in _SHOWN:
            return _SHOWN.get(key, Show.KEYS)
        if key in _ONE:
            return self._decide(_ONE[key], self._left[:1])
        if key in _ALL:
            return self._decide(_ALL[key], self._left)
        if key == "g":
            return self._decide(Verdict.ACCEPT, self.alike or self._left[:1])
        return Show.KEYS

    def replace(self, item: Item) -> None:
        """Ask about *item*, which has come of it, instead of `current`."""
        self._left[0] = item

    def _decide(self, verdict: Verdict, items: Sequence[Item]) -> Decided[Item]:
        decided = tuple(items)
        gone = {id(item) for item in decided}
        self._left = [item for item in self._left if id(item) not in gone]
        return Decided(verdict, decided)
