"""``python -m testloom``: the same as the command ``testloom``."""

from __future__ import annotations

import importlib
import sys

# While there is nothing to clean up, Ctrl-C ends this process without a traceback.
_signal = importlib.import_module("_signal")  # what `signal` is made of, and is there at once
_is_usual = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
if _is_usual:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from testloom.cli.main import main  # noqa: E402 - not before that

if __name__ == "__main__":
    if _is_usual:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    sys.exit(main())
