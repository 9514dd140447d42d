"""The tutorial of e3-testsuite's manual: a suite for the calculator ``bc``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bc") is None, reason="bc is not installed")

SUITE = """
import sys

from e3.testsuite import Testsuite
from e3.testsuite.driver.classic import TestAbortWithFailure
from e3.testsuite.driver.diff import DiffTestDriver


class BcDriver(DiffTestDriver):
    def run(self):
        self.shell([self.env.bc_program, "input.bc"], stdin="|quit\\n")


class ErrorDriver(DiffTestDriver):
    def run(self):
        process = self.shell([self.env.bc_program], stdin="|" + self.test_env["input"],
                             catch_error=False)
        if process.status:
            raise TestAbortWithFailure("bc failed")


class BcTestsuite(Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"bc": BcDriver, "error": ErrorDriver}
    default_driver = "bc"

    def add_options(self, parser):
        parser.add_argument("--bc", default="bc", help="Path of the program to test.")

    def set_up(self):
        self.env.bc_program = self.main.args.bc


if __name__ == "__main__":
    sys.exit(BcTestsuite().testsuite_main())
"""


def test_the_tutorial_shows_what_the_manual_shows(tmp_path: Path, run: Any) -> None:
    (tmp_path / "testsuite.py").write_text(SUITE)
    for name, script, out, yaml in (
        ("addition", "1 + 1\n1 + -1\n", "2\n0\n", "driver: bc\n"),
        ("subtraction", "2 - 1\n1 - 2\n", "1\n-2\n", ""),
    ):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "input.bc").write_text(script)
        (tmp_path / "tests" / name / "test.out").write_text(out)
        (tmp_path / "tests" / name / "test.yaml").write_text(yaml)

    ran = run(tmp_path, "-j1", "--show-error-output")

    assert ran.err.splitlines() == [
        "INFO     Found 2 tests",
        "INFO     PASS            addition",
        "INFO     FAIL            subtraction: unexpected output",
        "Diff failure: unexpected output",
        "--- expected",
        "+++ output",
        "@@ -1,2 +1,2 @@",
        " 1",
        "--2",
        "+-1",
        "",
        "INFO     Summary:",
        "  PASS         1",
        "  FAIL         1",
    ]
    assert ran.code == 1
    (tmp_path / "tests" / "subtraction" / "test.out").write_text("1\n-1\n")
    assert run(tmp_path, "tests/subtraction").code == 0
    assert run(tmp_path, "--bc=no-such-bc").verdicts["addition"] == ("FAIL", "non-zero status code")
