"""Writes the journal of a run: what is written here survives the death of the process.

A result is handed to the kernel by one ``write`` before anybody is told about it; nothing
waits in this process.  Only starts and ends of fragments wait for the next result (or
`JournalWriter.flush`), because nobody is shown those.  `JournalWriter.sync`, called once a
second, bounds what a power failure can take.

A full disk is met with a reserve: a file that takes up space beside the journal and is given
up when a write fails, so that the results of the tests that still run, the end of the run and
its reports have room.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final

from testloom.journal import format as form
from testloom.journal.reader import load_from
from testloom.journal.spans import edges_of, spans_from
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import Clock
from testloom.processes.identity import boot_id

RESERVE: Final = ".reserve"
"""Name of the file that takes up space; it may stay behind if the run is killed."""
_RESERVE_SIZE: Final = 4 << 20
_TESTS_A_RECORD: Final = 1000
_PENDING_LIMIT: Final = 64 << 10
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_SYNC: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EROFS)


class JournalWriter:
    """The journal of one run, open for writing; owned by the main thread.

    Every method raises `JournalError` if the disk refuses a record; the run must then stop.
    A record that met a full disk is first tried again in the space of the reserve.  If it
    fits, the error's `place` says where it is: it is kept, and what the tests that still run
    come to can be written too.  The file never ends in a piece of a record that we know of.

    Forked children must close the descriptor `fileno`.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._start = clock.now()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._synced = 0
        try:
            self._fd = os.open(
                path,
                os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o666,
            )
            self._end = os.fstat(self._fd).st_size
        except OSError as error:
            raise form.JournalError(path, f"cannot be opened: {error.strerror}") from error
        self._reserve = _take_reserve(os.path.join(os.path.dirname(path), RESERVE))

    def run_started(
        self,
        run: RunInfo,
        tests: Sequence[form.PlannedTest],
        predecessors: Mapping[str, AbstractSet[str]] = MappingProxyType({}),
        words: Sequence[str] = (),
    ) -> None:
        """Begin: times in the journal count from here.

        *predecessors* says of each fragment, by its uid, which ones it follows; *words* on a
        command line select the same tests.
        """
        self._start = self._clock.now()
        start = form.RunStart(
            t=0.0,
            format=form.FORMAT,
            run=run,
            boot_id=boot_id(),
            selection=form.selection_hash(test.name for test in tests),
            tests=len(tests),
            words=tuple(words),
        )
        self._append(form.encode(start))
        for at in range(0, len(tests), _TESTS_A_RECORD):
            batch = tuple(tests[at : at + _TESTS_A_RECORD])
            self._append(form.encode(form.Tests(t=self._now(), tests=batch)))
        for edges in edges_of(predecessors, self._now()):
            self._append(form.encode(edges))

    def fragment_started(
        self, uid: str, test: str, slot: int, attempt: int = 1, at: float | None = None
    ) -> None:
        """Note that a fragment runs, since the instant *at* or now; may wait for the next result."""
        t = self._now() if at is None else round(max(0.0, at - self._start), 6)
        self._wait(form.FragmentStart(t=t, uid=uid, test=test, slot=slot, attempt=attempt))

    def fragment_ended(self, uid: str, slot: int, end: str, wall_s: float, cpu_s: float) -> None:
        """Note that a fragment ended, *end* being the name of the class of its end."""
        self._wait(
            form.FragmentEnd(t=self._now(), uid=uid, slot=slot, end=end, wall_s=wall_s, cpu_s=cpu_s)
        )

    def result(self, entry: ResultEntry, record: bytes, *, settles: bool = False) -> int:
        """Keep a result and return its place, by which `load` and `Summary.load` find it.

        *record* is the JSON of a `ResultRecord`; it is stored as it is.  The last result of a
        test all of whose fragments have ended *settles* it.
        """
        result = form.result_of(entry, record, self._now(), settles=settles)
        return self._append(form.encode(result))

    def attempt(self, entry: ResultEntry, record: bytes) -> int:
        """Keep a result whose test is going to run again; return its place."""
        return self._append(form.encode(form.attempt_of(entry, record, self._now())))

    def carry(self, old: form.Result | form.Attempt, *, counts: bool) -> ResultEntry:
        """Keep a result of another run, which *counts* or is that of an earlier attempt."""
        whole = form.carried_of(old, self._now(), counts=counts)
        return whole.entry(self._append(form.encode(whole)))

    def carried(self, tests: int) -> None:
        """Note that all results of *tests* tests of another run have been carried."""
        self._append(form.encode(form.Carried(t=self._now(), tests=tests)))

    def test_settled(self, test: str) -> None:
        """Note that all fragments of *test* have ended, if its last result did not settle it."""
        self._append(form.encode(form.TestEnd(t=self._now(), test=test)))

    def run_ended(self, *, duration_s: float, stopped: str = "", exit_code: int = 0) -> None:
        """End: a journal without this belongs to a run that something ended."""
        end = form.RunEnd(
            t=self._now(), duration_s=duration_s, stopped=stopped, exit_code=exit_code
        )
        self._append(form.encode(end))

    def load(self, entry: ResultEntry) -> ResultRecord:
        """Return the record kept at the place of *entry*, also if somebody deleted the file.

        Raises:
            JournalError: it cannot be read.
        """
        return load_from(self._fd, self.path, entry)

    def spans(self) -> Iterator[FragmentSpan]:
        """Yield the fragments that ran so far; see `testloom.journal.spans`.

        What still waits for a result is not among them: `flush` first.

        Raises:
            OSError: the journal cannot be read.
        """
        return spans_from(self._fd)

    def flush(self) -> None:
        """Write what waits for the next result."""
        if self._pending:
            self._append(b"")

    def sync(self) -> None:
        """Put everything on the disk itself, and see that the file is still there.

        Call it about once a second; it costs next to nothing if nothing was written since.
        """
        self.flush()
        if self._end != self._synced:
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                if error.errno not in _NO_SYNC:
                    raise self._error(error) from error
            self._synced = self._end
        if os.fstat(self._fd).st_nlink == 0:
            raise form.JournalError(self.path, "was deleted while the run was going on")

    def close(self) -> None:
        """Sync and close, and give up the reserve; closing twice is fine."""
        if self._fd < 0:
            return
        try:
            self.sync()
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)
            self._free_reserve()

    def fileno(self) -> int:
        return self._fd

    def _now(self) -> float:
        return round(self._clock.now() - self._start, 6)

    def _wait(self, record: form.FragmentStart | form.FragmentEnd) -> None:
        line = form.encode(record)
        self._pending.append(line)
        self._pending_bytes += len(line)
        if self._pending_bytes > _PENDING_LIMIT:
            self.flush()

    def _append(self, line: bytes) -> int:
        """Write what waits and then *line*, by one call; return where *line* is."""
        place = self._end + self._pending_bytes
        data = b"".join((*self._pending, line)) if self._pending else line
        try:
            self._write(data)
        except OSError as error:
            stored = self._try_again(error, data)
            raise self._error(error, place if stored else -1) from error
        self._pending.clear()
        self._pending_bytes = 0
        return place

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        while written < len(data):
            # The rest would not fit: the next call says why.
            written += os.write(self._fd, data[written:])
        self._end += written

    def _try_again(self, error: OSError, data: bytes) -> bool:
        """Take back what was written of *data*, make room if there is none, write it again."""
        try:
            os.ftruncate(self._fd, self._end)
            if error.errno in _FULL:
                self._free_reserve()
            self._write(data)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
            return False
        self._pending.clear()
        self._pending_bytes = 0
        return True

    def _free_reserve(self) -> None:
        if self._reserve:
            with contextlib.suppress(OSError):
                os.unlink(self._reserve)
            self._reserve = ""

    def _error(self, error: OSError, place: int = -1) -> form.JournalError:
        if error.errno in _FULL:
            return form.JournalError(self.path, "results disk full", place=place)
        why = f"cannot be written: {error.strerror}"
        return form.JournalError(self.path, why, place=place)


def _take_reserve(path: str) -> str:
    """Make a file at *path* that takes up space; return it, or nothing if there is too little."""
    try:
        disk = os.statvfs(os.path.dirname(path) or ".")
        # On a nearly full disk the reserve must not be what fills it.
        size = min(_RESERVE_SIZE, disk.f_bavail * disk.f_frsize // 4)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
        finally:
            os.close(fd)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        return ""
    return path
