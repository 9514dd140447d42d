"""Reports on their way between processes, and which items stay together: without processes."""

from __future__ import annotations

import types
import warnings
from typing import Any

import pytest

from testloom.pytest_plugin import wire
from testloom.pytest_plugin.blocks import Block
from testloom.pytest_plugin.bundles import bundles, components, in_good_order
from testloom.scheduling.turns import Bundle

LOCATION = ("test_it.py", 3, "test_it")


class Item:
    """As much of an item as is asked for."""

    nodeid, location = "test_it.py::test_it", LOCATION

    def __init__(self, scope: str = "", chain: tuple[Any, ...] = ()) -> None:
        definition = types.SimpleNamespace(scope=scope)
        self._fixtureinfo = types.SimpleNamespace(name2fixturedefs={"f": [definition]})
        self._chain = chain

    def listchain(self) -> list[Any]:
        return [*self._chain, self]


def report(**changes: Any) -> pytest.TestReport:
    fields: dict[str, Any] = {
        "nodeid": Item.nodeid,
        "location": LOCATION,
        "keywords": {"test_it": 1, "quick": 1},
        "outcome": "passed",
        "longrepr": None,
        "when": "call",
        "sections": [("Captured stdout call", "text\n")],
        "duration": 0.5,
        "start": 1.0,
        "stop": 1.5,
    }
    return pytest.TestReport(**{**fields, **changes})


def sent(config: pytest.Config, *reports: pytest.TestReport) -> tuple[wire.Item, list[Any]]:
    gathered = wire.Gathered(config)
    gathered.begin(7)
    for one in reports:
        gathered.add(one)
    done = wire.decode(gathered.packed())
    item: Any = Item()
    return done, wire.reports_of(done, item, config)


def test_reports_arrive_as_they_were_and_in_their_order(pytestconfig: pytest.Config) -> None:
    before = [
        report(when="setup"),
        report(outcome="skipped", longrepr=("test_it.py", 4, "Skipped: why")),
        report(when="teardown", user_properties=[("key", "value")]),
    ]

    done, after = sent(pytestconfig, *before)

    for one in after:
        vars(one).pop("$report_type", None)  # pytest's own way leaves it there
    assert [vars(one) for one in after] == [vars(one) for one in before]
    assert (done.number, len(done.passed), len(done.others)) == (7, 1, 2)


def test_attributes_that_plugins_have_added_arrive(pytestconfig: pytest.Config) -> None:
    _done, (after,) = sent(pytestconfig, report(extra={"of": "a plugin"}))

    assert after.extra == {"of": "a plugin"}


def test_our_blocks_stay_blocks(pytestconfig: pytest.Config) -> None:
    block = Block("two\nlines", "message", "a/test.yaml", 3)

    _done, (after,) = sent(pytestconfig, report(outcome="failed", longrepr=block))

    assert isinstance(after.longrepr, Block)
    assert str(after.longrepr) == "two\nlines"
    assert vars(after.longrepr.reprcrash) == vars(block.reprcrash)


def test_text_that_is_no_unicode_is_escaped(pytestconfig: pytest.Config) -> None:
    _done, (after,) = sent(pytestconfig, report(sections=[("Captured", "half: \ud800")]))

    assert after.sections == [("Captured", "half: \\ud800")]


def test_warnings_keep_their_class_or_at_least_its_name(pytestconfig: pytest.Config) -> None:
    class Unknown(Warning):
        pass

    Unknown.__module__ = "nobody.knows"
    told: list[Any] = []
    hook = types.SimpleNamespace(
        call_historic=lambda kwargs: told.append(kwargs["warning_message"])
    )
    config: Any = types.SimpleNamespace(hook=types.SimpleNamespace(pytest_warning_recorded=hook))
    gathered = wire.Gathered(pytestconfig)
    for category in (DeprecationWarning, Unknown):
        message = warnings.WarningMessage(category("old"), category, "x.py", 3)
        gathered.warn(message, "runtest", Item.nodeid, None)

    wire.tell_warnings(wire.decode(gathered.packed()), config)

    assert [one.category.__name__ for one in told] == ["DeprecationWarning", "Unknown"]
    assert [str(one.message) for one in told] == ["old", "old"]
    assert told[0].category is DeprecationWarning


def test_items_that_share_nothing_are_bundles_of_one() -> None:
    items = [Item("function"), Item("session"), Item("")]

    assert bundles(items) == [Bundle((0,)), Bundle((1,)), Bundle((2,))]


def test_data_tests_that_follow_each_other_stay_together_for_good() -> None:
    items = [Item(), Item(), Item()]

    assert bundles(items, {0: 0, 2: 0}) == [Bundle((0, 2), is_whole=True), Bundle((1,))]
    assert bundles(items, {0: 0, 2: 0}, without={1}) == [Bundle((0, 2), is_whole=True)]


def test_bundles_with_a_test_that_failed_come_first_in_their_order() -> None:
    found = [Bundle((0,)), Bundle((1, 2)), Bundle((3,)), Bundle((4,))]

    assert in_good_order(found, {2, 4}) == [found[1], found[3], found[0], found[2]]


def test_bundles_that_take_long_come_before_the_others_and_after_what_failed() -> None:
    """One of which nothing is known is taken for an ordinary one."""
    found = [Bundle((0,)), Bundle((1, 2)), Bundle((3,)), Bundle((4,)), Bundle((5,))]
    usual_s = {0: 0.1, 1: 2.0, 2: 3.0, 3: 9.0, 4: 0.01}

    assert in_good_order(found, {4}, usual_s, 2) == [found[n] for n in (3, 2, 1, 4, 0)]


def test_whatever_hangs_together_by_following_has_one_leader() -> None:
    found = components({"b": {"a"}, "c": {"b"}, "y": {"x"}})

    assert found["a"] == found["b"] == found["c"]
    assert found["x"] == found["y"] != found["a"]
    assert found.keys() == {"a", "b", "c", "x", "y"}
