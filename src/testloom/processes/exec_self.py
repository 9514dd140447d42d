"""Lets a process become another program, or a fresh interpreter."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn


def file_in_memory(content: bytes) -> int:
    """Return a descriptor from which *content* can be read, that survives `exec`."""
    fd = os.memfd_create("testloom-setup", 0)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def replace_by_module(
    module: str, arguments: Sequence[object], *, keep: Sequence[int] = ()
) -> NoReturn:
    """Replace this process by a fresh interpreter that runs *module* as its main program.

    The descriptors in *keep* survive.
    """
    for fd in keep:
        os.set_inheritable(fd, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *flags(), "-m", module, *map(str, arguments)])  # noqa: S606 - no shell wanted


def replace_by_program(argv: Sequence[str]) -> NoReturn:
    """Replace this process by program *argv*, looked up in PATH.

    Raises:
        OSError: it cannot be run.
    """
    ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python; programs do not expect that
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 - no shell wanted
    finally:  # there is no such program, and this process goes on
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def flags() -> list[str]:
    """Return the options that decide what can be imported; ``-P``: not from wherever we happen to be."""
    flags = ["-P"]
    if sys.flags.isolated:
        flags.append("-I")
    if sys.flags.no_site:
        flags.append("-S")
    return flags
