"""Reads a small text file that anybody may have written, and nothing else.

Only regular files (a link to one is fine) of at most 1 MiB that are UTF-8: a FIFO would block,
a device would never end, and a file of another encoding would be read as something it is not.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from testloom.discovery.problems import FileProblem, SyntaxProblem

MAX_BYTES: Final = 1024 * 1024
"""Larger files are not read."""

_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_KINDS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}
# O_NONBLOCK: opening a FIFO must not wait for its writer.  It does nothing to regular files.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def read_utf8(path: str) -> bytes:
    """Return the bytes of the file *path*, which are valid UTF-8 without a byte order mark.

    Raises:
        FileProblem: it cannot be read, is no regular file, is too large, or is not UTF-8.
    """
    data = _read(path).removeprefix(_BOM)
    try:
        # This is only a check, and strict: overlong forms and surrogates do not pass.
        data.decode()
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16):
            raise SyntaxProblem(path, "this is UTF-16; save it as UTF-8", 1) from None
        line, column = position(data, error.start)
        byte = data[error.start]
        raise SyntaxProblem(
            path, f"the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8", line, column
        ) from None
    return data


def position(data: bytes, offset: int) -> tuple[int, int]:
    """Return line and column, counted from 1, of the byte at *offset*."""
    before = data[:offset]
    start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[start:].decode(errors="replace")) + 1


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        raise _unopened(path, error) from None
    except ValueError:
        raise FileProblem(path, "the name holds a NUL; rename it") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _irregular(path, status.st_mode)
        size = status.st_size
        if size > MAX_BYTES:
            raise _too_large(path)
        data = os.read(fd, size + 1)
        if len(data) <= size:
            return data
        # It grew, or it is one of those whose size is not known before (/proc).
        chunks = [data]
        while data and sum(map(len, chunks)) <= MAX_BYTES:
            data = os.read(fd, MAX_BYTES)
            chunks.append(data)
        if data:
            raise _too_large(path)
        return b"".join(chunks)
    except OSError as error:
        raise FileProblem(path, f"cannot be read ({error.strerror})") from None
    finally:
        os.close(fd)


def _unopened(path: str, error: OSError) -> FileProblem:
    try:
        link = os.readlink(path)
    except OSError:
        link = ""
    if link and error.errno == errno.ENOENT:
        return FileProblem(path, f"is a broken link to {link!r}; mend or remove it")
    if error.errno == errno.ENXIO:  # what opening a socket gives
        return _irregular(path, stat.S_IFSOCK)
    advice = "; check its permissions" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return FileProblem(path, f"cannot be opened ({error.strerror}){advice}")


def _irregular(path: str, mode: int) -> FileProblem:
    kind = _KINDS.get(stat.S_IFMT(mode), "something else")
    return FileProblem(path, f"not a regular file ({kind}); put a text file there")


def _too_large(path: str) -> FileProblem:
    return FileProblem(path, f"larger than {MAX_BYTES // 1024} KiB; move large data to other files")
