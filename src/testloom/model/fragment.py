"""The node of the graph: one step of one test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

FragmentCallback: TypeAlias = Callable[[dict[str, Any], int], Any]
"""``callback(previous_values, slot) -> value``; the value reaches the fragments that follow."""


class FragmentData(msgspec.Struct):
    """What a driver said about a fragment when it added it to the graph."""

    uid: str
    driver: Any
    """The `testloom.drivers.TestDriver` instance; None once the fragment has ended."""
    name: str
    callback: FragmentCallback | None
    callback_by_name: bool = True
    """Whether the callback is the driver's method called `name`."""

    def matches(self, driver_cls: type[Any], name: str | None = None) -> bool:
        """Tell whether this is fragment *name* (any, if None) of a driver of class *driver_cls*."""
        return isinstance(self.driver, driver_cls) and name in (None, self.name)

    def clear_driver_data(self) -> None:
        """Let go of the driver, and of what it holds."""
        self.driver = None
        self.callback = None
