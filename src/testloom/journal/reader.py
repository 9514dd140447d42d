"""Reads a journal, whole or cut off anywhere, and makes the summary of its run.

What a reader keeps in memory is one small entry a result; the results themselves are read
again, by their place, when a report wants them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from testloom.journal import format as form
from testloom.journal.spans import spans_in
from testloom.model import reason
from testloom.model.attempts import all_with_earlier
from testloom.model.errors import UsageError
from testloom.model.result import ResultRecord
from testloom.model.status import FailureReason, TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

_BUFFER = 1 << 20
_FIRST_READ = 16 << 10
"""Bytes read at a result's place before its size is known: most results are smaller."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal says."""

    path: str
    run: RunInfo | None
    """None if the journal was cut off before the run had begun."""
    tests: Sequence[form.PlannedTest]
    """The selected tests."""
    entries: Sequence[ResultEntry]
    """The final results, each with those of earlier attempts."""
    attempts: Mapping[str, Sequence[ResultEntry]]
    """The results that are not final, by their test, in the order in which they came."""
    settled: AbstractSet[str]
    """The tests all of whose fragments have ended; none in a journal of version 1."""
    words: Sequence[str]
    """What on a command line selects the same tests."""
    carried: bool
    """Whether the results of the run that this one resumes, if it resumes one, are complete."""
    ends: Sequence[form.FragmentEnd]
    """The fragments that ended, in the order in which they did."""
    running: Sequence[form.FragmentStart]
    """The fragments that started and did not end."""
    dropped_bytes: int
    """Bytes at the end that are no complete records: a write was cut off there."""
    skipped: int
    """Complete records that this version does not understand."""
    complete: bool
    """Whether the run ended by itself and nothing was dropped."""
    exit_code: int | None
    """What the run exited with; None if it did not end by itself."""
    last_t: float
    """Seconds from the beginning of the run to the last record."""


class _Reading(msgspec.Struct):
    """What has been read so far."""

    start: form.RunStart | None = None
    end: form.RunEnd | None = None
    tests: list[form.PlannedTest] = []
    entries: list[ResultEntry] = []
    attempts: dict[str, list[ResultEntry]] = {}
    settled: set[str] = set()
    carried: bool = False
    ends: list[form.FragmentEnd] = []
    running: dict[str, form.FragmentStart] = {}
    skipped: int = 0
    last_t: float = 0.0

    def add(self, record: form.Indexed | None, place: int) -> None:
        match record:
            case None:
                self.skipped += 1
                return
            case form.RunStart():
                self.start = record
            case form.Tests():
                self.tests.extend(record.tests)
            case form.Edges():
                pass  # kept by nobody: `testloom.journal.spans` reads them again
            case form.FragmentStart():
                self.running[record.uid] = record
            case form.FragmentEnd():
                self.running.pop(record.uid, None)
                self.ends.append(record)
            case form.ResultIndex():
                self.entries.append(record.entry(place))
                if record.settles:
                    self.settled.add(record.test)
            case form.Carried():
                self.carried = True
            case form.TestEnd():
                self.settled.add(record.test)
            case form.AttemptIndex():
                self.attempts.setdefault(record.test, []).append(record.entry(place))
            case form.RunEnd():
                self.end = record
        self.last_t = record.t

    def run(self) -> RunInfo | None:
        """Return what is known of the run, from its start and its end."""
        if self.start is None:
            return None
        if self.end is None:
            return msgspec.structs.replace(
                self.start.run, duration_s=self.last_t, stopped="the run did not end by itself"
            )
        return msgspec.structs.replace(
            self.start.run, duration_s=self.end.duration_s, stopped=self.end.stopped
        )


def read(path: str) -> Journal:
    """Read the journal at *path* up to its end or to the first record that is not whole.

    Raises:
        UsageError: there is no such file, or a newer version of testloom wrote it.
    """
    reading = _Reading()
    try:
        with open(path, "rb", buffering=_BUFFER) as file:
            size = os.fstat(file.fileno()).st_size
            end = 0
            for place, data in form.records_in(file, size):
                if place == 0:
                    _check_format(path, data)
                reading.add(form.decode(data), place)
                end = place + form.HEADER_SIZE + len(data) + 1
    except OSError as error:
        raise UsageError(
            f"{path}: the journal cannot be read: {error.strerror}; name a run that exists"
        ) from error
    return Journal(
        path=path,
        run=reading.run(),
        tests=reading.tests,
        entries=all_with_earlier(reading.entries, reading.attempts),
        attempts=reading.attempts,
        settled=reading.settled,
        words=() if reading.start is None else reading.start.words,
        carried=reading.carried or reading.start is None or not reading.start.run.resumes,
        ends=reading.ends,
        running=tuple(reading.running.values()),
        dropped_bytes=size - end,
        skipped=reading.skipped,
        complete=reading.end is not None and size == end,
        exit_code=None if reading.end is None else reading.end.exit_code,
        last_t=reading.last_t,
    )


def summary_of(journal: Journal) -> Summary:
    """Return the summary of the run of *journal*.

    If the run did not end by itself, the tests without a result get one that says so, so that
    a report of it accounts for every selected test.

    Raises:
        UsageError: the journal does not say what run it is of.
    """
    if journal.run is None:
        raise UsageError(
            f"{journal.path}: holds no run ({journal.dropped_bytes} bytes make no sense);"
            " give the journal of a run"
        )
    entries: Sequence[ResultEntry] = journal.entries
    notes = []
    if journal.dropped_bytes:
        notes.append(f"{journal.path}: dropped {journal.dropped_bytes} bytes after the last record")
    if journal.skipped:
        notes.append(f"{journal.path}: skipped {journal.skipped} records of unknown kinds")
    if not journal.complete:
        missing = _missing(journal)
        notes.append(f"the run did not end by itself: {len(missing)} tests have no result")
        entries = [*entries, *missing]
    return Summary(
        run=journal.run,
        entries=entries,
        load=functools.partial(_load, journal.path),
        notes=notes,
        spans=functools.partial(spans_in, journal.path),
    )


def load_from(fd: int, path: str, entry: ResultEntry) -> ResultRecord:
    """Return the record of *entry* from the journal open as *fd*, whose name is *path*.

    An entry without a place gives what the entry itself says.

    Raises:
        JournalError: there is no such record.
    """
    if entry.place < 0:
        return _record_of(entry)
    try:
        data = os.pread(fd, _FIRST_READ, entry.place)
        header = data[: form.HEADER_SIZE]
        size = form.size_in(header)
        whole = form.HEADER_SIZE + (size or 0) + 1
        if whole > len(data):
            data = _pread_all(fd, whole, entry.place)
    except OSError as error:
        why = f"the result of {entry.name!r} cannot be read: {error.strerror}"
        raise form.JournalError(path, why) from error
    record = None
    body = memoryview(data)[form.HEADER_SIZE : whole]  # megabytes are better not copied
    if size is not None and form.is_whole(header, body):
        record = form.decode_kept(body[:-1])
    if record is None:
        raise form.JournalError(path, f"the result of {entry.name!r} is damaged")
    return record


def _check_format(path: str, first: bytes) -> None:
    version = form.format_of(first)
    if version is None:
        raise UsageError(f"{path}: is not a journal of testloom; give the journal of a run")
    if version > form.FORMAT:
        raise UsageError(
            f"{path}: was written by a newer testloom (journal format {version}, this one reads"
            f" up to {form.FORMAT}); upgrade testloom"
        )


def _missing(journal: Journal) -> list[ResultEntry]:
    """Return an entry for each selected test of *journal* that has no result."""
    seen = {entry.test for entry in journal.entries}
    started = {start.test: start for start in journal.running}
    missing = [
        _unfinished(test, started.get(test.name), journal.attempts.get(test.name, ()))
        for test in journal.tests
        if test.name not in seen
    ]
    return all_with_earlier(missing, journal.attempts)


def _unfinished(
    test: form.PlannedTest, start: form.FragmentStart | None, earlier: Sequence[ResultEntry]
) -> ResultEntry:
    return ResultEntry(
        name=test.name,
        test=test.name,
        status=TestStatus.SKIP,
        message="the run ended before the test did" if start else "the run ended before the test",
        reason=reason.INTERRUPTED if start else reason.RUN_ABORTED,
        failure_reasons=(FailureReason.NOT_RUN.name,),
        slot=start.slot if start else -1,
        started_s=start.t if start else 0.0,
        driver=test.driver,
        source=test.source,
        line=test.line,
        tags=test.tags,
        attempt=1 + max((one.attempt for one in earlier), default=0),
        max_attempts=max((one.max_attempts for one in earlier), default=1),
    )


def _record_of(entry: ResultEntry) -> ResultRecord:
    return ResultRecord(
        name=entry.name,
        status=entry.status.name,
        msg=entry.message or None,
        reason=entry.reason,
        failure_reasons=list(entry.failure_reasons),
        time=entry.time_s,
        info=dict(entry.info),
    )


def _load(path: str, entry: ResultEntry) -> ResultRecord:
    if entry.place < 0:
        return _record_of(entry)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise form.JournalError(path, f"cannot be opened: {error.strerror}") from error
    try:
        return load_from(fd, path, entry)
    finally:
        os.close(fd)


def _pread_all(fd: int, count: int, at: int) -> bytes:
    """Read *count* bytes, fewer at the end of the file only."""
    pieces = []
    while count > 0 and (piece := os.pread(fd, count, at)):
        pieces.append(piece)
        count -= len(piece)
        at += len(piece)
    return b"".join(pieces)
