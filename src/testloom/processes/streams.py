"""Sees that the standard streams exist: a program may be started without them (``>&-``)."""

from __future__ import annotations

import os
import sys


def ensure() -> None:
    """Open ``/dev/null`` in place of each standard stream that is closed.

    Otherwise the next file or socket that is opened would get its number, and be written to by
    everything that prints.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
