"""The door to the disk where it matters: copying a test, removing what it left, whole files.

Tests are copied and removed by the ten thousand, so these do with plain system calls what
`shutil` does with many more (86 us against 250 us for a directory of three small files).
Nothing here recurses: trees may be thousands of levels deep.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

_CHUNK = 1 << 20


def copy_tree(source: str, target: str) -> None:
    """Make *target* a copy of the directory *source*, replacing what was there.

    File modes and modification times are kept, symbolic links stay links, directories can be
    written by their owner.  Sockets, pipes and devices are left out.

    Raises:
        OSError: a file cannot be read or written.
    """
    try:
        os.mkdir(target)
    except FileExistsError:
        remove_tree(target)
        os.makedirs(target)
    except FileNotFoundError:
        os.makedirs(target)
    pending = [(source, target)]
    while pending:
        from_dir, to_dir = pending.pop()
        with os.scandir(from_dir) as entries:
            for entry in entries:
                to_path = f"{to_dir}/{entry.name}"
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), to_path)
                elif entry.is_dir():
                    os.mkdir(to_path)
                    pending.append((entry.path, to_path))
                elif entry.is_file():
                    _copy_file(entry.path, to_path)


def _copy_file(source: str, target: str) -> None:
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = os.fstat(reader)
        writer = os.open(
            target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, info.st_mode & 0o777
        )
        try:
            # One read more than its size, because a file may grow.
            while chunk := os.read(reader, min(info.st_size + 1, _CHUNK)):
                _write_all(writer, chunk)
                if len(chunk) <= info.st_size < _CHUNK:
                    break
            os.utime(writer, ns=(info.st_atime_ns, info.st_mtime_ns))
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _write_all(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])


def remove_tree(path: str) -> list[str]:
    """Remove *path* and all below it; return the paths that could not be removed.

    Directories without write permission are given it first; links are never followed.
    """
    left: list[str] = []
    directories: list[str] = []
    pending = [path]
    while pending:
        directory = pending.pop()
        try:
            entries = os.scandir(directory)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            _unlink(directory, left)
            continue
        except OSError:
            _open_up(directory)
            try:
                entries = os.scandir(directory)
            except OSError:
                left.append(directory)
                continue
        directories.append(directory)
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    _unlink(entry.path, left)
    for directory in reversed(directories):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            continue
        except OSError:
            _remove_again(directory, left)
    return left


def _unlink(path: str, left: list[str]) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:
        _open_up(os.path.dirname(path))
        try:
            os.unlink(path)
        except OSError:
            left.append(path)


def _remove_again(directory: str, left: list[str]) -> None:
    """Remove *directory* once its parent can be written, or note it."""
    if not os.path.islink(directory):
        _open_up(os.path.dirname(directory))
    try:
        if os.path.islink(directory):
            os.unlink(directory)
        else:
            os.rmdir(directory)
    except OSError:
        left.append(directory)


def _open_up(directory: str) -> None:
    with contextlib.suppress(OSError):
        os.chmod(directory, stat.S_IRWXU)


def write_whole(path: str | Path, data: bytes | str | Iterable[str]) -> None:
    """Write *data* to *path*: afterwards it is all there, or the old file still is.

    Text is written as UTF-8; an iterable is written piece by piece.

    Raises:
        OSError: the directory cannot be written, or the disk is full.
    """
    path = os.fspath(path)
    directory = os.path.dirname(path) or "."
    fd, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".tmp")
    try:
        with open(fd, "wb", buffering=1 << 16) as file:
            pieces = (data,) if isinstance(data, bytes | str) else data
            file.writelines(p.encode("utf-8") if isinstance(p, str) else p for p in pieces)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
