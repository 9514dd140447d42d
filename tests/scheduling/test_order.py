"""The order that history suggests."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hypothesis import given
from hypothesis import strategies as st

from testloom.scheduling.order import ordered, shuffled
from testloom.scheduling.ready import ReadyQueue

# build ─▶ x.run ─▶ x.check     y     z
GRAPH = {
    "y.run": [],
    "z.run": [],
    "x.run": ["build.run"],
    "x.check": ["x.run"],
    "build.run": [],
}


def come_out(
    graph: Mapping[str, Collection[str]],
    usual_s: Mapping[str, float],
    urgent: Collection[str] = (),
    jobs: int = 1,
) -> list[str]:
    """Return the units of *graph* in the order in which one slot takes them."""
    owners = {uid: uid.partition(".")[0] for uid in graph}
    order = ordered(graph, owners, usual_s=usual_s, urgent=urgent, jobs=jobs)
    queue = ReadyQueue(graph, priorities=order.priorities)
    taken = []
    while queue:
        taken.append(queue.take())
        queue.done(taken[-1])
    return taken


def test_the_longest_way_to_go_comes_first() -> None:
    usual = {"y": 2.0, "z": 3.0, "x": 4.0, "build": 1.0}

    assert come_out(GRAPH, usual) == ["build.run", "x.run", "z.run", "y.run", "x.check"]


def test_what_is_urgent_comes_first_with_all_that_it_waits_for() -> None:
    usual = {"y": 9.0, "z": 3.0, "x": 4.0, "build": 1.0}

    assert come_out(GRAPH, usual, urgent=["x"]) == [
        "build.run",
        "x.run",
        "x.check",
        "y.run",
        "z.run",
    ]


def test_of_what_is_urgent_the_longest_comes_first() -> None:
    usual = {"y": 1.0, "z": 3.0, "x": 40.0, "build": 1.0}

    assert come_out(GRAPH, usual, urgent=["y", "z"])[:2] == ["z.run", "y.run"]


def test_what_is_short_keeps_its_place() -> None:
    graph: dict[str, list[str]] = {f"t{n}.run": [] for n in range(9)}
    usual = {f"t{n}": 0.001 * n for n in range(9)} | {"t5": 7.0}

    assert come_out(graph, usual, jobs=4) == [
        "t5.run",
        *(f"t{n}.run" for n in range(9) if n != 5),
    ]


def test_without_history_nothing_is_moved() -> None:
    graph: dict[str, list[str]] = {"b.run": [], "a.run": []}
    order = ordered(graph, {"b.run": "b", "a.run": "a"}, usual_s={})

    assert (order.priorities, order.paths_s) == ({}, {"b.run": 0.0, "a.run": 0.0})


def test_a_test_that_is_not_known_is_taken_for_an_ordinary_one() -> None:
    graph: dict[str, list[str]] = {"fast.run": [], "new.run": [], "slow.run": []}

    assert come_out(graph, {"fast": 1.0, "slow": 5.0}) == ["slow.run", "new.run", "fast.run"]


def test_the_time_of_a_test_is_shared_out_among_its_fragments() -> None:
    order = ordered(
        {"x.a": [], "x.b": ["x.a"], "x.c": ["x.b", "x.b"]},
        {"x.a": "x", "x.b": "x", "x.c": "x"},
        usual_s={"x": 6.0},
    )

    assert order.paths_s == {"x.a": 6.0, "x.b": 4.0, "x.c": 2.0}


def test_a_circle_does_no_harm() -> None:
    order = ordered({"a": ["b"], "b": ["a"], "c": []}, {"a": 1, "b": 2, "c": 3}, usual_s={3: 1.0})

    assert order.paths_s == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_a_chain_of_many_fragments_needs_no_recursion() -> None:
    graph = {f"{n}": [f"{n - 1}"] if n else [] for n in range(50_000)}

    order = ordered(graph, dict.fromkeys(graph, "x"), usual_s={"x": 50_000.0})

    assert order.paths_s["0"] == 50_000.0


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    graph: dict[str, list[str]] = {}
    for n in range(draw(st.integers(0, 12))):
        graph[f"{n}"] = draw(st.lists(st.sampled_from(sorted(graph) or [""]), max_size=3))
        graph[f"{n}"] = [uid for uid in graph[f"{n}"] if uid]
    return graph


@given(graphs(), st.data())
def test_no_unit_is_worth_less_than_what_waits_for_it(
    graph: dict[str, list[str]], data: st.DataObject
) -> None:
    times = st.floats(0.0, 100.0)
    usual = {uid: data.draw(times) for uid in graph}
    urgent = data.draw(st.sets(st.sampled_from(sorted(graph) or ["none"])))

    order = ordered(graph, {uid: uid for uid in graph}, usual_s=usual, urgent=urgent)

    for uid, needed in graph.items():
        for before in needed:
            assert order.paths_s[before] >= order.paths_s[uid] + usual[before]
            assert order.priorities.get(before, 0.0) >= order.priorities.get(uid, 0.0)


def test_what_is_short_is_moved_only_where_the_order_is_strict() -> None:
    graph: dict[str, list[str]] = {"x.run": [], "y.run": [], "z.run": []}
    owners = {uid: uid[0] for uid in graph}
    usual = {"x": 0.01, "y": 0.03, "z": 0.02}

    loose = ordered(graph, owners, usual_s=usual).priorities
    strict = ordered(graph, owners, usual_s=usual, is_strict=True).priorities

    assert loose == {}
    assert sorted(graph, key=lambda uid: -strict[uid]) == ["y.run", "z.run", "x.run"]


def by_chance(names: Collection[str], seed: int, urgent: Collection[str] = ()) -> list[str]:
    graph: dict[str, list[str]] = {f"{name}.run": [] for name in names}
    owners = {uid: uid.removesuffix(".run") for uid in graph}
    priorities = shuffled(graph, owners, seed=seed, urgent=urgent)
    return [owners[uid] for uid in sorted(graph, key=lambda uid: -priorities[uid])]


@given(st.sets(st.text(), min_size=2), st.integers(0), st.data())
def test_a_random_order_is_that_of_its_seed_whatever_is_left_out(
    names: set[str], seed: int, data: st.DataObject
) -> None:
    whole = by_chance(names, seed)
    some = data.draw(st.sets(st.sampled_from(sorted(names))))

    assert by_chance(some, seed) == [name for name in whole if name in some]


def test_each_seed_has_an_order_of_its_own() -> None:
    names = [f"t{number}" for number in range(20)]

    orders = {tuple(by_chance(names, seed)) for seed in range(50)}

    assert len(orders) == 50
    # Each test comes first now and then.
    assert len({order[0] for order in orders}) > 10


def test_what_is_urgent_comes_before_what_is_random() -> None:
    assert set(by_chance("abcdef", 1, urgent="be")[:2]) == {"b", "e"}


def test_the_units_of_one_test_stay_together_in_a_random_order() -> None:
    owners = {uid: uid.partition(".")[0] for uid in GRAPH}
    priorities = shuffled(GRAPH, owners, seed=3)
    assert priorities["x.run"] == priorities["x.check"]
    assert len(set(priorities.values())) == 4
