"""A run as one file, to be carried from one machine to another: a zip with its journal in it.

What comes from elsewhere is not trusted.  Nothing is unpacked under a name that an archive gives:
its journal is read as a stream, or copied to a file of ours.  An archive that holds anything else
than it should, or claims to become absurdly large, is refused; and however large it claims to be,
no more than that is ever read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, Final, cast

import msgspec

from testloom._version import __version__
from testloom.model.errors import UsageError
from testloom.processes.files import whole_file

SUFFIX: Final = ".zip"
JOURNAL: Final = "run.journal"
HEAD: Final = "testloom-run.json"
FORMAT: Final = 1

_CHUNK: Final = 1 << 20
_LEVEL: Final = 6
_HEAD_LIMIT: Final = 64 << 10
_HARMLESS_BYTES: Final = 64 << 20
"""A journal of this size is read however well it was packed."""
_MOST_BYTES: Final = 64 << 30
_MOST_RATIO: Final = 250
"""How many times its packed size a larger one may have; logs that repeat one line have less."""
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""What zip files call the beginning of time: equal runs make equal archives."""

_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, struct.error),
)
"""What `zipfile` raises where the bytes of an archive make no sense."""
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_unpacked: dict[str, tempfile.TemporaryDirectory[str]] = {}
"""Archive -> where its journal is while this process lives."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says about itself."""

    format: int
    run_id: str = ""
    suite: str = ""
    testloom: str = ""
    """The version that has written it."""


def is_archive(reference: str) -> bool:
    """Tell whether *reference*, which names a run, names an archive."""
    return reference.endswith(SUFFIX) or (os.sep in reference and os.path.isfile(reference))


def pack(journal: str, target: str, *, run_id: str, suite: str) -> None:
    """Make *target* the archive of the run whose journal is the file *journal*.

    Raises:
        OSError: one of the files cannot be read or written; an older *target* is still there.
    """
    with open(journal, "rb") as file, writing(target, run_id=run_id, suite=suite) as stream:
        shutil.copyfileobj(file, stream, _CHUNK)


@contextlib.contextmanager
def writing(target: str, *, run_id: str, suite: str) -> Iterator[IO[bytes]]:
    """Give a stream for the journal of a new archive, which is there if the block ends well."""
    head = Head(format=FORMAT, run_id=run_id, suite=suite, testloom=__version__)
    with (
        whole_file(target) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
    ):
        archive.writestr(_member(HEAD), msgspec.json.encode(head))
        with archive.open(_member(JOURNAL), "w", force_zip64=True) as stream:
            yield stream


class Archive:
    """An archive that has been looked at and found harmless; open until `close`.

    Raises:
        UsageError: it cannot be read, or is none.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except _DAMAGE as error:
            why = getattr(error, "strerror", None) or "it is no zip file"
            raise UsageError(f"{path}: cannot be read as the archive of a run: {why}") from error
        try:
            self._journal = self._checked()
            self.head = self._read_head()
        except BaseException:
            self._file.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the journal."""
        return self._journal.file_size

    @contextlib.contextmanager
    def journal(self) -> Iterator[BinaryIO]:
        """Give the journal as a stream; it never has more than `size` bytes.

        Raises:
            UsageError: the archive turns out to be damaged while it is read.
        """
        try:
            with self._file.open(self._journal) as stream:
                yield cast("BinaryIO", stream)
        except _DAMAGE as error:
            raise UsageError(f"{self.path}: is damaged ({error}); fetch it once more") from error

    def close(self) -> None:
        self._file.close()

    def _checked(self) -> zipfile.ZipInfo:
        """Return the member that is the journal, if all is as it should be."""
        members = self._file.infolist()
        names = [member.filename for member in members]
        if sorted(names) != [JOURNAL, HEAD]:
            odd = next((name for name in names if name not in (JOURNAL, HEAD)), "")
            twice = next((name for name in names if names.count(name) > 1), "")
            what = f"holds {odd!r}" if odd else f"holds {twice!r} twice" if twice else "lacks parts"
            raise self._refused(what)
        for member in members:
            if member.flag_bits & 1:
                raise self._refused(f"{member.filename} is encrypted")
            if member.compress_type not in _METHODS:
                raise self._refused(f"{member.filename} is packed in another way")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise self._refused(f"{member.filename} is no file")
        journal = self._file.getinfo(JOURNAL)
        most = max(_HARMLESS_BYTES, min(_MOST_BYTES, journal.compress_size * _MOST_RATIO))
        if journal.file_size > most or self._file.getinfo(HEAD).file_size > _HEAD_LIMIT:
            raise self._refused(
                f"it would become {journal.file_size} bytes, which no archive of a run does"
            )
        return journal

    def _read_head(self) -> Head:
        try:
            head = msgspec.json.decode(self._file.read(HEAD), type=Head)
        except (msgspec.DecodeError, *_DAMAGE) as error:
            raise self._refused(f"{HEAD} makes no sense") from error
        if head.format > FORMAT:
            raise UsageError(
                f"{self.path}: was written by a newer testloom (archive format {head.format}, this"
                f" one reads up to {FORMAT}); upgrade testloom"
            )
        return head

    def _refused(self, what: str) -> UsageError:
        return UsageError(f"{self.path}: is no archive of a run: {what}; make one with --archive")


def unpacked(path: str) -> str:
    """Return a directory with the journal of the archive *path*; it goes when the process ends.

    Raises:
        UsageError: it is none, or there is no room for it.
    """
    path = os.path.realpath(path)
    if path not in _unpacked:
        with contextlib.closing(Archive(path)) as archive:
            directory = tempfile.TemporaryDirectory(prefix="testloom-run-")
            try:
                _copy(archive, os.path.join(directory.name, JOURNAL))
            except BaseException:
                directory.cleanup()
                raise
            _unpacked[path] = directory
    return _unpacked[path].name


def _copy(archive: Archive, target: str) -> None:
    room = shutil.disk_usage(os.path.dirname(target)).free
    if archive.size > room:
        raise UsageError(
            f"{archive.path}: needs {archive.size} bytes in {os.path.dirname(target)}, which has"
            f" {room}; make room, or set TMPDIR"
        )
    try:
        with archive.journal() as stream, open(target, "wb") as file:
            shutil.copyfileobj(stream, file, _CHUNK)
    except OSError as error:
        raise UsageError(f"{archive.path}: cannot be unpacked: {error.strerror}") from error


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    return member
