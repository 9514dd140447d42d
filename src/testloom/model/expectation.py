"""How long a run is expected to take, from how long its tests usually do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of a run before it begins."""

    tests_s: Mapping[str, float] = {}
    """Seconds that each test takes; empty if nothing is known."""
    paths_s: Mapping[str, float] = {}
    """Seconds from the start of each test to the end of the last that waits for it."""


NOTHING_EXPECTED: Final = Expectation()
