"""Results made of reports and the way back, and what decides whether a test need run again."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from tests.pytest_plugin.test_wire_and_bundles import Item, report

from testloom.drivers.pytest_driver import verdict_of
from testloom.model import records
from testloom.model.status import TestStatus
from testloom.pytest_plugin import wire
from testloom.pytest_plugin.earlier import follows_of, inputs_of
from testloom.pytest_plugin.marked import marked
from testloom.pytest_plugin.results import Results, reports_in


def phases(**changes: Any) -> list[pytest.TestReport]:
    """Return the three reports of a test; *changes* are to that of its call."""
    return [
        report(when="setup", sections=[]),
        report(**changes),
        report(when="teardown", sections=[]),
    ]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sections": []}, "PASS"),
        ({}, "PASS"),
        ({"user_properties": [("key", "value")]}, "PASS"),
        ({"outcome": "skipped", "longrepr": "why", "wasxfail": "known"}, "XFAIL"),
        ({"sections": [("Captured", "half: \ud800")]}, "PASS"),
    ],
)
def test_what_may_be_taken_over_can_be_told_again(
    pytestconfig: pytest.Config, changes: dict[str, Any], status: str
) -> None:
    before = phases(**changes)
    (made,), is_final = Results(pytestconfig).of(Item.nodeid, before)
    done = reports_in(made.record)

    assert is_final
    assert done is not None
    done.keywords = list(before[0].keywords)
    item: Any = Item()
    after = wire.reports_of(done, item, pytestconfig)
    for one in after:
        vars(one).pop("$report_type", None)  # pytest's own way leaves it there
    shown = [str(vars(one)).replace("\\ud800", "\\\\ud800") for one in before]
    assert [str(vars(one)) for one in after] == shown
    assert (made.head.status, records.decode(made.record).name) == (status, Item.nodeid)


def test_what_a_slot_has_told_is_kept_as_if_it_had_run_here(pytestconfig: pytest.Config) -> None:
    gathered = wire.Gathered(pytestconfig)
    gathered.begin(7)
    reports = phases(sections=[])
    for one in reports:
        gathered.add(one)

    results = Results(pytestconfig)

    assert results.of("a", reports, gathered.item) == results.of("a", reports)


def test_what_failed_runs_again_so_its_reports_are_not_kept(pytestconfig: pytest.Config) -> None:
    made, is_final = Results(pytestconfig).of("a", phases(outcome="failed", longrepr="why"))

    assert (made[0].head.status, reports_in(made[0].record), is_final) == ("FAIL", None, True)
    assert "why" in records.decode(made[0].record).log


def test_what_a_worker_of_xdist_ran_is_no_test_that_is_over(pytestconfig: pytest.Config) -> None:
    """Its reports speak of a worker that no other session has."""
    reports: list[Any] = phases(sections=[])
    for one in reports:
        one.node = types.SimpleNamespace(_workerinfocache="[gw0]")

    made, is_final = Results(pytestconfig).of("a", reports)

    assert (made[0].head.status, is_final) == ("PASS", False)


def test_the_last_attempt_counts_and_a_skipped_part_is_not_the_whole() -> None:
    rerun = phases(outcome="rerun", longrepr="flaky")
    skipped = phases(outcome="skipped", longrepr=("test_it.py", 3, "Skipped: why"))
    part: Any = report(outcome="skipped", longrepr=("test_it.py", 3, "Skipped: a part"))
    part.context = "of a subtest"

    assert verdict_of([*rerun, *phases()]) == (TestStatus.PASS, "")
    assert verdict_of([*rerun, *phases(outcome="failed", longrepr="bad")])[0] is TestStatus.FAIL
    assert verdict_of([part, *phases()]) == (TestStatus.PASS, "")
    assert verdict_of(skipped) == (TestStatus.SKIP, "why")


def placed(path: Path, nodeid: str) -> Any:
    return types.SimpleNamespace(path=path, nodeid=nodeid)


def test_a_test_has_changed_if_its_file_or_a_conftest_above_it_has(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "test_a.py", tmp_path / "b" / "test_b.py"]
    for file in files:
        file.parent.mkdir()
        file.touch()
    items = [placed(files[0], "a"), placed(files[1], "b"), placed(files[1], "same")]

    first = inputs_of(items, str(tmp_path))
    (tmp_path / "a" / "conftest.py").touch()
    second = inputs_of(items, str(tmp_path))
    (tmp_path / "conftest.py").touch()
    third = inputs_of(items, str(tmp_path))

    assert first["b"] == second["b"] == second["same"] != third["b"]
    assert len({first["a"], second["a"], third["a"]}) == 3
    assert all(first.values())


def test_of_two_tests_with_one_name_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").touch()
    item = placed(tmp_path / "test_a.py", "a")

    assert inputs_of([item, item], str(tmp_path)) == {"a": ""}
    assert inputs_of([placed(tmp_path / "gone.py", "b")], str(tmp_path)) == {"b": ""}


def test_tests_of_a_class_with_fixtures_of_its_own_follow_each_other(request: Any) -> None:
    """As the plan of slots has it: they stay in one process, in their order."""
    cls = pytest.Class.from_parent(request.node.parent, name="TestIt")
    items: list[Any] = [Item("class", (cls,)) for _ in range(3)]
    for item, name in zip(items, "abc", strict=True):
        item.nodeid, item.config = name, request.config

    assert follows_of(items) == {"b": ["a"], "c": ["b"]}


def test_markers_are_found_wherever_they_are() -> None:
    def node(parent: Any, *names: str) -> Any:
        markers = [types.SimpleNamespace(name=name) for name in names]
        return types.SimpleNamespace(
            parent=parent, own_markers=markers, iter_markers=lambda: markers
        )

    plain, slow = node(None), node(None, "timeout")
    items = [node(plain), node(plain, "timeout"), node(slow), node(slow, "other")]

    assert marked(items, ("timeout",)) == [(n, items[n]) for n in (1, 2, 3)]
