"""``python -m testloom``: the same as the command ``testloom``."""

from __future__ import annotations

import signal
import sys

# While there is nothing to clean up, Ctrl-C ends this process without a traceback.
_is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _is_usual:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from testloom.cli.main import main  # noqa: E402 - not before that

if __name__ == "__main__":
    if _is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
