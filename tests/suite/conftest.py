"""Tests here may kill whole runs, and what is left of those must not meet later tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from testloom.processes import tree


@pytest.fixture(autouse=True)
def _left_behind() -> Iterator[None]:
    """See the children of killed runs end: where we are a subreaper, they are ours then."""
    before = set(tree.children(os.getpid()))
    yield
    while left := set(tree.children(os.getpid())) - before:
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
