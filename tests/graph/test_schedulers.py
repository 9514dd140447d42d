"""The schedulers for graphs, all by the same protocol, with real processes and threads."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.graph import SCHEDULERS, AsyncMP, GraphError
from testloom.model.fragment import FragmentData
from testloom.scheduling import Needs

NAMES = ["multiprocessing", "threads", "single-threaded"]


def add(*numbers: int) -> int:
    return sum(numbers)


def fail(*_: Any) -> None:
    raise ValueError("RaiseErr")


@pytest.fixture(params=NAMES)
def cls(request: pytest.FixtureRequest) -> type[AsyncMP]:
    return SCHEDULERS[request.param]


DIAMOND = {
    "top": (add, 1, 2),
    "left": (add, "top", 10),
    "right": (add, "top", 100),
    "bottom": (lambda left, right: {"left": left, "right": right}, "left", "right"),
}
ANSWER = {"left": 13, "right": 103}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_diamond_comes_to_the_same_by_every_name(name: str) -> None:
    with SCHEDULERS[name](2, profiler_filepath=None) as scheduler:
        assert scheduler.run(DIAMOND) == {"bottom": ANSWER}


def test_a_diamond_of_fragments_comes_to_the_same(
    run_fragments: Callable[[Any, int], dict[str, bytes]],
) -> None:
    """As drivers of tests would have it: one function a fragment, values by name."""
    dag: Any = DAG()

    class Driver:
        on_push = None

        def top(self, _previous: Any, _slot: int) -> int:
            return add(1, 2)

        def left(self, previous: Any, _slot: int) -> int:
            return add(previous["top"], 10)

        def right(self, previous: Any, _slot: int) -> int:
            return add(previous["top"], 100)

        def bottom(self, previous: Any, _slot: int) -> None:
            os.write(1, json.dumps(previous, sort_keys=True).encode())

    driver = Driver()
    for name, before in {"top": [], "left": ["top"], "right": ["top"]}.items():
        data = FragmentData(name, driver, name, None)
        dag.update_vertex(name, data=data, predecessors=before, enable_checks=False)
    data = FragmentData("bottom", driver, "bottom", None)
    dag.update_vertex("bottom", data=data, predecessors=["left", "right"], enable_checks=False)

    assert json.loads(run_fragments(dag, 2)["bottom"]) == ANSWER


def test_all_values_are_returned_if_asked_for(cls: type[AsyncMP]) -> None:
    with cls(2) as scheduler:
        got = scheduler.run({"x": 5, "a": (add, "x", 1), "b": (add, "a", 1)}, keep="all")

    assert list(got.items()) == [("x", 5), ("a", 6), ("b", 7)]


def test_nothing_comes_of_nothing(cls: type[AsyncMP]) -> None:
    assert cls(2).run({}) == {}
    assert cls(2).run({"a": 1}) == {"a": 1}


def test_closures_and_arguments_need_not_be_picklable(cls: type[AsyncMP]) -> None:
    lock = threading.Lock()
    number = 41

    assert cls(2).run({"a": (lambda held: (held.locked(), number + 1), lock)}) == {"a": (False, 42)}


def test_a_failure_names_the_node_and_its_command_and_has_a_cause(cls: type[AsyncMP]) -> None:
    with pytest.raises(RuntimeError) as caught, cls(2) as scheduler:
        scheduler.run({"a": (add, 1), "b": (fail, "a", "RaiseErr")})

    lines = str(caught.value).splitlines()
    assert lines[0] == "Command failure, key: 'b'"
    assert lines[1].startswith("command:(<function fail at 0x")
    assert lines[1].endswith(", 'a', 'RaiseErr')")
    assert repr(caught.value.__cause__) == "ValueError('RaiseErr')"


def test_an_initializer_comes_first(cls: type[AsyncMP]) -> None:
    local = threading.local()

    def prepare(value: int) -> None:
        local.value = value

    with cls(2, prepare, (7,)) as scheduler:
        assert scheduler.run({"a": (lambda: local.value,)}) == {"a": 7}


def test_processes_are_replaced_after_so_many_nodes() -> None:
    with AsyncMP(1, maxtasksperchild=1) as scheduler:
        pids = scheduler.run(dict.fromkeys(range(3), (os.getpid,)))

    assert len(set(pids.values())) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AsyncMP(0), "the number of processes must be at least 1, not 0"),
        (lambda: AsyncMP(1).run({}, keep="some"), "keep must be 'sinks' or 'all', not 'some'"),
        (
            lambda: AsyncMP(1).run({"a": 1}, timeout_s={"b": 1}),
            "timeout_s: 'b' is not in the graph",
        ),
        (
            lambda: AsyncMP(1).run({"a": (add,)}, needs={"a": Needs(resources={"db": 1})}),
            "needs 'db', which has no limit",
        ),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_processes_that_cannot_be_initialized_are_an_error() -> None:
    with pytest.raises(RuntimeError, match="3 workers in a row could not be started"):
        AsyncMP(1, os._exit, (3,)).run({"a": (add, 1)})


def test_verbose_tells_what_runs_and_what_is_dropped(
    capsys: pytest.CaptureFixture[str], cls: type[AsyncMP]
) -> None:
    cls(1).run({"a": (add, 1), "b": (add, "a", 1)}, verbose=True)

    assert capsys.readouterr().out.splitlines() == [
        "Executing: a",
        "Executing: b",
        "Removing a from data_map",
    ]


def test_a_profile_says_when_which_node_ran(cls: type[AsyncMP], tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with pytest.raises(GraphError), cls(1, profiler_filepath=path) as scheduler:
        scheduler.run({"a": (add, 1), "b": (fail, "a")})
    events = json.loads(path.read_text())["traceEvents"]

    assert [(e["name"], e["cat"], e["ph"], e["tid"]) for e in events] == [
        ("a", "done", "X", 0),
        ("b", "failed", "X", 0),
    ]
    assert events[0]["ts"] == 0
    assert events[1]["ts"] >= events[0]["dur"] >= 0


def test_values_that_are_compared_by_identity_stay_what_they_are(cls: type[AsyncMP]) -> None:
    graph = {"a": (lambda: EVENT,), "b": (lambda event: (event is EVENT, event), "a")}

    is_same, event = cls(2).run(graph)["b"]
    assert (is_same, event is EVENT) == (True, True)


class Event:
    def __reduce__(self) -> str:
        return "EVENT"


EVENT = Event()
