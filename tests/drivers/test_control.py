"""What ``control`` entries of test.yaml ask for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from e3.collection.dag import DAG

from testloom.drivers import TestDriver, YAMLTestControlCreator

if TYPE_CHECKING:
    from tests.drivers.conftest import Lab


class Anything(TestDriver):
    def add_test(self, dag: DAG) -> None:
        pass


def asked(lab: Lab, control: Any, **condition_env: Any) -> Any:
    driver = Anything(lab.env, {**lab.test_env(), "control": control})
    found = YAMLTestControlCreator(condition_env).create(driver)
    return found.skip, found.xfail, found.message


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ([], (False, False, None)),
        (None, (False, False, None)),
        ([["SKIP", "True", "why"]], (True, False, "why")),
        ([["SKIP", "True"]], (True, False, None)),
        ([["XFAIL", "env.options.truncate_logs == 200", "known"]], (False, True, "known")),
        ([["SKIP", "False", "a"], ["XFAIL", "mode == 'x'", "b"], ["SKIP", "1", "c"]],
         (False, True, "b")),
        ([["NONE", "True"], ["SKIP", "True"]], (False, False, None)),
    ],
)  # fmt: skip
def test_the_first_entry_that_applies_decides(lab: Lab, control: Any, expected: Any) -> None:
    assert asked(lab, control, mode="x") == expected


@pytest.mark.parametrize(
    ("control", "message"),
    [
        (12, "list expected at the top level"),
        ("SKIP", "list expected at the top level"),
        (["SKIP"], "entry #1: list of 2 or 3 strings expected"),
        ([["SKIP"]], "entry #1: list of 2 or 3 strings expected"),
        ([["SKIP", True]], "entry #1: list of 2 or 3 strings expected"),
        ([["SKIP", "1", "2", "3"]], "entry #1: list of 2 or 3 strings expected"),
        ([["skip", "True"]], "entry #1: invalid kind: skip"),
        ([["SKIP", "x"]], "entry #1: invalid condition (NameError): name 'x' is not defined"),
        ([["SKIP", "True"], ["XFAIL", "1 +"]],
         "entry #2: invalid condition (SyntaxError): invalid syntax (<string>, line 1)"),
        ([["SKIP", "lambda: 1"]],
         "entry #1: invalid condition (ConditionError): lambda cannot be used in a condition"),
        ([["SKIP", "broken()"]], "entry #1: invalid condition (OSError): no disk"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(lab: Lab, control: Any, message: str) -> None:
    def broken() -> None:
        raise OSError("no disk")

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message follows
        asked(lab, control, broken=broken)
    assert str(caught.value) == message


def test_a_test_opt_file_beside_control_entries_is_warned_about(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    test_env = lab.test_env("t", test_opt="ALL DEAD\n")
    with caplog.at_level(logging.WARNING, logger="testsuite"):
        YAMLTestControlCreator().create(Anything(lab.env, test_env))
    assert caplog.messages == [
        't: "test.opt" file found whereas only "control" entries are considered'
    ]
