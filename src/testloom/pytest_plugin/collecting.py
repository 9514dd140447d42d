"""Lets pytest collect the tests of a suite.

The suite's finders have walked the tree before pytest does, so that here is only looked up what they
found: which files and directories define tests.  What lies beside a test in its own directory belongs
to the test; pytest is kept from taking it for tests of its own.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from testloom.model.errors import UsageError
from testloom.pytest_plugin import data_suite
from testloom.pytest_plugin.data_suite import DataSuite
from testloom.pytest_plugin.items import (
    RESULTS,
    DataCollector,
    DataDirectory,
    DataFile,
    DataItem,
    Test,
    is_xpass,
    paths_of,
)


class Collecting:
    """The hooks of a session in which a suite is configured."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._suite: DataSuite | None = None
        self._files: dict[Path, list[Test]] = {}
        self._directories: dict[Path, list[Test]] = {}
        self._own: set[str] = set()
        """The directories of tests."""
        self._above: set[str] = set()
        """The directories that have what defines a test somewhere below them."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Find the tests of the suite, as far as they may be wanted."""
        try:
            self._find()
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave to a data test what is in its directory."""
        path = str(collection_path)
        if os.path.dirname(path) in self._own and collection_path not in self._files:
            return True if path not in self._above else None
        return None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Return the tests that a file defines."""
        tests = self._files.get(file_path)
        return None if tests is None else self._collector(DataFile, file_path, parent, tests)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(
        self, path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Return the tests that a directory is."""
        tests = self._directories.get(path)
        return None if tests is None else self._collector(DataDirectory, path, parent, tests)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Learn which tests are left to be run."""
        if self._suite is not None:
            items = [item for item in session.items if isinstance(item, DataItem)]
            self._suite.want([item.test.test_name for item in items])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Tell pytest of a test that passed although it was expected to fail."""
        report: Any = yield
        if call.when == "call" and isinstance(item, DataItem):
            pushed = item.stash.get(RESULTS, [])
            why = is_xpass(pushed) if report.passed else None
            if why is not None:
                report.wasxfail = why
            report.testloom_results = [one.record.decode() for one in pushed]
        return report

    def pytest_unconfigure(self) -> None:
        """Let the suite clean up."""
        if self._suite is not None:
            self._suite.close()
            self._suite = None

    def _find(self) -> None:
        named = self._config.getoption("testloom_suite")
        places = _places(self._config)
        if named:
            suite = data_suite.suite_named(named)
        else:
            suite = data_suite.suite_configured([*places, str(self._config.rootpath)])
        if suite is None:
            return
        wanted = _wanted(places, data_suite.roots_of(suite))
        if wanted is None:
            return
        self._suite = DataSuite(suite, [*self._config.getoption("testloom_option"), "--", *wanted])
        tests: list[Test] = [*self._suite.tests, *self._suite.broken]
        for test in tests:
            # What is a file of tests for pytest, pytest collects itself.
            if not getattr(self._suite.driver_of(test), "runs_pytest", False):
                self._note(test)

    def _note(self, test: Test) -> None:
        path, is_directory = paths_of(test)
        (self._directories if is_directory else self._files).setdefault(path, []).append(test)
        self._own.add(test.test_dir)
        above = os.path.dirname(path)
        while above not in self._above and len(above) > 1:
            self._above.add(above)
            above = os.path.dirname(above)

    def _collector(
        self, cls: type[Any], path: Path, parent: pytest.Collector, tests: list[Test]
    ) -> pytest.Collector:
        node: DataCollector = cls.from_parent(parent, path=path)
        assert self._suite is not None
        node.suite, node.tests = self._suite, tests
        return node


def _places(config: pytest.Config) -> list[str]:
    """Return the absolute paths that pytest was asked to collect."""
    start = str(config.invocation_params.dir)
    paths = (os.path.normpath(os.path.join(start, arg.split("::", 1)[0])) for arg in config.args)
    return [path for path in paths if os.path.exists(path)]


def _wanted(places: Sequence[str], roots: Sequence[str]) -> list[str] | None:
    """Return what of *places* is below *roots*: nothing if all is wanted; None if nothing is."""
    below = []
    for place in places:
        for root in roots:
            if root == place or root.startswith(os.path.join(place, "")):
                return []
            if place.startswith(os.path.join(root, "")):
                below.append(place)
    return below or None
