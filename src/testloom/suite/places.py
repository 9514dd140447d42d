"""The directory that the tests of a run work in, and the environment they run with.

While the run goes on, a claim (`testloom.processes.claim`) in the directory says whose it is.  So
the next run beside it can remove it, and end its processes, if this one is killed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator
from typing import Final

import msgspec

from testloom.console.text import counted
from testloom.drivers import CleanupMode
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.processes import claim
from testloom.processes.claim import Claim, Found
from testloom.processes.files import refuse_mounts, remove_tree, write_whole
from testloom.processes.spare import sweep
from testloom.suite.baselines import failures_in
from testloom.suite.run_options import RunOptions

_PREFIX: Final = "testloom-"


class Places(msgspec.Struct, frozen=True):
    """Where a run works, and what it leaves there."""

    working_dir: str
    cleanup_mode: CleanupMode
    notes: tuple[str, ...] = ()
    """What was found there, one line each."""
    claim: Claim | None = None

    def name_run(self, mark: str, results: str) -> None:
        """Take note that programs of the run are told by *mark*, and of the place of its results."""
        if self.claim is not None:
            self.claim.name_run(mark, results)


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
    path, notes = _make(options)
    mine = _claimed(path, is_kept=mode is CleanupMode.NONE)
    try:
        yield Places(path, mode, notes, mine)
    finally:
        if mine is not None:
            mine.release()
        if mode is CleanupMode.ALL:
            remove_tree(path)
        elif mode is CleanupMode.PASSING:
            sweep(path)
            if options.random_temp_subdir:
                with contextlib.suppress(OSError):  # kept if something is kept in it
                    os.rmdir(path)


def _make(options: RunOptions) -> tuple[str, tuple[str, ...]]:
    """Make the directory; return it, and what is to be said about what was there."""
    parent = os.path.abspath(options.temp_dir or tempfile.gettempdir())
    try:
        if options.random_temp_subdir:
            if not os.path.isdir(parent):
                raise UsageError(f"temp dir {parent!r} does not exist; create it first")
            notes = tuple(map(_swept, claim.all_abandoned(parent, _PREFIX)))
            return tempfile.mkdtemp(prefix=_PREFIX, dir=parent), notes
        user = claim.user_of(parent)
        if user is not None:
            raise UsageError(
                f"temp dir {parent!r} is in use by process {user}; wait for it, or name another one"
            )
        if (found := claim.abandoned(parent)) is not None:
            with found:
                found.end_processes()
        refuse_mounts(parent)
        remove_tree(parent)
        os.makedirs(parent)
    except OSError as error:
        where = "" if error.filename in (None, parent) else f"{error.filename}: "
        raise UsageError(f"temp dir {parent!r} cannot be used: {where}{error.strerror}") from error
    return parent, ()


def _swept(found: Found) -> str:
    """End and remove what a run has left that was killed; say so.

    The directories of tests that it had seen fail stay, as they would have without its death.
    """
    ended = found.end_processes()
    kept = failures_in(found.results) if found.results else []
    tops = (os.path.relpath(failure.working_dir, found.directory) for _, failure in kept)
    try:
        left = found.remove({path.partition(os.sep)[0] for path in tops})
        what = "is kept" if os.path.lexists(found.directory) else "is removed"
        what = "could not be removed" if left else what
    except OSError as error:
        where = shown_line(error.filename or found.directory)
        what = f"could not be removed ({where}: {error.strerror})"
    killed = f", {counted(ended, 'process', 'processes')} of it killed" if ended else ""
    return f"an earlier run (process {found.pid}) was killed: {found.directory} {what}{killed}"


def _claimed(path: str, *, is_kept: bool) -> Claim | None:
    try:
        return Claim.on(path, is_kept=is_kept)
    except OSError:  # tests will say what is wrong with the disk
        return None


def dump_environ(path: str) -> None:
    """Write a shell script to *path* that sets the environment of this process."""
    lines = [
        f"export {name}={shlex.quote(value)}\n"
        for name, value in sorted(os.environ.items())
        if "(" not in name and name not in ("PROFILEREAD", "SHELLOPTS")
    ]
    write_whole(path, "".join(lines).encode("utf-8", "surrogateescape"))
