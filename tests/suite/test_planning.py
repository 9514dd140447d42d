"""From tests to a graph: what one test gets wrong does not disturb the others."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testloom.drivers import TestDriver as Driver
from testloom.model import reason
from testloom.model.test import BrokenTest, ParsedTest
from testloom.suite.planning import Plan, plan


class Steps(Driver):
    """Adds the fragments its test asks for: ``steps: {name: [after, ...]}``."""

    def __init__(self, env: Any, test_env: dict[str, Any]) -> None:
        super().__init__(env, test_env)
        if test_env.get("raise") == "constructor":
            raise ValueError("no such mode")
        if test_env.get("raise") == "exit":
            raise SystemExit(0)

    def add_test(self, dag: Any) -> None:
        for name, after in self.test_env.get("steps", {"run": []}).items():
            self.add_fragment(dag, name, fun=self.run, after=after)
        if self.test_env.get("raise") == "add_test":
            raise ValueError("cannot be added")
        if self.test_env.get("raise") == "exit in add_test":
            raise SystemExit(0)
        if self.test_env.get("raise") == "twice":
            self.add_fragment(dag, "run", fun=self.run)

    def run(self, previous_values: dict[str, Any], slot: int) -> None:
        pass


@pytest.fixture
def env(tmp_path: Path) -> Any:
    return types.SimpleNamespace(working_dir=str(tmp_path / "work"), options=None)


@pytest.fixture
def planned(env: Any, tmp_path: Path) -> Callable[..., Plan]:
    def planned(*tests: tuple[str, dict[str, Any]], **more: Any) -> Plan:
        parsed = [
            ParsedTest(name, Steps, dict(test_env), str(tmp_path / name), None)
            for name, test_env in tests
        ]
        return plan(parsed, (), env=env, root=str(tmp_path), **more)

    return planned


def test_fragments_keep_the_order_of_tests_and_steps(planned: Any) -> None:
    result = planned(("b", {"steps": {"set_up": [], "run": ["set_up"]}}), ("a", {}))

    assert list(result.graph.vertex_data) == ["b.set_up", "b.run", "a.run"]
    assert result.graph.predecessors["b.run"] == {"b.set_up"}
    assert [(t.name, t.left) for t in result.tests.values()] == [("b", 2), ("a", 1)]


@pytest.mark.parametrize(
    ("where", "why", "message"),
    [
        ("constructor", reason.CONSTRUCTOR, "no such mode"),
        ("add_test", reason.ADD_TEST, "cannot be added"),
        ("exit", reason.CONSTRUCTOR, "0"),
        ("exit in add_test", reason.ADD_TEST, "0"),
        (
            "twice",
            reason.ADD_TEST,
            "fragment 'bad.run' was added twice; give each its own name",
        ),
    ],
)
def test_a_driver_that_raises_breaks_only_its_own_test(
    planned: Any, where: str, why: str, message: str
) -> None:
    result = planned(("bad", {"raise": where}), ("good", {}))

    assert list(result.graph.vertex_data) == ["good.run"]
    assert [(b.test_name, b.reason, b.message) for b in result.broken] == [("bad", why, message)]
    assert "Traceback" in result.broken[0].log


def test_a_driver_without_fragments_breaks_its_test(planned: Any) -> None:
    result = planned(("idle", {"steps": {}}))

    assert [b.message for b in result.broken] == [
        "its driver added no fragment; call add_fragment in add_test"
    ]


def test_tests_on_a_circle_are_broken_and_the_others_run(planned: Any) -> None:
    # a <-> b   c -> d
    def adjust(dag: Any) -> None:
        dag.update_vertex("a.run", predecessors=["b.run"], enable_checks=False)
        dag.update_vertex("b.run", predecessors=["a.run"], enable_checks=False)
        dag.update_vertex("d.run", predecessors=["c.run"], enable_checks=False)

    result = planned(("a", {}), ("b", {}), ("c", {}), ("d", {}), adjust=adjust)

    assert list(result.graph.vertex_data) == ["c.run", "d.run"]
    assert {(b.test_name, b.reason) for b in result.broken} == {
        ("a", reason.CYCLE),
        ("b", reason.CYCLE),
    }
    assert "a.run -> b.run -> a.run" in result.broken[0].message


def test_following_what_is_not_there_is_said_with_a_suggestion(planned: Any) -> None:
    result = planned(("t", {"steps": {"build": [], "run": ["biuld"]}}))

    assert [b.message for b in result.broken] == [
        "fragment 't.run' follows 't.biuld', which does not exist; did you mean 't.build'?"
    ]
    assert list(result.graph.vertex_data) == []


def test_two_tests_with_one_fragment_are_both_broken(planned: Any) -> None:
    # Test "a" adds fragment "b.run", test "a.b" adds fragment "run": both are called "a.b.run".
    result = planned(("a", {"steps": {"b.run": []}}), ("a.b", {}), ("c", {}))

    assert list(result.graph.vertex_data) == ["c.run"]
    assert sorted(b.test_name for b in result.broken) == ["a", "a.b"]


def test_what_discovery_found_broken_stays_broken(env: Any, tmp_path: Path) -> None:
    broken = BrokenTest("x", str(tmp_path / "x"), "bad", reason.CONFIG)

    result = plan([], [broken], env=env, root=str(tmp_path))

    assert result.broken == [broken]
    assert result.places["x"].source == "x"


def test_a_test_without_a_driver_gets_the_default_one_or_is_broken(
    env: Any, tmp_path: Path
) -> None:
    def planned(default: type[Any] | None) -> Plan:
        test = ParsedTest("t", None, {}, str(tmp_path / "t"))
        return plan([test], (), env=env, root=str(tmp_path), default_driver=default)

    assert list(planned(Steps).graph.vertex_data) == ["t.run"]
    assert [(b.reason, b.message) for b in planned(None).broken] == [
        (
            reason.CONFIG,
            "missing test driver: the test names none, and the suite has no default",
        )
    ]


def test_names_never_become_paths(planned: Any, env: Any) -> None:
    result = planned(("../../etc/passwd", {}))
    (data,) = result.graph.vertex_data.values()

    assert data.driver.working_dir().startswith(env.working_dir + "/etc-passwd-")
