"""Every test here leaves nothing behind, and none may hang."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NoReturn

import pytest

LIMIT_S = 20


@pytest.fixture(autouse=True)
def _in_time(nothing_is_left: None) -> Iterator[None]:
    """End what hangs: nothing here takes a tenth of the limit."""

    def fail(_signum: int, _frame: object) -> NoReturn:
        raise TimeoutError(f"not done within {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
