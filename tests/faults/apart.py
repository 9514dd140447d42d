"""Runs code in a process of its own, in PID and mount namespaces of its own where that is allowed.

What a scenario starts cannot outlive it there, sees nobody else, and may mount file systems.
"""

from __future__ import annotations

import ctypes
import functools
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWPID: Final = 0x20000000
MS_REC_PRIVATE: Final = 0x4000 | 0x40000


@functools.cache
def why_not() -> str:
    """Return why there are no namespaces to be had here; empty if there are."""
    try:
        in_namespaces(lambda: None)
    except PermissionError as error:
        return f"no PID and mount namespaces here: {error.strerror}"
    return ""


def in_namespaces(call: Callable[[], object], disks: Mapping[str | Path, str] = {}) -> None:
    """Run *call* in a fork that is the first process of new namespaces, and see all of it end.

    *disks* are mounted there before: directory -> options of a file system in memory.

    Raises:
        PermissionError: namespaces are not allowed here.
        AssertionError: *call* has raised something; this is its traceback.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_outer(call, disks, writer)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _NOT_ALLOWED:
        raise PermissionError(1, said or "not permitted")
    if said or code != 0:
        raise AssertionError(said or f"the process that provokes has ended with {code}")


_NOT_ALLOWED: Final = 77


def _be_outer(call: Callable[[], object], disks: Mapping[str | Path, str], said: int) -> None:
    """Make the namespaces; the fork after that is their first process."""
    code = 1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWPID | CLONE_NEWNS) != 0:
            os.write(said, os.strerror(ctypes.get_errno()).encode())
            os._exit(_NOT_ALLOWED)
        pid = os.fork()
        if pid == 0:
            _be_first(call, disks, said)
        _, status = os.waitpid(pid, 0)
        code = abs(os.waitstatus_to_exitcode(status))
    finally:
        os._exit(code)


def _be_first(call: Callable[[], object], disks: Mapping[str | Path, str], said: int) -> None:
    code = 1
    try:
        _mount(b"none", b"/", None, MS_REC_PRIVATE, None)
        _mount(b"proc", b"/proc", b"proc", 0, None)
        for place, options in disks.items():
            os.makedirs(place, exist_ok=True)
            _mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, options.encode())
        call()
        code = 0
    except BaseException:  # noqa: BLE001 - told to the process that waits
        os.write(said, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)


def _mount(
    source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None
) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), options) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))
