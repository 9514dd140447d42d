"""Finds tests that are one file each, told by the file's name."""

from __future__ import annotations

import fnmatch
import os
from typing import Any

from testloom.discovery.finder import Probed, Suite, TestFinder
from testloom.model.test import ParsedTest


class FileFinder(TestFinder):
    """Takes each file whose name matches one of *patterns* for a test of driver *driver_cls*.

    The test is called as the file without its extension, and knows its path as ``file``.
    """

    test_dedicated_directory = False

    def __init__(self, driver_cls: type[Any], *patterns: str) -> None:
        self.driver_cls = driver_cls
        self.patterns = patterns

    def probe(
        self,
        testsuite: Suite,
        dirpath: str,
        dirnames: list[str],  # noqa: ARG002 - part of the interface
        filenames: list[str],
    ) -> Probed:
        """Return the tests, or None if no file matches."""
        found = []
        for name in filenames:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns):
                path = os.path.join(dirpath, name)
                test_name = testsuite.test_name(os.path.splitext(path)[0])
                test_env = {"file": path}
                found.append(
                    ParsedTest(test_name, self.driver_cls, test_env, dirpath, path, source=path)
                )
        return found or None
