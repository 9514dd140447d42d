"""Every test here leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testloom.cluster import MultiprocessDistributor

LIMIT_S = 20.0
"""How long anything may take before a test gives up on it; nothing waits that long."""

Make = Callable[..., MultiprocessDistributor]


@pytest.fixture(autouse=True)
def _clean(nothing_is_left: None) -> None:
    """See to it."""


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a distributor whose commands run as they are, and that is stopped in the end."""
    made = []

    def distributor(parallelism: int = 2, **options: Any) -> MultiprocessDistributor:
        options.setdefault("worker_node_entry_point", "")
        made.append(MultiprocessDistributor("here", parallelism, **options))
        return made[-1]

    yield distributor
    for one in made:
        one.stop()
