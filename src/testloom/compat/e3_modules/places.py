"""The directories of results: ``DIR/new`` and ``DIR/old``, or as the options say."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from typing import Any

from testloom.journal.rundir import RunDir, new_id
from testloom.model.errors import UsageError
from testloom.processes.clock import SystemClock
from testloom.processes.files import remove_tree


def new_and_old(options: Any) -> tuple[str, str | None]:
    """Return where the results go, and where those of an earlier run are, if there are any."""
    new = os.path.abspath(options.output_dir)
    if options.old_output_dir:
        old = os.path.abspath(options.old_output_dir)
    else:
        new, old = os.path.join(new, "new"), os.path.join(new, "old")
    if options.rotate_output_dirs:
        return new, old if os.path.isdir(new) or os.path.isdir(old) else None
    return new, old if os.path.isdir(old) else None


@contextlib.contextmanager
def result_dir(options: Any, *, keep: list[str]) -> Iterator[RunDir]:
    """Make the directory for the results, empty; hold a lock on it meanwhile.

    Args:
        options: the parsed command line.
        keep: directories that must not be removed, whatever the options say.

    Raises:
        UsageError: the directory holds one of *keep*, is in use, or cannot be made.
    """
    new, old = new_and_old(options)
    try:
        os.makedirs(os.path.dirname(new), exist_ok=True)
        lock = os.open(os.path.dirname(new), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{new}: cannot be made: {error.strerror}") from error
    run = RunDir(
        output_dir=os.path.abspath(options.output_dir),
        run_id=new_id(SystemClock().wall()),
        path=new,
        previous=old,
        _lock=lock,
    )
    with contextlib.closing(run):  # which, other than `with run`, removes nothing
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{new}: another run uses this directory; wait for it") from None
        except OSError:
            pass  # some network file systems have no locks
        if options.rotate_output_dirs and os.path.isdir(new):
            _rotate(new, options, keep)
        _empty(new, keep)
        yield run


def _rotate(new: str, options: Any, keep: list[str]) -> None:
    old = os.path.abspath(options.old_output_dir) if options.old_output_dir else ""
    old = old or os.path.join(os.path.dirname(new), "old")
    _remove(old, keep)
    try:
        shutil.move(new, old)
    except OSError as error:
        raise UsageError(f"{new}: cannot be moved to {old}: {error}") from error


def _empty(path: str, keep: list[str]) -> None:
    _remove(path, keep)
    try:
        os.makedirs(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be made: {error.strerror}") from error


def _remove(path: str, keep: list[str]) -> None:
    if not os.path.lexists(path):
        return
    real = os.path.realpath(path)
    for kept in keep:
        if os.path.commonpath([real, os.path.realpath(kept)]) == real:
            raise UsageError(
                f"{path}: would be removed to make place for results, and {kept} is in it;"
                " choose another output directory"
            )
    left = remove_tree(path)
    if left:
        raise UsageError(f"{path}: cannot be removed: {left[0]} is left")
