"""Lets a forked child become a fresh interpreter."""

from __future__ import annotations

import os
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
    os.execv(sys.executable, [sys.executable, *_flags(), "-m", module, *map(str, arguments)])  # noqa: S606 - no shell wanted


def _flags() -> list[str]:
    """The options that decide what can be imported; ``-P``: not from wherever we happen to be."""
    flags = ["-P"]
    if sys.flags.isolated:
        flags.append("-I")
    if sys.flags.no_site:
        flags.append("-S")
    return flags
