"""A suite of files that pytest runs."""

import testloom
from testloom.discovery import FileFinder
from testloom.drivers.pytest_driver import PytestDriver


class Suite(testloom.Testsuite):
    tests_subdir = "tests"

    @property
    def test_finders(self):
        return [FileFinder(PytestDriver, "test_*.py")]
