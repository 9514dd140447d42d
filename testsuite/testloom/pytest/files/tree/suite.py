"""A suite of files that pytest runs."""

import testloom
from testloom.discovery import FileFinder
from testloom.drivers.pytest_driver import PytestDriver


class Suite(testloom.Testsuite):
    tests_subdir = "tests"
    test_finders = [FileFinder(PytestDriver, "test_*.py")]
