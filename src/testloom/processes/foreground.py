"""Runs a program that has the terminal while this process waits, such as an editor."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence


def run_in_foreground(argv: Sequence[str]) -> int:
    """Run *argv*, looked up in PATH; return its exit status, ``-N`` if signal N ended it.

    Ctrl-C is meant for the program.

    Raises:
        OSError: it cannot be run.
    """
    # Not SIG_IGN: the program would inherit that.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run(list(argv), check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
