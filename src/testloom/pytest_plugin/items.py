"""Data tests as pytest knows tests: collectors and items."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.fixtures import TopRequest

from testloom.model.status import PASSING_STATUSES, TestStatus
from testloom.model.test import BrokenTest, ParsedTest
from testloom.pytest_plugin.blocks import Block
from testloom.pytest_plugin.bundles import components
from testloom.pytest_plugin.data_run import Pushed
from testloom.pytest_plugin.data_suite import DataSuite
from testloom.pytest_plugin.failures import block_of

Test = ParsedTest | BrokenTest
_NO_RUN = frozenset({TestStatus.SKIP, TestStatus.NOT_APPLICABLE})


class ResultsAreBad(Exception):
    """The test ran, and some of its results are failures or errors."""

    def __init__(self, pushed: Iterable[Pushed]) -> None:
        self.pushed = [one for one in pushed if one.entry.status.is_bad]
        super().__init__(self.pushed[0].entry.message)


class DataCollector(pytest.Collector):
    """What defines some data tests: a file, or a directory."""

    suite: DataSuite
    tests: list[Test]

    def collect(self) -> Iterator[DataItem]:
        """Yield the tests, each under the shortest name that is its own here."""
        short = [os.path.basename(test.test_name) for test in self.tests]
        for test, name in zip(self.tests, short, strict=True):
            is_unique = bool(name) and short.count(name) == 1
            yield DataItem.from_parent(
                self, name=name if is_unique else test.test_name, test=test, suite=self.suite
            )


class DataFile(DataCollector, pytest.File):
    """A file such as ``test.yaml``."""


class DataDirectory(DataCollector, pytest.Directory):
    """A directory that is a test without a file that says so."""


class DataItem(pytest.Item):
    """One data test."""

    def __init__(self, *, test: Test, suite: DataSuite, **names: Any) -> None:
        super().__init__(**names)
        self.test = test
        self.suite = suite
        self._wanted: tuple[str, ...] = ()
        if isinstance(test, ParsedTest):
            for tag in test.tags:
                self._add_tag(tag)
            self._wanted = tuple(getattr(suite.driver_of(test), "pytest_fixtures", ()))
        if self._wanted:
            self.add_marker(pytest.mark.usefixtures(*self._wanted))
        # What it takes to have fixtures, in the way in which pytest's own doctest items do it.
        self.obj = None
        self._fixtureinfo = self.session._fixturemanager.getfixtureinfo(  # noqa: SLF001 - as above
            node=self, func=None, cls=None
        )
        self.fixturenames = self._fixtureinfo.names_closure
        self._initrequest()

    def _initrequest(self) -> None:
        self.funcargs: dict[str, object] = {}
        self._request = TopRequest(self, _ispytest=True)  # type: ignore[arg-type]  # as above

    @property
    def inputs(self) -> str:
        """Fingerprint of what the test is made of; empty if that is not known."""
        return self.suite.inputs_of(self.test.test_name)

    def setup(self) -> None:
        """Set up the fixtures that are used automatically, and those that the driver wants."""
        self._request._fillfixtures()  # noqa: SLF001 - as above

    def runtest(self) -> None:
        """Run the test; what it has come to leaves as pytest's exception for that."""
        values = {name: self._request.getfixturevalue(name) for name in self._wanted}
        slot = int(os.environ.get("TESTLOOM_PYTEST_SLOT", "0"))
        pushed = self.suite.run(self.test.test_name, slot, values)
        self.stash[RESULTS] = pushed
        _tell(pushed)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return our block in place of a traceback that would show only our own code."""
        if isinstance(excinfo.value, ResultsAreBad):
            return self._block(excinfo.value.pushed)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return file, line (from 0) and name."""
        return self.path, max(self.test.line - 1, 0), self.test.test_name

    def _block(self, pushed: list[Pushed]) -> Block:
        place = os.path.relpath(self.path, self.config.invocation_params.dir)
        return block_of(pushed, nodeid=self.nodeid, path=place, line=self.test.line)

    def _add_tag(self, tag: str) -> None:
        if tag.startswith("_"):  # not a name that pytest lets a marker have
            return
        self.config.addinivalue_line("markers", f"{tag}: a tag of data tests")
        self.add_marker(tag)


def together(items: Sequence[Any]) -> dict[int, int]:
    """Return, by their places in *items*, which of them follow each other: who -> the first of them.

    Drivers are made here, once, so that processes forked later have them.
    """
    places = {
        item.test.test_name: place for place, item in enumerate(items) if isinstance(item, DataItem)
    }
    suites = {id(i.suite): i.suite for i in items if isinstance(i, DataItem)}
    found: dict[int, int] = {}
    for suite in suites.values():
        first: dict[str, int] = {}
        for name, leader in components(suite.follows()).items():
            if name in places:
                found[places[name]] = first.setdefault(leader, places[name])
    return found


def follows(items: Sequence[Any]) -> dict[str, list[str]]:
    """Return, by their node ids, which data tests among *items* follow which others."""
    data = [item for item in items if isinstance(item, DataItem)]
    nodeids = {(id(item.suite), item.test.test_name): item.nodeid for item in data}
    found: dict[str, list[str]] = {}
    for suite in {id(item.suite): item.suite for item in data}.values():
        for name, others in suite.follows().items():
            if (nodeid := nodeids.get((id(suite), name))) is not None:
                known = (nodeids.get((id(suite), other)) for other in others)
                found[nodeid] = [other for other in known if other is not None]
    return found


RESULTS = pytest.StashKey[list[Pushed]]()
"""What a data test has come to, once it has run."""


def _tell(pushed: list[Pushed]) -> None:
    """Raise what pytest expects for the worst of *pushed*."""
    statuses = {one.entry.status for one in pushed}
    if any(status.is_bad for status in statuses):
        raise ResultsAreBad(pushed)
    if TestStatus.XFAIL in statuses and statuses.isdisjoint(PASSING_STATUSES):
        pytest.xfail(_why(pushed, TestStatus.XFAIL))
    if statuses <= _NO_RUN:
        status = next(iter(statuses), TestStatus.SKIP)
        raise pytest.skip.Exception(_why(pushed, status), _use_item_location=True)


def _why(pushed: list[Pushed], status: TestStatus) -> str:
    return next((one.entry.message for one in pushed if one.entry.status is status), "")


def is_xpass(pushed: list[Pushed]) -> str | None:
    """Return why *pushed* were expected to fail, if they passed all the same."""
    for one in pushed:
        if one.entry.status is TestStatus.XPASS:
            return one.entry.message
    return None


def paths_of(test: Test) -> tuple[Path, bool]:
    """Return what defines *test*, and whether that is a directory."""
    path = Path(test.source or test.test_dir)
    return path, not test.source or path.is_dir()
