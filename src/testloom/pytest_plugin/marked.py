"""Which items have markers of ours: most have none, and to look at each in turn takes a while."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any


def marked(items: Sequence[Any], names: Container[str]) -> list[tuple[int, Any]]:
    """Return those of *items*, with their numbers, that have a marker with one of *names*.

    Those of what an item is in count as well; they are looked at once.
    """
    above: dict[int, bool] = {}
    found = []
    for number, item in enumerate(items):
        parent = item.parent
        is_marked = above.get(id(parent))
        if is_marked is None:
            is_marked = above[id(parent)] = any(one.name in names for one in parent.iter_markers())
        if is_marked or any(one.name in names for one in item.own_markers):
            found.append((number, item))
    return found
