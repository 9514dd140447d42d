"""What a graph of calls means: pure."""

from __future__ import annotations

from typing import Any

import pytest

from testloom.graph.reading import Literal, Plan, Ref, read


def add(*numbers: Any) -> Any:
    return sum(numbers)


def same(*things: Any) -> Any:
    return things


def evaluated(graph: Any) -> dict[Any, Any]:
    """Return the values of all nodes, worked off in the order of the graph."""
    plan = read(graph)
    values: dict[str, Any] = {}
    left = dict(plan.nodes)
    while left:
        uid = next(u for u, node in left.items() if values.keys() >= set(node.before))
        node = left.pop(uid)
        values[uid] = node.function({before: values[before] for before in node.before})
    return {**plan.values, **{node.key: values[node.uid] for node in plan.nodes.values()}}


def edges(plan: Plan) -> dict[Any, list[Any]]:
    key = {uid: node.key for uid, node in plan.nodes.items()}
    return {node.key: [key[before] for before in node.before] for node in plan.nodes.values()}


def test_a_node_is_a_call_a_value_or_another_name() -> None:
    graph = {"one": 1, "two": (add, "one", 1), "alias": "two", "both": ["one", "two"]}

    assert evaluated(graph) == {"one": 1, "two": 2, "alias": 2, "both": [1, 2]}
    assert read(graph).values == {"one": 1}
    assert read(graph).sinks == ("alias", "both")


@pytest.mark.parametrize(
    "argument",
    [(1, 2), [1, 2], {1, 2}, range(3), {"x": (1,)}, None, (), "text", b"bytes", frozenset("ab")],
)
def test_arguments_without_keys_are_passed_as_they_are(argument: Any) -> None:
    graph = {"root": (same, argument), "next": (same, "root", argument)}
    got = evaluated(graph)

    assert got["root"][0] is argument
    assert got["next"][1] is argument


def test_keys_are_found_deep_inside_and_what_holds_them_stays_what_it_is() -> None:
    graph = {
        "a": (add, 1),
        "b": (same, ["a", ("a", {"k": "a", "a": 0}), "other"]),
    }

    assert evaluated(graph)["b"] == ([1, (1, {"k": 1, "a": 0}), "other"],)
    assert edges(read(graph)) == {"a": [], "b": ["a"]}


def test_tuples_can_be_keys() -> None:
    graph = {("t", 0): (add, 1), ("t", 1): (add, ("t", 0), 1), "all": (same, [("t", 0), ("t", 1)])}

    assert evaluated(graph)["all"] == ([1, 2],)


def test_numbers_are_keys_only_if_they_are_of_the_same_type() -> None:
    graph = {1: (add, 40), "r": (same, 1, True, 1.0, 2)}

    assert evaluated(graph)["r"] == (40, True, 1.0, 2)


def test_what_cannot_be_hashed_or_compared_is_no_key() -> None:
    class Odd:
        def __hash__(self) -> int:
            return hash("a")

        def __eq__(self, other: object) -> bool:
            raise ValueError("planted")

    odd = Odd()
    got = evaluated({"a": (add, 1), "b": (same, odd, bytearray(b"a"), "a")})["b"]

    assert got[0] is odd
    assert got[1:] == (bytearray(b"a"), 1)


def test_a_generator_is_not_consumed() -> None:
    numbers = (number for number in range(3))
    got = evaluated({"a": (add, 1), "b": (same, "a", numbers)})["b"]

    assert (got[1] is numbers, list(numbers)) == (True, [0, 1, 2])


def test_a_reference_says_what_is_meant_and_a_literal_what_is_not() -> None:
    graph = {"a": (add, 1), "b": (same, Ref("a"), Literal("a"), Literal([Ref("a")]), "a")}

    assert evaluated(graph)["b"] == (1, "a", [Ref("a")], 1)


def test_a_reference_to_nothing_is_refused_with_a_guess() -> None:
    with pytest.raises(
        ValueError, match="node 'b' refers to 'alhpa', which is not in the graph; d"
    ):
        read({"alpha": 1, "b": (add, Ref("alhpa"))})


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        ({"a": (add, "a")}, "'a' -> 'a'"),
        ({"a": (add, "b"), "b": (add, "a")}, "'a' -> 'b' -> 'a'"),
        ({"x": 1, "a": ["b", "x"], "b": (add, ("c", 0)), ("c", 0): "a"}, "('c', 0)"),
    ],
)
def test_a_circle_is_named(graph: Any, circle: str) -> None:
    with pytest.raises(ValueError, match="these nodes wait for each other: ") as caught:
        read(graph)

    assert circle in str(caught.value)


def test_a_long_circle_is_cut() -> None:
    graph = {number: (add, (number + 1) % 50) for number in range(50)}
    with pytest.raises(ValueError, match=r" -> \.\.\. -> "):
        read(graph)


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a mapping or a networkx.DiGraph, not of type 'list'"):
        read([1])


def test_a_graph_of_networkx_has_its_calls_in_attributes_and_edges_give_the_order() -> None:
    networkx = pytest.importorskip("networkx")
    graph = networkx.DiGraph()
    graph.add_node("a", task=(add, 1))
    graph.add_node("b", task=(add, "a", 1))
    graph.add_node("after", task=(same,))
    graph.add_edges_from([("a", "b"), ("b", "after")])

    assert edges(read(graph)) == {"a": [], "b": ["a"], "after": ["b"]}
    assert evaluated(graph) == {"a": 1, "b": 2, "after": ()}
    graph.add_node("c")
    with pytest.raises(ValueError, match="node 'c' has no attribute 'task'"):
        read(graph)
