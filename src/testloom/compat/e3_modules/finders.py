"""The finders, as suites of e3-testsuite know them."""

from __future__ import annotations

from typing import Any, TypeAlias

from testloom import discovery
from testloom.discovery import AdaCoreLegacyTestFinder, ParsedTest, ProbingError, TestFinder

__all__ = [
    "AdaCoreLegacyTestFinder",
    "ParsedTest",
    "ProbingError",
    "TestFinder",
    "TestFinderResult",
    "YAMLTestFinder",
]

TestFinderResult: TypeAlias = "ParsedTest | list[Any] | None"


class YAMLTestFinder(discovery.YAMLTestFinder):
    """Finds directories that hold a ``test.yaml``; all its keys are the suite's own."""

    read_tags = False
