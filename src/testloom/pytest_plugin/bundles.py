"""Which items are to stay together because they share something that is set up for them.

Items that use a fixture of scope class, module or package (also the ones that pytest makes of
``setup_module``, ``setUpClass`` and the like) form a bundle with the others in that class, module or
package that do.  So do data tests that follow each other.  Bundles of a class stay whole: tests of a
class often leave things in it for each other.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import pytest

from testloom.scheduling.order import ordered
from testloom.scheduling.turns import Bundle

_SHARING: Final = {"class": 1, "module": 2, "package": 3}
_OWNERS: Final = {1: pytest.Class, 2: pytest.Module, 3: pytest.Package}


def bundles(
    items: Sequence[Any],
    together: Mapping[int, int] | None = None,
    without: Container[int] = (),
) -> list[Bundle]:
    """Return the numbers of *items* in bundles, in the order in which their first items come.

    Those in *without* are left out.  *together*: number of an item -> number of the first of those
    that it has to be with.
    """
    together = together or {}
    found: dict[Hashable, list[int]] = {}
    whole: set[Hashable] = set()
    scopes: dict[int, int] = {}
    for number, item in enumerate(items):
        if number in without:
            continue
        key: Hashable = together.get(number)
        if key is not None:
            whole.add(key)
        else:
            owner = _owner(item, scopes)
            key = number if owner is None else (id(owner),)
            if isinstance(owner, pytest.Class):
                whole.add(key)
        found.setdefault(key, []).append(number)
    return [Bundle(tuple(numbers), key in whole) for key, numbers in found.items()]


def in_good_order(
    found: Sequence[Bundle],
    failed: Container[int],
    usual_s: Mapping[int, float] = MappingProxyType({}),
    slots: int = 1,
) -> list[Bundle]:
    """Return *found* with those first that hold an item of *failed*, then those that take long.

    Of the others the order stays.  *usual_s* says how long items take, as far as that is known.
    """
    names = [str(number) for number in range(len(found))]
    taken_s = {
        name: sum(usual_s[unit] for unit in known)
        for name, bundle in zip(names, found, strict=True)
        if (known := [unit for unit in bundle.units if unit in usual_s])
    }
    urgent = [
        name
        for name, bundle in zip(names, found, strict=True)
        if any(unit in failed for unit in bundle.units)
    ]
    order = ordered(
        dict.fromkeys(names, ()),
        dict(zip(names, names, strict=True)),
        usual_s=taken_s,
        urgent=urgent,
        jobs=slots,
    )
    first = order.priorities
    places = sorted(range(len(found)), key=lambda number: -first.get(names[number], 0.0))
    return [found[number] for number in places]


def components(follows: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return for each test that follows or is followed the name that stands for all it hangs on."""
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        leader.setdefault(name, name)
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for name, others in follows.items():
        for other in others:
            leader[lead(name)] = lead(other)
    return {name: lead(name) for name in leader}


def _owner(item: Any, scopes: dict[int, int]) -> Any:
    """Return the collector whose fixtures *item* shares; None if there is none.

    *scopes* is what is known already: items that one function is the origin of have one and the
    same description of their fixtures.
    """
    info = getattr(item, "_fixtureinfo", None)
    scope = scopes.get(id(info))
    if scope is None:
        scope = scopes[id(info)] = _widest(info)
    if scope == 0:
        return None
    wanted = _OWNERS[scope]
    chain = item.listchain()
    for node in reversed(chain):
        if isinstance(node, wanted):
            return node
    # No class around it: a function that uses a fixture of that scope has it for itself.
    return None if scope == 1 else next((n for n in chain if isinstance(n, pytest.Module)), None)


def _widest(info: Any) -> int:
    widest = 0
    for definitions in info.name2fixturedefs.values() if info is not None else ():
        for definition in definitions:
            widest = max(widest, _SHARING.get(definition.scope, 0))
    return widest
