"""The ready queue and the circles of a graph: pure, so all is said with drawings."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping

import pytest
from e3.collection.dag import DAG
from hypothesis import given
from hypothesis import strategies as st

from testloom.model.errors import CycleError
from testloom.scheduling.graph import Graph, circles
from testloom.scheduling.ready import ReadyQueue


def drawn(drawing: str) -> dict[str, list[str]]:
    """Return the graph of a drawing: each line is ``a b -> c``: c follows a and b."""
    graph: dict[str, list[str]] = {}
    for line in drawing.strip().splitlines():
        steps = [step.split() for step in line.split("->")]
        for units in steps:
            for unit in units:
                graph.setdefault(unit, [])
        for before, after in itertools.pairwise(steps):
            for unit in after:
                graph[unit] += before
    return graph


def rounds(queue: ReadyQueue) -> list[str]:
    """Work the graph off, everything that is ready at a time."""
    found = []
    while queue:
        batch = [queue.take() for _ in range(len(queue))]
        found.append(" ".join(batch))
        for unit in batch:
            assert queue.done(unit) is None
    assert queue.left == 0
    return found


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a", ["a"]),
        ("a b c", ["a b c"]),
        ("a -> b -> c", ["a", "b", "c"]),
        ("c -> b -> a", ["c", "b", "a"]),
        ("a -> b c -> d", ["a", "b c", "d"]),
        ("a -> b -> d\n a -> c -> d\n x -> d", ["a x", "b c", "d"]),
        ("a b c -> z", ["a b c", "z"]),
        ("z -> c b a", ["z", "c b a"]),
        ("a -> b\n a -> b", ["a", "b"]),
        ("", []),
    ],
)
def test_units_come_when_what_they_need_is_done(drawing: str, expected: list[str]) -> None:
    assert rounds(ReadyQueue(drawn(drawing))) == expected


def test_who_has_priority_comes_first_then_who_was_given_first() -> None:
    queue = ReadyQueue(drawn("a b c d e"), priorities={"d": 1, "b": -1, "e": 1})

    assert rounds(queue) == ["d e a c b"]


def test_what_is_put_back_keeps_its_place() -> None:
    queue = ReadyQueue(drawn("a b c"))
    taken = queue.take(), queue.take()
    queue.put_back("a")

    assert (taken, queue.take(), queue.take(), queue.left) == (("a", "b"), "a", "c", 3)


def test_a_needed_unit_has_to_be_there() -> None:
    with pytest.raises(KeyError, match="'x'"):
        ReadyQueue({"a": ["x"]})


# -- chains: fragments of a test that go on in the same worker ------------------------------


@pytest.mark.parametrize(
    ("drawing", "chained"),
    [
        ("t1 -> t2 -> t3", "t1 t2"),
        ("t1 -> t2 t3", ""),  # a fork: nobody is the next one
        ("t1 t2 -> t3", ""),  # a join: there is more to wait for
        ("t1 -> t2 -> t4\n t1 -> t3 -> t4", ""),
        ("t1 -> u1", ""),  # another test
        ("t1 -> t2\n t1 -> u1", "t1"),  # others may follow too
        ("t1 -> t2\n u1 -> t2", ""),  # t2 waits for another test
        ("n1 -> n2", ""),  # in no group
    ],
)
def test_a_chain_is_one_after_the_other_in_one_test(drawing: str, chained: str) -> None:
    graph = drawn(drawing)
    queue = ReadyQueue(graph, groups={unit: unit[0] for unit in graph if unit[0] != "n"})

    assert " ".join(unit for unit in sorted(graph) if queue.continues(unit)) == chained


def test_what_continues_a_chain_is_taken_at_once() -> None:
    queue = ReadyQueue(drawn("a1 -> a2 -> a3\n b1"), groups={"a1": 1, "a2": 1, "a3": 1})
    first = queue.take()

    assert (first, queue.done("a1"), queue.take(), bool(queue)) == ("a1", "a2", "b1", False)
    assert (queue.done("a2"), queue.done("b1"), queue.done("a3"), queue.left) == (
        "a3",
        None,
        None,
        0,
    )


# -- any graph ----------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """A graph without circles whose units come in any order."""
    count = draw(st.integers(0, 12))
    graph = {
        f"u{at}": [
            f"u{before}"
            for before in draw(st.sets(st.integers(0, at - 1)) if at else st.just(set()))
        ]
        for at in range(count)
    }
    return {unit: graph[unit] for unit in draw(st.permutations(list(graph)))}


@given(graph=graphs(), slots=st.integers(1, 4), seed=st.randoms(use_true_random=False))
def test_each_unit_runs_once_after_what_it_needs_and_chains_stay_together(
    graph: dict[str, list[str]], slots: int, seed: random.Random
) -> None:
    groups = {unit: int(unit[1:]) % 3 for unit in graph}
    queue = ReadyQueue(graph, groups=groups)
    running: list[str] = []
    done: list[str] = []
    while queue or running:
        while queue and len(running) < slots:
            running.append(queue.take())
        unit = running.pop(seed.randrange(len(running)))
        assert set(graph[unit]) <= set(done)
        continues = queue.continues(unit)
        done.append(unit)
        chained = queue.done(unit)
        assert (chained is not None) == continues
        if chained is not None:
            assert (groups[chained], graph[chained]) == (groups[unit], [unit])
            running.append(chained)
    assert sorted(done) == sorted(graph)
    assert (queue.left, len(queue)) == (0, 0)


@given(graphs())
def test_the_order_depends_on_nothing_but_the_graph(graph: dict[str, list[str]]) -> None:
    backwards = {unit: list(reversed(before)) for unit, before in graph.items()}

    assert rounds(ReadyQueue(graph)) == rounds(ReadyQueue(backwards))


# -- circles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a -> b -> c", []),
        ("a -> a", [["a", "a"]]),
        ("a -> b -> a", [["a", "b", "a"]]),
        ("s -> a -> b -> c -> a\n c -> t", [["a", "b", "c", "a"]]),
        ("a -> b -> a\n c -> d -> c\n b -> c", [["a", "b", "a"], ["c", "d", "c"]]),
        ("", []),
    ],
)
def test_circles_are_named_along_the_way(drawing: str, expected: list[list[str]]) -> None:
    assert circles(drawn(drawing)) == expected


def test_a_graph_with_a_circle_is_refused_and_the_circle_named() -> None:
    with pytest.raises(CycleError) as caught:
        ReadyQueue(drawn("start -> a -> b -> a\n b -> end"))

    assert caught.value.path == ("a", "b", "a")
    assert str(caught.value) == (
        "these fragments wait for each other: a -> b -> a; remove one of these dependencies"
    )


@given(
    edges=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20),
)
def test_every_circle_is_one(edges: list[tuple[int, int]]) -> None:
    graph: dict[str, list[str]] = {f"u{n}": [] for n in range(7)}
    for before, after in edges:
        graph[f"u{after}"].append(f"u{before}")
    found = circles(graph)
    for circle in found:
        assert circle[0] == circle[-1]
        assert all(a in graph[b] for a, b in itertools.pairwise(circle))
    try:
        ReadyQueue(graph)
    except CycleError:
        assert found
    else:
        assert not found


def test_a_circle_of_ten_thousand_needs_no_recursion() -> None:
    names = [f"u{n}" for n in range(10_000)]
    graph = {name: [names[n - 1]] for n, name in enumerate(names)}
    (circle,) = circles(graph)

    assert len(circle) == 10_001
    with pytest.raises(CycleError, match=r"u0 -> .* -> \.\.\. -> .*; remove one"):
        ReadyQueue(graph)


# -- size ------------------------------------------------------------------------------------------


def worked_off(graph: Mapping[str, list[str]]) -> int:
    queue = ReadyQueue(graph, groups=dict.fromkeys(graph, 1))
    count = 0
    while queue:
        unit: str | None = queue.take()
        while unit is not None:
            count += 1
            unit = queue.done(unit)
    return count


@pytest.mark.slow
@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(
            {"z": [f"u{n}" for n in range(50_000)]} | {f"u{n}": [] for n in range(50_000)},
            id="fan-in",
        ),
        pytest.param({"a": []} | {f"u{n}": ["a"] for n in range(50_000)}, id="fan-out"),
        pytest.param({"u0": []} | {f"u{n}": [f"u{n - 1}"] for n in range(1, 50_000)}, id="chain"),
        pytest.param(
            {f"a{n}": [] for n in range(400)}
            | {f"b{n}": [f"a{m}" for m in range(400)] for n in range(400)},
            id="all with all",
        ),
    ],
)
def test_large_graphs_take_time_in_proportion(graph: dict[str, list[str]]) -> None:
    """Anything quadratic in these takes minutes, and anything recursive fails."""
    assert worked_off(graph) == len(graph)


# -- the copy of a run's graph -----------------------------------------------------------------------


def a_dag() -> DAG:
    dag = DAG()
    dag.update_vertex("a", data=1, enable_checks=False)
    dag.update_vertex("b", data=2, predecessors=["a"], enable_checks=False)
    dag.update_vertex("c", data=3, predecessors=["a", "b"], enable_checks=False)
    return dag


def test_a_graph_is_a_copy_in_the_same_order() -> None:
    dag = a_dag()
    graph = Graph.of(dag)
    dag.update_vertex("d", data=4, enable_checks=False)

    assert list(graph.vertex_data.items()) == [("a", 1), ("b", 2), ("c", 3)]
    assert dict(graph.vertex_predecessors_items()) == {
        "a": frozenset(),
        "b": frozenset("a"),
        "c": frozenset("ab"),
    }


def test_what_is_removed_takes_its_edges_along() -> None:
    graph = Graph.of(a_dag())
    graph.remove({"b", "unknown"})
    graph.remove(())

    assert (list(graph.vertex_data), graph.predecessors) == (
        ["a", "c"],
        {"a": frozenset(), "c": frozenset("a")},
    )


def test_edges_to_nowhere_are_found() -> None:
    graph = Graph.of(a_dag())
    graph.predecessors["b"] = frozenset({"a", "y", "x"})

    assert graph.unknown_predecessors() == {"b": ["x", "y"]}


# -- units that come and go while others run --------------------------------------------------


def test_a_unit_can_be_added_behind_those_that_run_and_those_that_are_done() -> None:
    queue = ReadyQueue(drawn("a b"))
    assert queue.take() == "a"
    queue.done("a")
    queue.add("c", ["a"])
    queue.add("d", ["a", "b"])

    assert rounds(queue) == ["b c", "d"]


def test_an_added_unit_keeps_to_its_priority() -> None:
    queue = ReadyQueue(drawn("a b"))
    queue.add("late")
    queue.add("urgent", priority=1)
    queue.add("whenever", priority=-1)

    assert rounds(queue) == ["urgent a b late whenever"]


def test_a_unit_cannot_be_added_twice_nor_behind_nobody() -> None:
    queue = ReadyQueue(drawn("a"))
    with pytest.raises(ValueError, match="'a' already"):
        queue.add("a")
    with pytest.raises(KeyError, match="nobody"):
        queue.add("b", ["nobody"])

    assert rounds(queue) == ["a"]


@pytest.mark.parametrize(
    ("unit", "left"), [("ready", ["waits", "after"]), ("waits", ["ready after"])]
)
def test_a_discarded_unit_never_runs_and_holds_nobody_up(unit: str, left: list[str]) -> None:
    queue = ReadyQueue(drawn("ready -> waits -> after"))
    assert queue.discard(unit)
    assert not queue.discard(unit)

    assert rounds(queue) == left


def test_what_was_taken_cannot_be_discarded() -> None:
    queue = ReadyQueue(drawn("a -> b"))
    queue.take()

    assert [queue.discard("a"), queue.discard("nobody"), queue.left] == [False, False, 2]


def test_a_chain_goes_on_behind_a_discarded_unit() -> None:
    groups = dict.fromkeys("abc", 1)
    queue = ReadyQueue(drawn("a -> b -> c"), groups=groups)
    queue.take()
    queue.discard("b")

    assert not queue.continues("a")
    assert queue.done("a") is None
    assert queue.take() == "c"


def test_a_forgotten_name_can_be_used_again() -> None:
    queue = ReadyQueue(drawn("a"))
    queue.done(queue.take())
    queue.forget("a")
    queue.add("a")

    assert rounds(queue) == ["a"]


def test_dropping_what_waits_leaves_what_is_ready() -> None:
    queue = ReadyQueue(drawn("a -> c\n b -> d -> e"))
    queue.take()

    assert queue.drop_waiting() == ["c", "d", "e"]
    assert queue.done("a") is None
    assert rounds(queue) == ["b"]


def test_units_that_run_again_are_chained_as_they_were_and_come_last() -> None:
    #  a -> b -> c   d
    graph = drawn("a -> b -> c\n d\n e")
    queue = ReadyQueue(graph, groups=dict.fromkeys("abc", 1))
    assert queue.take() == "a"
    assert [queue.done("a"), queue.done("b"), queue.done("c")] == ["b", "c", None]
    queue.again({"a": [], "b": ["a"], "c": ["b"]})
    assert queue.left == 5
    assert [queue.take(), queue.take(), queue.take()] == ["d", "e", "a"]
    assert [queue.continues(unit) for unit in "abc"] == [True, True, False]
    assert [queue.done(unit) for unit in "adbec"] == ["b", None, "c", None, None]
    assert (queue.left, len(queue)) == (0, 0)


def test_units_that_run_again_keep_their_priority() -> None:
    queue = ReadyQueue(drawn("a\n b\n c"), priorities={"b": 1.0})
    assert queue.take() == "b"
    queue.done("b")
    queue.again({"b": []})
    assert [queue.take() for _ in range(3)] == ["b", "a", "c"]


@pytest.mark.slow
def test_fifty_thousand_may_come_before_one_and_after_it() -> None:
    many = [f"before {n}" for n in range(50_000)]
    later = [f"after {n}" for n in range(50_000)]
    queue = ReadyQueue({**dict.fromkeys(many, ()), "one": many, **dict.fromkeys(later, ("one",))})
    order = []
    while queue:
        order.append(queue.take())
        queue.done(order[-1])
    assert order == [*many, "one", *later]
    assert queue.left == 0
