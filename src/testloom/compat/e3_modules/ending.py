"""How a suite of e3-testsuite ends when it is asked to, by SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


def terminated(_signum: int, _frame: FrameType | None) -> NoReturn:
    """Leave as a program that e3 runs does."""
    logging.critical("SIGTERM received")  # noqa: LOG015 - where e3 says it
    raise SystemExit("SIGTERM received")


@contextlib.contextmanager
def sigterm_exits() -> Iterator[None]:
    """While the block runs, SIGTERM raises SystemExit; the run itself takes it as an event."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
