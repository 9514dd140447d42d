"""A dictionary that forgets what is oldest when it gets too large."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LimitedSizeDict(OrderedDict[K, V]):
    """An ordered dictionary of at most *size_limit* items; None for any number.

    What goes is the key that was inserted first; to set it again does not make it newer.
    """

    def __init__(self, *args: Any, size_limit: int | None = None, **kwargs: Any) -> None:
        if size_limit is not None and size_limit < 0:
            raise ValueError(f"the size limit must not be negative: {size_limit}")
        self.size_limit = size_limit
        super().__init__(*args, **kwargs)

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while self.size_limit is not None and len(self) > self.size_limit:
            self.popitem(last=False)

    def copy(self) -> LimitedSizeDict[K, V]:
        """Return a copy with the same limit."""
        return type(self)(self, size_limit=self.size_limit)
