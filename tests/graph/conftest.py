"""Every test here leaves nothing behind, and none may hang."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _clean(nothing_is_left: None, in_time: None) -> None:
    """See to it."""
