r"""The form of a journal on disk, version 2.

A journal is a sequence of records, each one line::

    <length> <crc32> <json>\n

*length* is the number of bytes of the JSON, ten decimal digits; *crc32* is the checksum of the
JSON, eight hexadecimal digits.  The first record is a `RunStart`, which names the version.
Readers skip records of a ``type`` they do not know; a change that makes old readers wrong
increases `FORMAT`.

A `Result` holds the `testloom.model.result.ResultRecord` exactly as the worker sent it.

Version 2 has, besides what version 1 has, `Attempt`, `TestEnd`, `Carried`,
`Result.settles`, `RunStart.words` and `PlannedTest.inputs`.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, ResultFacts, RunInfo

FORMAT: Final = 2
HEADER_SIZE: Final = 20
"""Bytes before the JSON of a record."""
_LARGE: Final = 64 << 10
"""Bytes from which on a record is worth not being read."""
_PEEKED: Final = 32


_STATUSES: Final = {status.name: status for status in TestStatus}


class JournalError(OSError):
    """The journal cannot be written or read; the message names it and says why.

    The run whose journal it is must stop: what happens from here on may not be kept.
    """

    def __init__(self, path: str, why: str, *, place: int = -1) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.place = place
        """Where the record that met the error is all the same; -1 if it was not written."""


class PlannedTest(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A test that was selected, as it was known before anything ran."""

    name: str
    source: str = ""
    line: int = 1
    driver: str = ""
    tags: tuple[str, ...] = ()
    inputs: str = ""
    """Fingerprint of the files it is made of; empty if that is not known."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is common to all records."""

    t: float
    """Seconds since the beginning of the run."""


class RunStart(_Record, frozen=True, tag="run-start"):
    """A run begins."""

    format: int
    run: RunInfo
    boot_id: str = ""
    """Which start of the machine it runs in: a run of another boot cannot still be running."""
    selection: str = ""
    """`selection_hash` of the selected tests' names."""
    tests: int = 0
    """How many tests were selected."""
    words: tuple[str, ...] = ()
    """What on a command line selects these tests, for a run that resumes this one."""


class Tests(_Record, frozen=True, tag="tests"):
    """Some of the selected tests; there are as many of these records as it takes."""

    tests: tuple[PlannedTest, ...]


class Edges(_Record, frozen=True, tag="edges"):
    """Which fragments follow which; there are as many of these records as it takes.

    Fragments that follow none, and that none follows, are not in here.
    """

    uids: tuple[str, ...]
    after: tuple[tuple[int, ...], ...]
    """For each of `uids` those that it follows, by their places among the uids of all records."""


class Carried(_Record, frozen=True, tag="carried"):
    """All results that a run has from the one it resumes stand before this record."""

    tests: int


class FragmentStart(_Record, frozen=True, tag="fragment-start"):
    """A fragment was given to a slot."""

    uid: str
    test: str
    slot: int
    attempt: int = 1


class FragmentEnd(_Record, frozen=True, tag="fragment-end"):
    """A fragment ended, and its slot is free again."""

    uid: str
    slot: int
    end: str
    """How: the name of a class of `testloom.model.outcome.FragmentEnd`."""
    wall_s: float
    cpu_s: float


class _Index(ResultFacts, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a reader keeps in memory of a result."""

    t: float
    """As in other records."""
    status: str

    def entry(self, place: int) -> ResultEntry:
        """Return this as the entry of the result that is kept at *place*."""
        status = _STATUSES.get(self.status, TestStatus.ERROR)
        return ResultEntry(**self.facts(), status=status, place=place)


class ResultIndex(_Index, frozen=True, tag="result"):
    """A `Result` without the record itself."""

    settles: bool = False
    """Whether it is the last result of its test, all of whose fragments have ended."""


class Result(ResultIndex, frozen=True, kw_only=True, tag="result"):
    """A result is final."""

    record: msgspec.Raw


class AttemptIndex(_Index, frozen=True, tag="attempt"):
    """An `Attempt` without the record itself."""


class Attempt(AttemptIndex, frozen=True, kw_only=True, tag="attempt"):
    """A result that is not final: its test runs again."""

    record: msgspec.Raw


class TestEnd(_Record, frozen=True, tag="test-end"):
    """All fragments of a test have ended, and the last one had no result that settles it."""

    test: str


class RunEnd(_Record, frozen=True, tag="run-end"):
    """The run ended by itself; where this record is missing, something ended it."""

    duration_s: float
    stopped: str = ""
    exit_code: int = 0


_Same = RunStart | Tests | Edges | Carried | FragmentStart | FragmentEnd | TestEnd | RunEnd
Written = _Same | Result | Attempt
"""What a writer writes."""
Indexed = _Same | ResultIndex | AttemptIndex
"""What a reader reads one after the other."""


class _Opening(msgspec.Struct, tag="run-start"):
    """The part of a `RunStart` that is the same in every version."""

    format: int


class _Timed(msgspec.Struct):
    """The part that all records have."""

    t: float = 0.0


class _Kept(msgspec.Struct):
    """The part of a `Result` or an `Attempt` that is read when somebody wants to see it."""

    record: ResultRecord


_encoder = msgspec.json.Encoder()
_opening_decoder = msgspec.json.Decoder(_Opening)
_timed_decoder = msgspec.json.Decoder(_Timed)
_WHOLE: Final = (b'{"type":"result"', b'{"type":"attempt"')


# Made when something is read: that takes 3 ms in all, and most runs only write.


@functools.cache
def _decoder() -> msgspec.json.Decoder[Indexed]:
    return msgspec.json.Decoder(Indexed)


@functools.cache
def _whole_decoder() -> msgspec.json.Decoder[Result | Attempt]:
    return msgspec.json.Decoder(Result | Attempt)


@functools.cache
def _kept_decoder() -> msgspec.json.Decoder[_Kept]:
    return msgspec.json.Decoder(_Kept)


def result_of(entry: ResultEntry, record: bytes, t: float, *, settles: bool) -> Result:
    """Return what is written for *entry*, whose `ResultRecord` is the JSON *record*."""
    return Result(
        **entry.facts(), status=entry.status.name, t=t, settles=settles, record=msgspec.Raw(record)
    )


def carried_of(old: Result | Attempt, t: float, *, counts: bool) -> Result | Attempt:
    """Return what is written for the *old* result of another run, which *counts* or does not."""
    if isinstance(old, Result) and counts:
        return msgspec.structs.replace(old, t=t)
    return Attempt(
        **{name: getattr(old, name) for name in _Index.__struct_fields__ if name != "t"},
        t=t,
        record=old.record,
    )


def attempt_of(entry: ResultEntry, record: bytes, t: float) -> Attempt:
    """Return what is written for *entry* when its test is going to run again."""
    return Attempt(**entry.facts(), status=entry.status.name, t=t, record=msgspec.Raw(record))


def encode(record: Written) -> bytes:
    """Return *record* as a line of the journal; text that is not Unicode is escaped."""
    try:
        data = _encoder.encode(record)
    except UnicodeEncodeError:
        data = _encoder.encode(_escaped(record))
    return b"%010d %08x %b\n" % (len(data), zlib.crc32(data), data)


def size_in(header: bytes) -> int | None:
    """Return how many bytes of JSON follow *header*; None if it is no header of a record."""
    if len(header) == HEADER_SIZE and header[10] == header[19] == 0x20 and header[:10].isdigit():
        return int(header[:10])
    return None


def is_whole(header: bytes, body: bytes | memoryview) -> bool:
    """Tell whether *body*, JSON and line end, is what *header* announces."""
    # As text, since a number may be written in several ways: a damaged one would pass.
    return body[-1:] == b"\n" and header[11:19] == b"%08x" % zlib.crc32(memoryview(body)[:-1])


def records_in(
    file: BinaryIO, size: int, beginnings: tuple[bytes, ...] = ()
) -> Iterator[tuple[int, bytes]]:
    """Yield the place and the JSON of each record in *file*, as long as they are whole.

    Of large records only those are read and checked whose JSON has one of the *beginnings*, if
    there are any.
    """
    place = 0
    while header := file.read(HEADER_SIZE):
        length = size_in(header)
        # A damaged length may be huge: no more is read than is there.
        if length is None or place + HEADER_SIZE + length + 1 > size:
            return
        start = b""
        if beginnings and length > _LARGE:
            start = file.read(_PEEKED)
            if not start.startswith(beginnings):
                place += HEADER_SIZE + length + 1
                file.seek(place)
                continue
        body = start + file.read(length + 1 - len(start))
        if not is_whole(header, body):
            return
        yield place, body[:-1]
        place += HEADER_SIZE + length + 1


def decode(data: bytes) -> Indexed | None:
    """Return the record whose JSON is *data*; None if it is of no kind that we know."""
    try:
        return _decoder().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def decode_whole(data: bytes) -> Result | Attempt | None:
    """Return the `Result` or `Attempt` whose JSON is *data*, with its record."""
    if not data.startswith(_WHOLE):
        return None
    try:
        return _whole_decoder().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def time_of(data: bytes) -> float:
    """Return the time of the record whose JSON is *data*; 0 if it has none."""
    try:
        return _timed_decoder.decode(data).t
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0.0


def format_of(data: bytes) -> int | None:
    """Return the version in the first record, whose JSON is *data*; None if it has none."""
    try:
        return _opening_decoder.decode(data).format
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def decode_kept(data: bytes | memoryview) -> ResultRecord | None:
    """Return the result within the `Result` or `Attempt` whose JSON is *data*; None if there is none."""
    try:
        return _kept_decoder().decode(data).record
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def selection_hash(names: Iterable[str]) -> str:
    """Return 16 hexadecimal digits that differ for different lists of names."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16]


def _escaped(value: Any) -> Any:
    """Return *value* with every lone surrogate in it written as an escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, tuple):
        return tuple(_escaped(item) for item in value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, msgspec.Struct):
        fields = {name: _escaped(getattr(value, name)) for name in value.__struct_fields__}
        return type(value)(**fields)
    return value
