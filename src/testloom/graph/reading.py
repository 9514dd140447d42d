"""Understands a graph of calls: which node is what, and who needs whose value.

Pure.  A node is a tuple that begins with a callable; anything else is a value, or another name
for one.  An argument that equals a key stands for the value of that node, also deep inside of
lists, tuples and the values of dictionaries, all of which stay what they are.  `Ref` says so
explicitly, and `Literal` says that something is no key whatever it looks like.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from testloom.model.errors import nearest
from testloom.scheduling.graph import circles

Key = Hashable
_NUMBERS: Final = (bool, int, float, complex)


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """Stands for the value of the node *key*."""

    key: Key


@dataclasses.dataclass(frozen=True, slots=True)
class Literal:
    """Stands for *value* itself, even if it looks like a key or has some in it."""

    value: Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that has to be run."""

    key: Key
    uid: str
    before: tuple[str, ...]
    """The uids of those that must have ended, in the order in which they were met."""
    function: Callable[[dict[str, Any]], Any]
    """Makes its value of those of the nodes before it, by uid."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is in a graph."""

    nodes: dict[str, Node]
    """uid -> node, in the order of the graph."""
    values: dict[Key, Any]
    """The nodes whose values are known without running anything."""
    sinks: tuple[Key, ...]
    """The nodes that no other one needs, in the order of the graph."""


def read(graph: Any) -> Plan:
    """Return what is in *graph*: a mapping, or a `networkx.DiGraph` whose nodes have a ``task``.

    Raises:
        TypeError: it is something else.
        ValueError: nodes wait for each other, a `Ref` leads nowhere, or a node has no task.
    """
    tasks, edges = _tasks_and_edges(graph)
    names = {_name(key): key for key in tasks}
    found = {key: _keys_in(task, key, names) for key, task in tasks.items()}
    needs = {key: [*found[key], *edges.get(key, ())] for key in tasks}
    _check_circles(needs)
    values = {
        key: _filled(task, {})
        for key, task in tasks.items()
        if not _is_call(task) and not needs[key]
    }
    uids = {key: str(number) for number, key in enumerate(tasks) if key not in values}
    nodes = {}
    for key, uid in uids.items():
        before = dict.fromkeys(uids[other] for other in needs[key] if other in uids)
        wanted = {other: uids[other] for other in found[key] if other in uids}
        known = {other: values[other] for other in found[key] if other in values}
        function = _function(tasks[key], wanted, known)
        nodes[uid] = Node(key=key, uid=uid, before=tuple(before), function=function)
    needed = {other for others in needs.values() for other in others}
    return Plan(nodes=nodes, values=values, sinks=tuple(key for key in tasks if key not in needed))


def _tasks_and_edges(graph: Any) -> tuple[Mapping[Key, Any], Mapping[Key, list[Key]]]:
    if isinstance(graph, Mapping):
        return graph, {}
    if not (hasattr(graph, "nodes") and hasattr(graph, "predecessors")):
        kind = type(graph).__name__
        raise TypeError(f"a graph is a mapping or a networkx.DiGraph, not of type {kind!r}")
    tasks = {}
    for key, attributes in graph.nodes(data=True):
        if "task" not in attributes:
            raise ValueError(
                f"node {key!r} has no attribute 'task'; give it one: (callable, argument, ...)"
            )
        tasks[key] = attributes["task"]
    return tasks, {key: list(graph.predecessors(key)) for key in tasks}


def _keys_in(task: Any, owner: Key, names: Mapping[Any, Key]) -> list[Key]:
    """Return the keys in the node *owner*, each once."""
    found: dict[Key, None] = {}
    parts = [*task[:0:-1]] if _is_call(task) else [task]
    while parts:
        part = parts.pop()
        if isinstance(part, Ref):
            if not _is_key(part.key, names):
                near = nearest(str(part.key), map(str, names.values()))
                raise ValueError(
                    f"node {owner!r} refers to {part.key!r}, which is not in the graph{near}"
                )
            found[names[_name(part.key)]] = None
        elif _is_key(part, names):
            found[names[_name(part)]] = None
        elif type(part) in (list, tuple):
            parts.extend(reversed(part))
        elif type(part) is dict:
            parts.extend(reversed(part.values()))
    return list(found)


def _is_call(task: Any) -> bool:
    return type(task) is tuple and bool(task) and callable(task[0])


def _name(part: Any) -> Any:
    """Return what *part* is looked up by: 1 and True are different here."""
    return (type(part), part) if isinstance(part, _NUMBERS) else part


def _is_key(part: Any, names: Mapping[Any, Any]) -> bool:
    try:
        return _name(part) in names
    except Exception:  # noqa: BLE001 - cannot be hashed, or compares in a way of its own
        return False


def _function(
    task: Any, wanted: Mapping[Key, str], known: Mapping[Key, Any]
) -> Callable[[dict[str, Any]], Any]:
    def function(values: dict[str, Any]) -> Any:
        named = {_name(key): values[uid] for key, uid in wanted.items()}
        named.update((_name(key), value) for key, value in known.items())
        if not _is_call(task):
            return _filled(task, named)
        return task[0](*(_filled(part, named) for part in task[1:]))

    return function


def _filled(part: Any, values: Mapping[Any, Any]) -> Any:
    """Return *part* with values in the places of keys; itself if there are none in it."""
    if isinstance(part, Ref):
        return values[_name(part.key)]
    if isinstance(part, Literal):
        return part.value
    if _is_key(part, values):
        return values[_name(part)]
    kind = type(part)
    if kind is dict:
        items = {name: _filled(value, values) for name, value in part.items()}
        return items if any(items[name] is not part[name] for name in part) else part
    if kind in (list, tuple):
        parts = [_filled(value, values) for value in part]
        changed = any(new is not old for new, old in zip(parts, part, strict=True))
        return kind(parts) if changed else part
    return part


def _check_circles(needs: Mapping[Key, list[Key]]) -> None:
    keys = list(needs)
    names = {key: str(number) for number, key in enumerate(keys)}
    found = circles({names[key]: [names[o] for o in others] for key, others in needs.items()})
    if found:
        path = [repr(keys[int(name)]) for name in found[0]]
        shown = path if len(path) <= 12 else [*path[:6], "...", *path[-5:]]
        raise ValueError(f"these nodes wait for each other: {' -> '.join(shown)}")
