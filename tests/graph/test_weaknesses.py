"""What was weak in dagrunner's scheduler that this one stands in for; by the numbers of a list.

``python tools/weaknesses.py`` prints the list with the verdicts of these tests.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testloom.graph import SCHEDULERS, AsyncMP, GraphError, Literal, Ref
from testloom.scheduling import Needs
from testloom.workers import calls as calls_module

LIMIT_S = 20


def add(*numbers: Any) -> Any:
    return sum(numbers)


def same(*things: Any) -> Any:
    return things


def chain(length: int) -> dict[str, Any]:
    first = {"n0": (add, 1)}
    return first | {f"n{n}": (add, f"n{n - 1}", 1) for n in range(1, length)}


# -- 1: it polled -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULERS)
def test_dagrunner_w1_polling(name: str) -> None:
    """Each level took half a second, whatever was in it; a longer interval changes nothing now."""
    with SCHEDULERS[name](2) as scheduler:
        assert scheduler.run(chain(10), poll_frequency=3600) == {"n9": 10}


# -- 2: it returned nothing ---------------------------------------------------------------------


def test_dagrunner_w2_results_are_returned() -> None:
    with AsyncMP(2) as scheduler:
        assert scheduler.run({"a": (add, 1), "b": (add, "a", 1), "c": (add, 5)}) == {"b": 2, "c": 5}


# -- 3: it took quadratic time ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multiprocessing", "single-threaded"])
def test_dagrunner_w3_a_wide_fan_in_is_linear(name: str) -> None:
    """Where each completion walks through all the others, ten thousand take half a minute."""
    count = 10_000
    graph: dict[str, Any] = {f"r{n}": (add, n) for n in range(count)}
    graph["all"] = (add, *graph)

    with SCHEDULERS[name](2) as scheduler:
        assert scheduler.run(graph) == {"all": count * (count - 1) // 2}


# -- 4: it hung for ever ------------------------------------------------------------------------


class Picky(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raises(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("what", "function", "why"),
    [
        ("exit", lambda: os._exit(3), "its worker exited with status 3"),
        ("kill", lambda: os.kill(os.getpid(), 9), "its worker was killed by SIGKILL"),
        ("unpicklable", threading.Lock, "its value cannot be sent: lock: cannot pickle"),
    ],
)
def test_dagrunner_w4_a_child_without_a_result(
    what: str, function: Callable[..., Any], why: str
) -> None:
    del what
    with pytest.raises(RuntimeError) as caught, AsyncMP(2) as scheduler:
        scheduler.run({"a": (function,), "b": (same, "a")})

    lines = str(caught.value).splitlines()
    assert lines[0] == "Command failure, key: 'a'"
    assert lines[1].startswith("command:(")
    assert lines[2].startswith(why)


@pytest.mark.parametrize("name", ["multiprocessing", "threads", "single-threaded"])
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SystemExit(3), "SystemExit(3)"),
        (KeyboardInterrupt(), "KeyboardInterrupt()"),
        (Picky(1, 2), "1 and 2"),
    ],
)
def test_dagrunner_w4_exceptions_that_are_not_caught_or_not_unpickled(
    name: str, error: BaseException, cause: str
) -> None:
    if name == "single-threaded" and isinstance(error, KeyboardInterrupt):
        pytest.skip("there it is what it is: somebody wants this process to end")
    with pytest.raises(RuntimeError, match="Command failure, key: 'a'") as caught:
        SCHEDULERS[name](2).run({"a": (raises, error)})

    assert cause in repr(caught.value.__cause__)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_dagrunner_w4_cycle(name: str) -> None:
    with pytest.raises(ValueError, match="wait for each other: 'b' -> 'c' -> 'b'"):
        SCHEDULERS[name](2).run({"a": (add, 1), "b": (add, "a", "c"), "c": (add, "b")})


# -- 5: an interrupt left it hanging ------------------------------------------------------------


W5 = """
import os, sys, time
from testloom.graph import SCHEDULERS

def long(number):
    os.write(1, b"%d\\n" % os.getpid())  # at once, so that it is a line
    time.sleep(600)

try:
    with SCHEDULERS[sys.argv[1]](2) as scheduler:
        scheduler.run({f"node {n}": (long, n) for n in range(6)})
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "running"), [("multiprocessing", 2), ("threads", 2), ("single-threaded", 1)]
)
def test_dagrunner_w5_an_interrupt_ends_everything(
    name: str, running: int, interrupt: Callable[..., str]
) -> None:
    assert interrupt(W5, name, running=running) == "interrupted\n"


# -- 6: arguments were rewritten ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["multiprocessing", "single-threaded"])
def test_dagrunner_w6_arguments_stay_what_they_are(name: str) -> None:
    arguments = ((1, 2), {3, 4}, range(2), {"k": (5,)}, b"x")
    graph = {"root": (same, *arguments), "next": (same, "root", *arguments)}

    assert SCHEDULERS[name](2).run(graph, keep="all") == {
        "root": arguments,
        "next": (arguments, *arguments),
    }


def test_dagrunner_w6_an_array_stays_an_array() -> None:
    numpy = pytest.importorskip("numpy")
    got = AsyncMP(1).run({"a": (add, 1), "b": (same, "a", numpy.arange(2))})["b"]

    assert (type(got[1]), got[1].tolist()) == (numpy.ndarray, [0, 1])


def test_dagrunner_w6_a_generator_is_not_consumed_by_us() -> None:
    graph = {"a": (add, 1), "b": (lambda _a, numbers: list(numbers), "a", itertools.count(0, 2))}
    graph["b"] = (lambda _a, numbers: list(itertools.islice(numbers, 3)), "a", graph["b"][2])

    assert AsyncMP(1).run(graph) == {"b": [0, 2, 4]}


def test_dagrunner_w6_keys_in_dictionaries_and_tuples_and_tuples_as_keys() -> None:
    graph = {
        ("t", 0): (add, 1),
        "d": (same, {"value": ("t", 0)}, [("t", 0)], (("t", 0), "x")),
    }

    assert AsyncMP(1).run(graph) == {"d": ({"value": 1}, [1], (1, "x"))}


# -- 7: what looks like a key was taken for one -------------------------------------------------


def test_dagrunner_w7_literals_and_references() -> None:
    graph = {"a": (add, 1), "b": (same, Ref("a"), Literal("a"))}

    assert AsyncMP(1).run(graph) == {"b": (1, "a")}


# -- 8: failures stuck, siblings were lost, and there was no way to limit anything --------------


def test_dagrunner_w8_a_failure_does_not_stick() -> None:
    with AsyncMP(2) as scheduler:
        with pytest.raises(GraphError):
            scheduler.run({"a": (raises, ValueError("planted"))})
        assert scheduler.run({"a": (add, 1)}) == {"a": 1}


@pytest.mark.parametrize("name", ["multiprocessing", "threads"])
def test_dagrunner_w8_all_failures_and_all_results_are_told(name: str) -> None:
    """Both fail, though the second knows of the first; what was done by then is not lost."""
    graph = {
        "good": (add, 1),
        "bad": (raises, ValueError("one")),
        "worse": (raises, ValueError("two")),
        "never": (same, "bad"),
    }
    with pytest.raises(GraphError) as caught:
        SCHEDULERS[name](1, fail_fast=False).run(graph, keep="all")

    assert {key: repr(e.__cause__) for key, e in caught.value.failures.items()} == {
        "bad": "ValueError('one')",
        "worse": "ValueError('two')",
    }
    assert caught.value.failures["bad"] is caught.value
    assert caught.value.results == {"good": 1}


def test_dagrunner_w8_the_first_failure_ends_what_runs(tmp_path: Path) -> None:
    graph = {
        "long": (threading.Event().wait, 600),
        "bad": (raises, ValueError("planted")),
        "queued": ((tmp_path / "ran").touch,),
    }
    with pytest.raises(GraphError, match="key: 'bad'") as caught, AsyncMP(2) as scheduler:
        scheduler.run(graph)

    assert list(caught.value.failures) == ["bad"]
    assert not (tmp_path / "ran").exists()


def test_dagrunner_w8_what_was_queued_runs_if_asked_for(tmp_path: Path) -> None:
    graph = {
        "bad": (raises, ValueError("planted")),
        "queued": ((tmp_path / "queued").touch,),
        "later": (lambda _queued: (tmp_path / "later").touch(), "queued"),
    }
    with pytest.raises(GraphError), AsyncMP(1, fail_fast=False) as scheduler:
        scheduler.run(graph)

    assert [path.name for path in tmp_path.iterdir()] == ["queued"]


def test_dagrunner_w8_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "GRACE_S", 0.1)
    graph = {"a": (threading.Event().wait, 600), "b": (add, 1)}
    with pytest.raises(GraphError, match=r"timed out after 0\.1 s"), AsyncMP(2) as scheduler:
        scheduler.run(graph, timeout_s={"a": 0.1})


def test_dagrunner_w8_needs_of_nodes(tmp_path: Path) -> None:
    """Each holds the same directory while it runs; two at a time would find it there."""
    held = tmp_path / "held"

    def hold() -> bool:
        held.mkdir()
        held.rmdir()
        return True

    graph = dict.fromkeys(range(40), (hold,))
    needs = {n: Needs(resources={"place": 1}) for n in graph}
    with AsyncMP(4) as scheduler:
        got = scheduler.run(graph, needs=needs, limits={"place": 1})

    assert got == dict.fromkeys(graph, True)
