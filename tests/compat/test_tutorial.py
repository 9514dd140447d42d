"""The tutorial of e3-testsuite's manual, step by step: a suite for the calculator ``bc``.

Each step writes what the manual says to write and expects the lines that the manual shows.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(shutil.which("bc") is None, reason="bc is not installed"),
    pytest.mark.slow,
]

EMPTY_SUITE = """\
#! /usr/bin/env python3

import sys

from e3.testsuite import Testsuite


class BcTestsuite(Testsuite):
    pass


if __name__ == "__main__":
    sys.exit(BcTestsuite().testsuite_main())
"""
SUITE = EMPTY_SUITE.replace(
    """\


class BcTestsuite(Testsuite):
    pass
""",
    """\
from e3.testsuite.driver.diff import DiffTestDriver


class ComputationDriver(DiffTestDriver):
    def run(self):
        self.shell(["bc", "input.bc"])


class BcTestsuite(Testsuite):
    test_driver_map = {"computation": ComputationDriver}
    default_driver = "computation"
""",
)
XFAIL = 'control:\n- [XFAIL, "True", "erroneous multiplication: see bug #1234"]\n'


NO_TEST = "WARNING no test is selected: this run says nothing"
"""What we say besides."""


def test_the_tutorial_shows_what_the_manual_shows(tmp_path: Path, run: Any) -> None:
    def write(name: str, yaml: str, computation: str, result: str) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "test.yaml").write_text(yaml)
        (tmp_path / name / "input.bc").write_text(f"{computation}\n")
        (tmp_path / name / "test.out").write_text(f"{result}\n")

    def shown(*args: str) -> list[str]:
        return _lines(run(tmp_path, *args, script="./testsuite.py").err)

    (tmp_path / "testsuite.py").write_text(EMPTY_SUITE)
    assert shown() == ["INFO Found 0 tests", NO_TEST, "INFO Summary:", "  <no test result>"]

    (tmp_path / "testsuite.py").write_text(SUITE)
    write("addition", "driver: computation\n", "1 + 2", "3")
    assert shown() == [
        "INFO Found 1 tests",
        "INFO PASS addition",
        "INFO Summary:",
        "  PASS         1",
    ]

    write("subtraction", "", "10 - 2", "8")
    write("multiplication", "", "2 * 3", "8")
    found, *results, _, passed, failed = shown()
    assert (found, passed, failed) == ("INFO Found 3 tests", "  PASS         2", "  FAIL         1")
    assert sorted(results) == [  # tests end in any order
        "INFO FAIL multiplication: unexpected output",
        "INFO PASS addition",
        "INFO PASS subtraction",
    ]
    assert shown("-E", "multiplication") == [
        "INFO Found 1 tests",
        "INFO FAIL multiplication: unexpected output",
        "Diff failure: unexpected output",  # this line came after the manual was written
        "--- expected",
        "+++ output",
        "@@ -1 +1 @@",
        "-8",
        "+6",
        "",
        "INFO Summary:",
        "  FAIL         1",
    ]

    write("multiplication", XFAIL, "2 * 3", "8")
    _, *results, _, passed, failed = shown("-j8")
    assert (passed, failed) == ("  PASS         2", "  XFAIL        1")
    assert sorted(results) == [
        "INFO PASS addition",
        "INFO PASS subtraction",
        "INFO XFAIL multiplication: unexpected output (erroneous multiplication: see bug #1234)",
    ]


def _lines(console: str) -> list[str]:
    """Return the lines; how wide their columns are has changed since the manual was written."""
    return [
        " ".join(line.split()) if re.match("[A-Z]+ ", line) else line
        for line in console.splitlines()
    ]
