"""What a finder is: it looks at one directory and says which tests are there.

The walk (`walk`) shows each directory to the finders of the suite in turn; the first one that
returns something other than None decides, also with an empty list.
"""

from __future__ import annotations

import abc
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from testloom.model.errors import ProbingError
from testloom.model.test import BrokenTest, ParsedTest

__all__ = ["AdaCoreLegacyTestFinder", "Probed", "ProbingError", "Suite", "TestFinder"]

Probed: TypeAlias = "ParsedTest | BrokenTest | Sequence[ParsedTest | BrokenTest] | None"
"""What a finder says about a directory."""


class Suite(Protocol):
    """What finders may ask of the suite."""

    @property
    def root_dir(self) -> str:
        """Absolute path of the suite's directory."""

    @property
    def test_dir(self) -> str:
        """Absolute path of the directory that holds the tests."""

    @property
    def test_driver_map(self) -> Mapping[str, type[Any]]:
        """The drivers by the names that tests use."""

    @property
    def default_driver(self) -> str | None:
        """The name of the driver of tests that name none."""

    @property
    def env(self) -> Any:
        """What tests may know about the machine and the run, as an `e3.env.Env`."""

    def test_name(self, test_dir: str) -> str:
        """Return the name of the test in the directory *test_dir*."""


class TestFinder(abc.ABC):
    """Finds the tests in a directory."""

    __test__ = False

    test_dedicated_directory: bool = True
    """Whether a directory holds one test at most.

    If so, directories that a pattern of the user rules out need not be probed.
    """

    reads: Sequence[str] = ()
    """Names of the files that `probe` reads: where the disk is slow, that is done ahead of it."""

    def start(self, testsuite: Suite) -> None:  # noqa: B027 - few finders remember anything
        """Prepare for a walk; forget what was remembered of another one."""

    @abc.abstractmethod
    def probe(
        self, testsuite: Suite, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> Probed:
        """Return the tests in *dirpath*; None leaves the directory to the next finder.

        *dirnames* and *filenames* are the names of what is in it, sorted.

        Raises:
            ProbingError: this is a test, but something about it is wrong.
        """


class AdaCoreLegacyTestFinder(TestFinder):
    """Takes each directory named like ``AB12-345`` for a test of driver *driver_cls*."""

    TN_RE: Final = re.compile(r"[0-9A-Z]{2}[0-9]{2}-[A-Z0-9]{3}")

    def __init__(self, driver_cls: type[Any]) -> None:
        self.driver_cls = driver_cls

    def probe(
        self,
        testsuite: Suite,  # noqa: ARG002 - part of the interface
        dirpath: str,
        dirnames: list[str],  # noqa: ARG002 - part of the interface
        filenames: list[str],  # noqa: ARG002 - part of the interface
    ) -> Probed:
        """Return the test, named as its directory, if the name begins like a ticket."""
        name = os.path.basename(dirpath)
        if self.TN_RE.match(name):
            return ParsedTest(name, self.driver_cls, {}, dirpath)
        return None
