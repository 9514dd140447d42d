"""The base driver: fragments in the graph, results in the queue, paths, and how little it holds."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from e3.collection.dag import DAG

from testloom.drivers import (
    BasicTestDriver,
    CleanupMode,
    ResultQueueItem,
    TestDriver,
    TestResult,
    TestStatus,
)

if TYPE_CHECKING:
    from tests.drivers.conftest import Lab, Verdicts


class Two(TestDriver):
    def add_test(self, dag: DAG) -> None:
        self.add_fragment(dag, "first")
        self.add_fragment(dag, "second", fun=self.other, after=["first"])

    def first(self, prev: dict[str, Any], slot: int) -> Any:
        return 42

    def other(self, prev: dict[str, Any], slot: int) -> None:
        self.result.set_status(TestStatus.PASS, f"got {prev['first']} in slot {slot}")
        self.push_result()


def test_fragments_are_named_after_test_and_step(lab: Lab) -> None:
    dag = DAG()
    driver = Two(lab.env, lab.test_env("a/b"))
    driver.add_test(dag)

    found = {
        uid: (data.name, data.callback_by_name, sorted(dag.get_predecessors(uid)))
        for uid, data in dag.vertex_data.items()
    }
    assert found == {
        "a/b.first": ("first", True, []),
        "a/b.second": ("second", False, ["a/b.first"]),
    }
    assert driver.pending_fragments == {"a/b.first", "a/b.second"}
    assert all(data.matches(Two) for data in dag.vertex_data.values())


def test_values_reach_the_next_fragment_and_results_the_queue(
    lab: Lab, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = Two(lab.env, lab.test_env())
    assert lab.run(driver, slot=3) == {"t.first": 42, "t.second": None}
    assert verdicts(driver) == [("t", "PASS", "got 42 in slot 3")]


def test_a_result_begins_as_an_error_named_after_the_test(lab: Lab) -> None:
    test_env = lab.test_env("x")
    result = Two(lab.env, test_env).result
    assert (result.test_name, result.status, result.env) == ("x", TestStatus.ERROR, test_env)


@pytest.mark.parametrize(("matcher", "expected"), [(None, "deep/down"), ("foo.c", "foo.c")])
def test_a_result_is_matched_by_the_word_of_its_test_or_by_its_directory(
    lab: Lab, matcher: Any, expected: Any
) -> None:
    test_env = {**lab.test_env("deep/down"), "test_matcher": matcher}
    assert Two(lab.env, test_env).result.test_matcher == expected


def test_the_run_is_told_of_each_result_when_it_is_pushed(lab: Lab) -> None:
    driver = Two(lab.env, lab.test_env())
    told: list[ResultQueueItem] = []
    driver.on_push = told.append
    for name in ("t.a", "t.b"):
        driver.push_result(TestResult(name, status=TestStatus.PASS))

    assert [item.result.test_name for item in told] == ["t.a", "t.b"]
    assert told == driver.result_queue


def test_a_pushed_result_knows_where_it_was_pushed(lab: Lab) -> None:
    driver = Two(lab.env, lab.test_env())
    driver.push_result()
    shown = driver.result_queue[0].traceback[-1]
    assert __file__ in shown
    assert "driver.push_result()" in shown


def test_paths_are_built_below_the_directories_of_the_test(lab: Lab) -> None:
    driver = Two(lab.env, lab.test_env("a/b"))
    assert driver.test_dir("x", "y") == str(lab.root / "tests/a/b/x/y")
    assert driver.working_dir("x").startswith(str(lab.root / "work"))
    without = {k: v for k, v in driver.test_env.items() if k != "working_dir"}
    assert Two(lab.env, without).working_dir("x") == driver.working_dir("x")


def test_colours_are_empty_unless_the_run_sets_them(lab: Lab) -> None:
    driver = Two(lab.env, lab.test_env())
    assert driver.Fore.RED + driver.Style.RESET_ALL == ""


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(CleanupMode.NONE, False), (CleanupMode.PASSING, True), (CleanupMode.ALL, True)],
)
def test_cleaning_up_is_wanted_unless_the_mode_is_none(lab: Lab, mode: Any, expected: Any) -> None:
    lab.env.cleanup_mode = mode
    assert Two(lab.env, lab.test_env()).working_dir_cleanup_enabled is expected


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [("5", 5.0), ("2.5", 2.5), ("5s", None), ("-1", None), (".nan", None), (".inf", None),
     ("true", None), ("0", None), ("1" + "0" * 400, None)],
)  # fmt: skip
def test_a_number_of_seconds_in_test_yaml_limits_a_fragment(
    lab: Lab, timeout: Any, expected: Any
) -> None:
    driver = Two(lab.env, lab.test_env(yaml_text=f"timeout: {timeout}\n"))
    assert driver.fragment_timeout_s == expected


def test_what_a_result_queue_and_pending_fragments_hold_can_be_replaced(lab: Lab) -> None:
    driver = Two(lab.env, lab.test_env())
    replacement = TestResult("other")
    driver.result = replacement
    driver.result_queue = []
    driver.push_result()
    assert driver.result_queue[0].result is replacement
    assert driver.pending_fragments == set()
    driver.add_fragment(DAG(), "first")
    assert driver.pending_fragments == {"t.first"}


class Steps(BasicTestDriver):
    def tear_up(self, prev: dict[str, Any], slot: int) -> Any:
        return "up"

    def run(self, prev: dict[str, Any], slot: int) -> Any:
        return [prev, "run"]

    def analyze(self, prev: dict[str, Any], slot: int) -> Any:
        return [prev, "analyze"]


def test_the_basic_driver_chains_its_four_steps(lab: Lab) -> None:
    assert lab.run(Steps(lab.env, lab.test_env())) == {
        "t.set_up": "up",
        "t.run": [{"set_up": "up"}, "run"],
        "t.analyze": [{"run": [{"set_up": "up"}, "run"]}, "analyze"],
        "t.tear_down": None,
    }


def test_a_waiting_driver_with_its_result_is_small(lab: Lab) -> None:
    test_env = lab.test_env()
    count = 2000

    def made() -> list[Any]:
        drivers = [Two(lab.env, test_env) for _ in range(count)]
        for driver in drivers:
            _ = driver.result
        return drivers

    made()
    tracemalloc.start()
    try:
        kept = made()
        size, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == count
    assert size / count < 1500
    assert sys.getsizeof(kept[0]) < 200
