"""Every test here leaves nothing behind, and meets nothing that earlier ones have left."""

from __future__ import annotations

import os

import pytest

from testloom.processes import tree


@pytest.fixture
def _alone() -> None:
    """End what earlier tests, of browsers for instance, have left to us as their subreaper."""
    tree.kill_below(os.getpid())


@pytest.fixture(autouse=True)
def _clean(_alone: None, nothing_is_left: None) -> None:
    """See to it."""
