"""The suite as testloom runs it; it differs from `e3_cat.py` in its two imports."""

from __future__ import annotations

import sys

from testloom import Testsuite
from testloom.drivers import DiffTestDriver


class CatDriver(DiffTestDriver):
    def run(self) -> None:
        self.shell(["cat", "input.txt"])


class CatSuite(Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"cat": CatDriver}  # noqa: RUF012 - as in e3_cat.py


if __name__ == "__main__":
    sys.exit(CatSuite().testsuite_main())
