"""How long a run is expected to take, from how long its tests usually do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of a run before it begins."""

    tests_s: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Seconds that each test takes; empty if nothing is known."""
    paths_s: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Seconds from the start of each test to the end of the last that waits for it."""


NOTHING_EXPECTED: Final = Expectation()
