"""How long each item may take: its marker ``timeout``, or the limit for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from testloom.pytest_plugin.marked import marked

_MORE_S: Final = 1.0
"""What is added where pytest-timeout is to act first: it knows more of the test."""


def limits_of(items: Sequence[Any], limit_s: float | None) -> list[float | None]:
    """Return the limit of each of *items* in seconds.

    Raises:
        pytest.UsageError: a marker makes no sense.
    """
    if not items:
        return []
    has_rival = items[0].config.pluginmanager.hasplugin("timeout")
    limits = [limit_s] * len(items)
    for number, item in marked(items, ("timeout",)):
        limits[number] = _limit_of(item, limit_s, has_rival=has_rival)
    return limits


def _limit_of(item: Any, limit_s: float | None, *, has_rival: bool) -> float | None:
    marker = item.get_closest_marker("timeout")
    if marker is None:
        return limit_s
    value = (
        marker.args[0]
        if marker.args
        else marker.kwargs.get("seconds", marker.kwargs.get("timeout"))
    )
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        if has_rival:
            return limit_s  # it has ways to write this that are its own
        raise pytest.UsageError(
            f"{item.nodeid}: timeout({value!r}): the limit must be a number of seconds"
        )
    if value == 0:
        return None
    return value + _MORE_S if has_rival else float(value)
