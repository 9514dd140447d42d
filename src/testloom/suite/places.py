"""The directory that the tests of a run work in, and the environment they run with."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import tempfile
from collections.abc import Iterator

from testloom.drivers import CleanupMode
from testloom.model.errors import UsageError
from testloom.processes.files import remove_tree, write_whole
from testloom.processes.spare import sweep
from testloom.suite.run_options import RunOptions


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Where a run works, and what it leaves there."""

    working_dir: str
    cleanup_mode: CleanupMode


@contextlib.contextmanager
def working_place(options: RunOptions, *, is_listing: bool) -> Iterator[Places]:
    """Make the working directory; afterwards remove it if nothing is to be kept in it.

    Raises:
        UsageError: it cannot be made.
    """
    mode = CleanupMode[options.cleanup_mode.upper()]
    if is_listing:
        yield Places(options.temp_dir or tempfile.gettempdir(), mode)
        return
    path = _make(options)
    try:
        yield Places(path, mode)
    finally:
        if mode is CleanupMode.ALL:
            remove_tree(path)
        elif mode is CleanupMode.PASSING:
            sweep(path)
            if options.random_temp_subdir:
                with contextlib.suppress(OSError):  # kept if something is kept in it
                    os.rmdir(path)


def _make(options: RunOptions) -> str:
    parent = os.path.abspath(options.temp_dir or tempfile.gettempdir())
    try:
        if options.random_temp_subdir:
            if not os.path.isdir(parent):
                raise UsageError(f"temp dir {parent!r} does not exist; create it first")
            return tempfile.mkdtemp(prefix="testloom-", dir=parent)
        remove_tree(parent)
        os.makedirs(parent)
    except OSError as error:
        raise UsageError(f"temp dir {parent!r} cannot be used: {error.strerror}") from error
    return parent


def dump_environ(path: str) -> None:
    """Write a shell script to *path* that sets the environment of this process."""
    lines = [
        f"export {name}={shlex.quote(value)}\n"
        for name, value in sorted(os.environ.items())
        if "(" not in name and name not in ("PROFILEREAD", "SHELLOPTS")
    ]
    write_whole(path, "".join(lines).encode("utf-8", "surrogateescape"))
