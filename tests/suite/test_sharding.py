"""Dividing tests among machines: disjoint, complete, balanced, and always the same."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.model.errors import UsageError
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry
from testloom.model.test import BrokenTest
from testloom.scheduling.graph import Graph
from testloom.suite.planning import Plan, PlannedTest
from testloom.suite.run_options import RunOptions
from testloom.suite.sharding import Shard, divide, times_of
from testloom.suite.shares import keep_share

NAMES = st.lists(st.text(max_size=3), unique=True, max_size=30)


def test_a_shard_is_said_in_one_word() -> None:
    assert Shard.parse("2/4") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", "'2' is no shard; write 2/4 for the second of four"),
        ("2/4/8", "'2/4/8' is no shard; write 2/4 for the second of four"),
        ("-1/4", "'-1/4' is no shard; write 2/4 for the second of four"),
        ("0/4", "there is no shard 0/4; write 1/4 for the first"),
        ("5/4", "there is no shard 5/4; write 1/4 for the first"),
        ("1/99999", "99999 shards are too many; write at most 10000"),
    ],
)
def test_what_is_no_shard_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Shard.parse(text)
    assert str(caught.value) == message


@given(names=NAMES, count=st.integers(1, 9), data=st.data())
def test_shares_are_disjoint_and_complete_and_keep_together_what_follows_each_other(
    names: list[str], count: int, data: st.DataObject
) -> None:
    times = data.draw(
        st.dictionaries(st.sampled_from(names), st.floats(0, 1e6)) if names else st.just({})
    )
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names)) if names else st.nothing()
    edges = data.draw(st.lists(pairs, max_size=20) if names else st.just([]))
    follows: dict[str, list[str]] = {}
    for name, other in edges:
        follows.setdefault(name, []).append(other)
    division = divide(names, follows, times, count)

    shares = [division.share(number) for number in range(1, count + 1)]
    assert sorted(itertools.chain.from_iterable(shares)) == sorted(names)
    assert all(division.shares[name] == division.shares[other] for name, other in edges)
    shuffled = random.Random(1).sample(names, len(names))
    assert divide(shuffled, follows, times, count) == division


def test_no_share_is_longer_than_another_by_more_than_the_longest_group() -> None:
    rng = random.Random(7)
    times = {f"t{n:03}": rng.expovariate(1.0) for n in range(500)}
    division = divide(times, {}, times, 7)
    loads = [sum(times[name] for name in division.share(number)) for number in range(1, 8)]
    assert max(loads) - min(loads) <= max(times.values())
    assert max(loads) <= 1.02 * sum(loads) / len(loads)


def test_without_times_shares_have_equally_many_tests() -> None:
    division = divide([f"t{n}" for n in range(10)], {}, {}, 4)
    assert sorted(len(division.share(number)) for number in range(1, 5)) == [2, 2, 3, 3]


def test_a_test_whose_time_is_not_known_takes_as_long_as_most() -> None:
    division = divide(["a", "b", "new"], {}, {"a": 10.0, "b": 10.0}, 3)
    assert sorted(division.shares.values()) == [1, 2, 3]


def test_there_may_be_more_shares_than_tests() -> None:
    division = divide(["a"], {}, {}, 3)
    assert [division.share(number) for number in (1, 2, 3)] == [{"a"}, set(), set()]


def test_a_long_chain_is_one_group() -> None:
    names = [f"t{n:05}" for n in range(20_000)]
    follows = {after: [before] for before, after in itertools.pairwise(names)}
    assert set(divide(names, follows, {}, 4).shares.values()) == {1}


def test_different_divisions_have_different_digests() -> None:
    digests = {
        divide(names, {}, times, count).digest
        for names, times, count in (
            ("abcd", {}, 2),
            ("abce", {}, 2),
            ("abcd", {}, 3),
            ("abcd", {"a": 9.0, "b": 1.0}, 2),
        )
    }
    assert len(digests) == 4


def test_times_are_those_of_tests_that_ran() -> None:
    def entry(name: str, test: str, time_s: float | None, slot: int = 0) -> ResultEntry:
        return ResultEntry(name=name, test=test, status=TestStatus.PASS, time_s=time_s, slot=slot)

    entries = [
        *(entry("a.1", "a", 1.0), entry("a", "a", 3.0)),
        *(entry("b", "b", None), entry("c", "c", 0.0, slot=-1)),
    ]
    assert times_of(entries) == {"a": 3.0}


def plan() -> Plan:
    """Return a plan of `a`, `b`, `c`, where `c` follows `a`, and of `d`, which is broken."""
    tests = {name: PlannedTest(name, "D", "", 1, (), left=1) for name in "abc"}
    graph = Graph()
    graph.vertex_data = {f"{name}.run": None for name in tests}
    graph.predecessors = {f"{name}.run": frozenset() for name in tests}
    graph.predecessors["c.run"] = frozenset({"a.run"})
    broken = [BrokenTest("d", "", "why", "config")]
    return Plan(graph, tests, {f"{name}.run": tests[name] for name in tests}, broken, {})


def test_a_plan_keeps_its_share_of_tests_and_of_broken_ones() -> None:
    shares = []
    digests = set()
    for number in (1, 2):
        one = plan()
        digests.add(keep_share(one, RunOptions(shard=f"{number}/2")))
        assert {f"{name}.run" for name in one.tests} == set(one.owners) == set(one.fragments)
        shares.append(sorted([*one.tests, *(broken.test_name for broken in one.broken)]))
    assert sorted(shares) == [["a", "c"], ["b", "d"]]
    assert len(digests) == 1


def test_without_the_option_everything_stays() -> None:
    whole = plan()
    assert keep_share(whole, RunOptions()) == ""
    assert list(whole.tests) == ["a", "b", "c"]


def test_the_run_whose_times_count_must_be_there(tmp_path: object) -> None:
    options = RunOptions(shard="1/2", shard_times="latest", output_dir=f"{tmp_path}")
    with pytest.raises(UsageError, match=r"holds no run; run the tests first"):
        keep_share(plan(), options)
