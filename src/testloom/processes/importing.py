"""What holds while a command imports its modules: nothing has been begun, and nothing gets thrown away."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from testloom.processes.garbage import making_much


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """While the block runs, look for no garbage, and let Ctrl-C end this process.

    As an exception, Ctrl-C might strike in a callback of the import system, where Python says so
    and forgets it.  Who handles SIGINT otherwise, and other threads, see no difference.
    """
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    is_ours = is_usual and threading.current_thread() is threading.main_thread()
    if is_ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with making_much():
            yield
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
