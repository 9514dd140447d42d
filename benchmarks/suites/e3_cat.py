"""The suite as e3-testsuite runs it."""

from __future__ import annotations

import sys

from e3.testsuite import Testsuite
from e3_drivers import CatDriver


class CatSuite(Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"cat": CatDriver}  # noqa: RUF012 - as e3-testsuite's manual writes it


if __name__ == "__main__":
    sys.exit(CatSuite().testsuite_main())
