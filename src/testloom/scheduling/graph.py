"""The graph of a run as plain data, and the circles in it.

Drivers and suites build an `e3.collection.dag.DAG`; a run copies it once into a `Graph`, which
costs a fraction of the memory and can lose vertices that turn out to be broken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

_NOBODY: frozenset[str] = frozenset()


class Graph:
    """Vertices with their data and their predecessors, in the order in which they were added.

    It can stand for an `e3.collection.dag.DAG` wherever only its content is asked for.
    """

    def __init__(self) -> None:
        self.vertex_data: dict[str, Any] = {}
        self.predecessors: dict[str, frozenset[str]] = {}

    @classmethod
    def of(cls, dag: Any) -> Graph:
        """Return a copy of *dag*, an `e3.collection.dag.DAG`."""
        graph = cls()
        graph.vertex_data = dict(dag.vertex_data)
        graph.predecessors = {
            # One empty set for all of the many that have no predecessor.
            uid: frozenset(before) if before else _NOBODY
            for uid, before in dag.vertex_predecessors_items()
        }
        return graph

    def vertex_predecessors_items(self) -> Iterable[tuple[str, frozenset[str]]]:
        """Return pairs of uid and the uids it follows."""
        return self.predecessors.items()

    def remove(self, uids: Collection[str]) -> None:
        """Remove *uids* and every edge from or to them."""
        if not uids:
            return
        for uid in uids:
            self.vertex_data.pop(uid, None)
            self.predecessors.pop(uid, None)
        for uid, before in self.predecessors.items():
            if not before.isdisjoint(uids):
                self.predecessors[uid] = before.difference(uids)

    def unknown_predecessors(self) -> dict[str, list[str]]:
        """Return the vertices that follow something that is not there, and what that is."""
        known = self.vertex_data.keys()
        return {
            uid: sorted(before - known)
            for uid, before in self.predecessors.items()
            if before and not before <= known
        }


def circles(predecessors: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return one circle for each group of vertices that all wait for each other.

    A circle is a list of uids, each waiting for the one before it, the first repeated at the
    end.  After Tarjan, "Depth-first search and linear graph algorithms" (1972), without
    recursion; O(V+E).
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: dict[str, None] = {}
    found: list[list[str]] = []
    for root in predecessors:
        if root in order or not predecessors[root]:  # what waits for nothing is in no circle
            continue
        order[root] = low[root] = len(order)
        on_stack[root] = None
        walk = [(root, iter(predecessors[root]))]
        while walk:
            at, rest = walk[-1]
            for before in rest:
                if before not in order:
                    order[before] = low[before] = len(order)
                    on_stack[before] = None
                    walk.append((before, iter(predecessors[before])))
                    break
                if before in on_stack:
                    low[at] = min(low[at], order[before])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[at])
                if low[at] == order[at]:
                    found.extend(_circle_in(_popped(on_stack, at), predecessors))
    return found


def _popped(on_stack: dict[str, None], down_to: str) -> set[str]:
    group = set()
    while True:
        uid, _ = on_stack.popitem()
        group.add(uid)
        if uid == down_to:
            return group


def _circle_in(group: set[str], predecessors: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return one circle through *group*, all of which can reach each other; none if it is alone."""
    start = min(group)
    if len(group) == 1 and start not in predecessors[start]:
        return []
    seen: dict[str, None] = {}
    at = start
    while at not in seen:
        seen[at] = None
        at = min(before for before in predecessors[at] if before in group)
    walked = list(seen)
    circle = walked[walked.index(at) :]
    return [[at, *reversed(circle)]]
