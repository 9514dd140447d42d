"""The output directory: whose it is, who uses it now, and where each run keeps its things.

::

    DIR/.testloom-out            the marker: this directory is ours
    DIR/.lock                    held by the run that goes on; says which one that is
    DIR/latest                   a link to the newest run
    DIR/<run id>/.testloom-out   the marker of a run: it may be removed when it is old
    DIR/<run id>/run.journal

Whatever is wrong with the directory is found here, before any test runs, and is a `UsageError`.
Nothing without our marker is ever removed or taken over.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import re
import socket
from typing import Final, Self

import msgspec

from testloom.journal.archive import is_archive, unpacked
from testloom.journal.writer import RESERVE
from testloom.model.errors import UsageError
from testloom.processes.clock import Clock, SystemClock, iso
from testloom.processes.files import remove_tree

MARKER: Final = ".testloom-out"
LOCK: Final = ".lock"
LATEST: Final = "latest"
JOURNAL: Final = "run.journal"
KEPT_RUNS: Final = 10

_RUN_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{5}\Z")
_MARKER_TEXT: Final = "This directory was made by testloom, which may remove what it made here.\n"
_ELSEWHERE: Final = "choose another directory with --output-dir"


class RunDir(msgspec.Struct, kw_only=True):
    """The directory of one run, and the lock on the output directory that it is in.

    Forked children must close the descriptor `fileno`.
    """

    output_dir: str
    """Absolute path of the output directory."""
    run_id: str
    """Names the run: unique, and in the order of time."""
    path: str
    """Absolute path of the run's own directory."""
    previous: str | None
    """Path of the directory of the run that was the latest before this one, if there is one."""
    notes: tuple[str, ...] = ()
    """What people should know, one line each."""
    _lock: int

    @property
    def journal(self) -> str:
        """The path of the run's journal."""
        return os.path.join(self.path, JOURNAL)

    def fileno(self) -> int:
        return self._lock

    def close(self) -> None:
        """Let others use the output directory; closing twice is fine."""
        if self._lock >= 0:
            lock, self._lock = self._lock, -1
            _unlock(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is not None and not os.path.lexists(self.journal):
            self._give_up()
        self.close()

    def _give_up(self) -> None:
        """Nothing has begun: let the run before this one be the latest again."""
        with contextlib.suppress(OSError):
            if self.previous is None:
                os.unlink(os.path.join(self.output_dir, LATEST))
            else:
                _point_latest(self.output_dir, os.path.basename(self.previous))
        remove_tree(self.path)


def open_run_dir(output_dir: str, clock: Clock | None = None, *, keep: int = KEPT_RUNS) -> RunDir:
    """Make the directory of a new run in *output_dir*, lock that, and make it the latest.

    Missing directories are made; of the older runs, the last *keep* less one stay.

    Raises:
        UsageError: the directory is not ours, is in use, or cannot be written.
    """
    clock = clock or SystemClock()
    try:
        path = os.path.abspath(output_dir)
        _take(path)
        lock, notes = _lock(path, clock)
    except (OSError, ValueError) as error:
        raise _refused(output_dir, error) from error
    try:
        previous = _latest(path)
        run_id = _make_run(path, clock)
        notes += _tidy(path, (run_id, os.path.basename(previous or "")), keep)
    except OSError as error:
        _unlock(lock)
        raise _refused(output_dir, error) from error
    return RunDir(
        output_dir=path,
        run_id=run_id,
        path=os.path.join(path, run_id),
        previous=previous,
        notes=notes,
        _lock=lock,
    )


def runs(output_dir: str) -> list[str]:
    """Return the ids of the runs kept in *output_dir*, oldest first; empty if there are none."""
    try:
        with os.scandir(output_dir) as entries:
            return sorted(
                entry.name
                for entry in entries
                if _RUN_ID.match(entry.name)
                and entry.is_dir(follow_symlinks=False)
                and os.path.exists(os.path.join(entry.path, MARKER))
            )
    except OSError:
        return []


def find_run(output_dir: str, reference: str = LATEST) -> str:
    """Return the path of the directory of a run in *output_dir*.

    *reference* is ``latest``, ``latest~N`` (the Nth before it), the beginning or the end of the
    id of one run, or the path of an archive: then the directory is there as long as this process.

    Raises:
        UsageError: there is no such run, or there are several.
    """
    if is_archive(reference):
        return unpacked(reference)
    known = runs(output_dir)
    if not known:
        raise UsageError(f"{output_dir}: holds no run; run the tests first")
    back = re.fullmatch(r"latest(?:~(\d{1,6}))?", reference)
    if back:
        # The clock may have gone back since: what the link says counts more than the order.
        newest = os.path.basename(_latest(output_dir) or "")
        known.sort(key=lambda run: run == newest)
        number = int(back[1] or 0)
        if number >= len(known):
            raise UsageError(f"{output_dir}: {reference}: only {len(known)} runs are kept here")
        return os.path.join(output_dir, known[-1 - number])
    found = [run for run in known if run.startswith(reference) or run.endswith(reference)]
    if len(found) != 1 or not reference:
        what = f"several runs match {reference!r}" if found else f"no run matches {reference!r}"
        listed = ", ".join((found or known)[-5:])
        raise UsageError(f"{output_dir}: {what}; among those kept: {listed}")
    return os.path.join(output_dir, found[0])


def _take(path: str) -> None:
    """Make *path* ours, if it is not yet."""
    os.makedirs(path, exist_ok=True)
    marker = os.path.join(path, MARKER)
    if os.path.lexists(marker):
        return
    others = sorted(name for name in os.listdir(path) if name != MARKER)
    if others:
        what = ", ".join(repr(name) for name in others[:3]) + (", ..." if others[3:] else "")
        raise UsageError(
            f"{path}: is not a results directory of testloom: it holds {what};"
            f" remove them, or {_ELSEWHERE}"
        )
    _write(marker, _MARKER_TEXT)


def _lock(path: str, clock: Clock) -> tuple[int, tuple[str, ...]]:
    """Lock *path*; return the descriptor that holds the lock, and what is to be said about it."""
    name = os.path.join(path, LOCK)
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    notes: tuple[str, ...] = ()
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "another run"
        os.close(fd)
        raise UsageError(f"{path}: is in use by {holder}; wait for it, or {_ELSEWHERE}") from None
    except OSError as error:
        # Some network file systems have no locks; better to run than not to.
        notes = (f"{path}: no lock support here ({error.strerror}); do not start two runs at once",)
    holder = f"process {os.getpid()} on {socket.gethostname()} since {iso(clock.wall())}\n"
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, holder.encode("utf-8", "backslashreplace"), 0)
    except OSError:
        _unlock(fd)
        raise
    return fd, notes


def _unlock(lock: int) -> None:
    # A child that was forked before it could close the descriptor must not keep the lock.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def _latest(path: str) -> str | None:
    link = os.path.join(path, LATEST)
    return os.path.realpath(link) if os.path.isdir(link) else None


def _make_run(path: str, clock: Clock) -> str:
    """Make the directory of a new run in *path* and point ``latest`` to it; return its id."""
    wall = clock.wall()
    while os.path.lexists(os.path.join(path, run_id := new_id(wall))):
        wall += 0.001
    run = os.path.join(path, run_id)
    os.mkdir(run)
    try:
        _write(os.path.join(run, MARKER), _MARKER_TEXT)
        _point_latest(path, run_id)
    except OSError:
        remove_tree(run)
        raise
    return run_id


def new_id(wall: float) -> str:
    """Return an id for a run that begins at *wall*: ids are in the order in which runs begin.

    The last five digits are the second in a million parts, so two runs of a machine, which take
    much longer to get that far, have different ones.
    """
    at = dt.datetime.fromtimestamp(wall, tz=dt.UTC)
    return f"{at:%Y%m%d-%H%M%S}-{(at.microsecond << 20) // 1_000_000:05x}"


def _point_latest(path: str, run_id: str) -> None:
    link = os.path.join(path, LATEST)
    new = f"{link}.{run_id}"
    os.symlink(run_id, new)
    try:
        os.replace(new, link)
    except OSError:
        os.unlink(new)
        raise


def _tidy(path: str, newest: tuple[str, str], keep: int) -> tuple[str, ...]:
    """Remove old runs and what killed ones left; return what could not be removed.

    The *newest* two, this run and the one before it, stay whatever their ids say.
    """
    others = [name for name in runs(path) if name != newest[0]]
    for name in others:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(path, name, RESERVE))
    old = [name for name in others[: max(0, len(others) + 1 - keep)] if name not in newest]
    return tuple(
        f"{os.path.join(path, name)}: this old run could not be removed"
        for name in old
        if remove_tree(os.path.join(path, name))
    )


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _refused(output_dir: str, error: OSError | ValueError) -> UsageError:
    where, why = output_dir, str(error)
    if isinstance(error, OSError):
        where = error.filename2 or error.filename or output_dir
        why = error.strerror or why
    return UsageError(f"{where}: cannot be used for results: {why.lower()}; {_ELSEWHERE}")
