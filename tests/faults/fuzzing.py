"""How hard tests try that make up what they read: ``TESTLOOM_FUZZ=100`` in the environment makes it a hundred times as hard."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

_TIMES: Final = int(os.environ.get("TESTLOOM_FUZZ", "1"))


def trying(examples: int = 100) -> settings:
    """Return settings for so many examples, or that many times more; a busy machine may be slow."""
    return settings(
        max_examples=examples * _TIMES,
        deadline=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.function_scoped_fixture,
        ],
    )
