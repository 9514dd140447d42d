"""What items take while they run: their markers ``slots``, ``exclusive`` and ``group``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from testloom.model.errors import UsageError
from testloom.pytest_plugin.marked import marked
from testloom.scheduling import Needs


def needs_of(items: Sequence[Any]) -> tuple[dict[int, Needs], dict[str, int]]:
    """Return what items need that need more than a slot, by their numbers, and the limits of groups.

    Raises:
        pytest.UsageError: a marker makes no sense, or two of them contradict each other.
    """
    needs: dict[int, Needs] = {}
    limits: dict[str, int] = {}
    for number, item in marked(items, ("slots", "exclusive", "group")):
        slots = _slots(item)
        is_exclusive = item.get_closest_marker("exclusive") is not None
        groups = dict(_group(item, marker) for marker in item.iter_markers("group"))
        for name, limit in groups.items():
            if limits.setdefault(name, limit) != limit:
                raise _wrong(item, f"group {name!r} has the limit {limits[name]} elsewhere")
        if slots > 1 or is_exclusive or groups:
            try:
                needs[number] = Needs(slots, is_exclusive, dict.fromkeys(groups, 1))
            except UsageError as error:
                raise _wrong(item, str(error)) from error
    return needs, limits


def _slots(item: Any) -> int:
    marker = item.get_closest_marker("slots")
    if marker is None:
        return 1
    (count,) = _values(item, marker, ("n",), ())
    if type(count) is not int or count < 1:
        raise _wrong(item, f"slots({count!r}): write a number from 1 up")
    return count


def _group(item: Any, marker: pytest.Mark) -> tuple[str, int]:
    name, limit = _values(item, marker, ("name", "limit"), (1,))
    if not isinstance(name, str) or not name:
        raise _wrong(item, f"group({name!r}): the name must be text")
    if type(limit) is not int or limit < 1:
        raise _wrong(item, f"group({name!r}, limit={limit!r}): write a number from 1 up")
    return name, limit


def _values(
    item: Any, marker: pytest.Mark, names: Sequence[str], defaults: Sequence[Any]
) -> list[Any]:
    """Return the arguments of *marker* in the order of *names*, the last ones with *defaults*."""
    given: dict[str, Any] = {**dict(zip(names, marker.args, strict=False)), **marker.kwargs}
    missing = [n for n in names[: len(names) - len(defaults)] if n not in given]
    if missing or given.keys() - set(names) or len(marker.args) > len(names):
        raise _wrong(item, f"{marker.name} takes {', '.join(names)}")
    filled = {**dict(zip(reversed(names), reversed(defaults), strict=False)), **given}
    return [filled[name] for name in names]


def _wrong(item: Any, what: str) -> pytest.UsageError:
    return pytest.UsageError(f"{item.nodeid}: {what}")
