"""The suite that testloom is tested with: a tree of tests, and a driver for each kind of test.

Most tests need no Python: their ``test.yaml`` says what to run and what to expect, and the
built-in command driver does the rest.  The drivers beside this file are for those that do.  They
are meant to be read as examples, too; in order of growing difficulty:

- `drivers.script`: run a Python script, compare what it writes after refining it
- `drivers.sql`: a finder of its own, for tests that are one file each
- `drivers.round_trip`: four steps, one after the other
- `drivers.build_once`: one fragment builds, many run at the same time, the last one adds up
- `drivers.inner_run`: run testloom itself on another tree of tests
"""

from __future__ import annotations

import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from drivers.build_once import BuildOnceDriver
from drivers.inner_run import InnerRunDriver, InnerTrees
from drivers.round_trip import RoundTripDriver
from drivers.script import ScriptDriver
from drivers.sql import SqlDriver, SqlFinder

import testloom
from testloom.discovery import TestFinder, YAMLTestFinder
from testloom.drivers import CommandDriver

CHANGES_OUTPUT = ("POSIXLY_CORRECT", "GREP_OPTIONS", "GREP_COLOR", "GREP_COLORS", "TABSIZE")
"""Variables that some people have set and that change what common programs do."""


class Suite(testloom.Testsuite):
    """All tests below this directory."""

    tests_subdir = "testsuite"
    test_driver_map = {  # noqa: RUF012 - nobody changes it
        "command": CommandDriver,
        "script": ScriptDriver,
        "round-trip": RoundTripDriver,
        "build-once": BuildOnceDriver,
        "inner-run": InnerRunDriver,
        "sql": SqlDriver,
    }
    default_driver = "command"

    def __init__(self, *, config: Any = None) -> None:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        super().__init__(root, "testloom", config=config)

    @property
    def test_finders(self) -> list[TestFinder]:
        """Trees for inner runs come first, because what is in them are not our tests."""
        return [InnerTrees(), SqlFinder(), YAMLTestFinder()]

    def set_up(self) -> None:
        """Let tests write ``%(python)s`` for the Python that runs this."""
        self.env.python = sys.executable
        self.env.python_version = sys.version_info[:2]
        for name in CHANGES_OUTPUT:
            os.environ.pop(name, None)
