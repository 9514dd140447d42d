"""A test as a finder sees it."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(slots=True)
class ParsedTest:
    """One test that a finder found.

    `test_name` is its identity: any text, unique in the run.  `driver_cls` is the class that
    knows how to run it; None leaves the choice to the suite's default.
    """

    test_name: str
    driver_cls: type[Any] | None
    """A subclass of `testloom.drivers.TestDriver`."""
    test_env: dict[str, Any]
    """What the test says about itself: the content of its ``test.yaml``."""
    test_dir: str
    """Absolute path of the directory the test lives in."""
    test_matcher: str | None = None
    """With several tests in a directory: the text that patterns given by users must match."""
    source: str = ""
    """Absolute path of the file that defines the test; its directory's if empty."""
    line: int = 1
    """Line in `source`, counted from 1."""
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True, frozen=True)
class BrokenTest:
    """A test that cannot be run because what defines it is wrong; it becomes an ERROR result."""

    test_name: str
    test_dir: str
    message: str
    """One line: ``path:line: what; what to do`` where a line is known."""
    reason: str
    """See `testloom.model.reason`."""
    log: str = ""
    """More, such as a traceback."""
    source: str = ""
    """Absolute path of the file that is wrong; `test_dir` if empty."""
    line: int = 1
