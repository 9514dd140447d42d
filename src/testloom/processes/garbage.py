"""When the interpreter looks for garbage: not while things are made that stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def making_much() -> Iterator[None]:
    """While the block runs, do not look for garbage; afterwards never look at what it made.

    A hundred thousand tests are a million objects that stay, and the collector would walk over
    them again and again: that takes a fifth of the time it takes to find them.  The same goes
    for the modules that a run imports.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
