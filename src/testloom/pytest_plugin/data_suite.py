"""The suite whose tests pytest is to collect: which one it is, its tests, and how they are run.

The suite is opened once a session and stays open until its end.  What it does to the environment
(its ``set_up``, ``[env]`` of the configuration) is in force only while one of its tests runs, so that
other tests of the session do not see it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testloom.cli.suites import project_suite
from testloom.model.errors import UsageError
from testloom.model.test import BrokenTest, ParsedTest
from testloom.pytest_plugin.data_run import DataRun, Pushed
from testloom.suite.config import FILE_NAME, Config, Project, find_config
from testloom.suite.suite import Testsuite


class DataSuite:
    """A suite, open from when it was made until `close`.

    Args:
        suite: the suite.
        options: its command line: options, and the paths where tests are wanted.
    """

    def __init__(self, suite: Any, options: Sequence[str]) -> None:
        self.suite = suite
        self.tests: list[ParsedTest] = []
        self.broken: list[BrokenTest] = []
        self._exit = contextlib.ExitStack()
        self._run: DataRun | None = None
        self._wanted: list[str] = []
        self._environment: Mapping[str, str] = {}
        outside = dict(os.environ)
        try:
            line = self._exit.enter_context(suite.opened(list(options)))
            self.tests = suite.get_test_list(list(line.options.paths))
            self.broken = list(suite.broken_tests)
            self._environment = dict(os.environ)
        except BaseException:
            self._exit.close()
            raise
        finally:
            _set_environment(outside)

    @property
    def root(self) -> str:
        """Absolute path that names and places of tests are relative to."""
        return str(self.suite.root_dir)

    def driver_of(self, test: ParsedTest | BrokenTest) -> Any:
        """Return the class of the driver that is going to run *test*, as far as that is known."""
        if isinstance(test, BrokenTest):
            return None
        default = self.suite.effective_drivers.get(self.suite.effective_default_driver or "")
        return test.driver_cls or default

    def want(self, names: Sequence[str]) -> None:
        """Only the tests called *names* are going to run."""
        self._wanted = list(names)

    def follows(self) -> Mapping[str, frozenset[str]]:
        """Return which tests wait for which others."""
        return self._planned().follows

    def inputs_of(self, name: str) -> str:
        """Return the fingerprint of what test *name* is made of; empty if it is not known."""
        return self._planned().inputs_of(name)

    def run(self, name: str, slot: int, fixtures: Mapping[str, Any]) -> list[Pushed]:
        """Run test *name* here; return all its results."""
        with self._inside():
            return self._planned().run(name, slot, fixtures)

    def close(self) -> None:
        """Let the suite clean up."""
        with self._inside():
            self._exit.close()

    def _planned(self) -> DataRun:
        """Return the run, which is planned when it is first needed: then it is known what of."""
        if self._run is None:
            wanted = set(self._wanted)
            tests = [test for test in self.tests if test.test_name in wanted]
            self.suite.broken_tests = [test for test in self.broken if test.test_name in wanted]
            with self._inside():
                self._run = DataRun(self.suite.plan(tests), self.suite.env)
        return self._run

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        outside = dict(os.environ)
        _set_environment(self._environment)
        try:
            yield
        finally:
            self._environment = dict(os.environ)
            _set_environment(outside)


def suite_named(name: str) -> Any:
    """Return the suite that ``--testloom-suite`` names: ``FILE.py:CLASS``, or a directory.

    Raises:
        UsageError: it does not name one.
    """
    file, colon, cls = name.rpartition(":")
    if colon and file.endswith(".py"):
        place = os.path.dirname(os.path.abspath(file))
        suite = f"{os.path.basename(file)}:{cls}"
        return project_suite(
            Config(file=os.path.join(place, FILE_NAME), project=Project(suite=suite))
        )
    if not os.path.isdir(name):
        raise UsageError(f"--testloom-suite: {name!r} is neither a directory nor FILE.py:CLASS")
    return _suite_at(os.path.abspath(name), find_config(name))


def suite_configured(places: Sequence[str]) -> Any:
    """Return the suite of the first of *places* above which one is configured; None if none is.

    Raises:
        UsageError: a configuration makes no sense.
    """
    for place in places:
        config = find_config(place)
        if config is not None:
            return _suite_at(config.root, config)
    return None


def roots_of(suite: Any) -> list[str]:
    """Return the absolute paths of the directories below which *suite* has its tests."""
    config = getattr(suite, "config", None)
    roots = list(config.roots) if config is not None else []
    return roots or [suite.test_dir]


def _suite_at(root: str, config: Config | None) -> Any:
    if config is not None and config.suite is not None:
        return project_suite(config)
    return Testsuite(root_dir=root, testsuite_name=os.path.basename(root), config=config)


def _set_environment(variables: Mapping[str, str]) -> None:
    if dict(os.environ) != variables:
        os.environ.clear()
        os.environ.update(variables)
