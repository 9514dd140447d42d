"""The door to the disk where it matters: copying a test, removing what it left, whole files.

Tests are copied and removed by the ten thousand, so these do with plain system calls what
`shutil` does with many more (86 us against 250 us for a directory of three small files).
Nothing here recurses: trees may be thousands of levels deep.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

_CHUNK = 1 << 20
_LONG = 3800
"""Bytes; a path may have 4095, and the longest name takes 255 of them."""
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
"""How the system writes a blank in the path of a mount."""


def copy_tree(source: str, target: str, without: Callable[[], Iterable[str]] = tuple) -> None:
    """Make *target* a copy of the directory *source*, replacing what was there.

    File modes and modification times are kept, symbolic links stay links, directories can be
    written by their owner.  Sockets, pipes and devices are left out, and so are *target* itself
    and the directories that *without* returns, where they lie in *source*.

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
    fill_tree(source, target, {}, without)


def fill_tree(
    source: str,
    target: str,
    there: dict[str, os.stat_result],
    without: Callable[[], Iterable[str]] = tuple,
) -> None:
    """Copy what is in *source* to the directory *target*, as `copy_tree` does.

    *there* are the plain files that *target* holds, which are overwritten and not made anew;
    those that are left in it have not been.

    Raises:
        OSError: a file cannot be read or written.
    """
    left_out: frozenset[tuple[int, int]] | None = None
    mask = _umask()
    pending = [(source, target)]
    while pending:
        from_dir, to_dir = pending.pop()
        with os.scandir(from_dir) as entries:
            for entry in entries:
                to_path = f"{to_dir}/{entry.name}"
                if there and to_dir is target and (old := there.pop(entry.name, None)) is not None:
                    if entry.is_file(follow_symlinks=False):
                        _copy_file(entry.path, to_path, mask, old)
                        continue
                    os.unlink(to_path)
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), to_path)
                elif entry.is_dir():
                    if left_out is None:  # only now: most tests have files alone
                        left_out = frozenset(_identities((target, *without())))
                    if _identity(entry.stat()) in left_out:
                        continue
                    os.mkdir(to_path)
                    pending.append((entry.path, to_path))
                elif entry.is_file():
                    _copy_file(entry.path, to_path, mask)


def _identities(paths: Iterable[str]) -> Iterator[tuple[int, int]]:
    for path in paths:
        with contextlib.suppress(OSError):
            yield _identity(os.stat(path))


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _copy_file(source: str, target: str, mask: int, old: os.stat_result | None = None) -> None:
    """Copy a file to *target*, where nothing is, or a plain file that was like *old*."""
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = os.fstat(reader)
        mode = info.st_mode & 0o777
        writer = _opened(target, mode, old)
        try:
            if mode & mask or (old is not None and old.st_mode & 0o7777 != mode):
                os.fchmod(writer, mode)
            if old is not None and old.st_size > info.st_size:
                os.ftruncate(writer, info.st_size)
            # One read more than its size, because a file may grow.
            while chunk := os.read(reader, min(info.st_size + 1, _CHUNK)):
                _write_all(writer, chunk)
                if len(chunk) == info.st_size:
                    break
            os.utime(writer, ns=(info.st_atime_ns, info.st_mtime_ns))
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _opened(path: str, mode: int, old: os.stat_result | None) -> int:
    if old is not None:
        try:
            return os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except PermissionError:  # it may only be read
            os.unlink(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)


def _write_all(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])


def read_whole(path: str) -> bytes:
    """Return the content of the file *path*: what `open` does in twice as many system calls.

    Raises:
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        if stat.S_ISREG(info.st_mode):
            data = os.read(fd, info.st_size + 1)
            if len(data) <= info.st_size:
                return data
    finally:
        os.close(fd)
    with open(path, "rb") as file:  # it grows, or its size is not known
        return file.read()


def remove_tree(path: str) -> list[str]:
    """Remove *path* and all below it; return the paths that could not be removed.

    Directories without permissions are given them first, nothing outside of *path* is touched:
    a link is removed and never followed, also if *path* itself is one.
    """
    top = path.rstrip("/") or path  # with a slash behind it, a link would be followed
    left: list[str] = []
    if os.path.islink(top):
        _unlink(top, top, left)
        return left
    directories: list[str] = []
    pending = [top]
    while pending:
        directory = pending.pop()
        if len(directory) > _LONG // 4:  # characters, of up to four bytes
            directory = _hoisted(directory, top)
        try:
            entries = _scanned(directory, top)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            _unlink(directory, top, left)
            continue
        except OSError:
            left.append(directory)
            continue
        directories.append(directory)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            else:
                _unlink(entry.path, top, left)
    for directory in reversed(directories):
        _remove(os.rmdir, directory, top, left)
    return left


def _scanned(directory: str, top: str) -> list[os.DirEntry[str]]:
    try:
        entries = os.scandir(directory)
    except PermissionError:
        _open_up(os.path.dirname(directory), top)
        _open_up(directory, top)
        entries = os.scandir(directory)
    with entries:
        return list(entries)


def _unlink(path: str, top: str, left: list[str]) -> None:
    _remove(os.unlink, path, top, left)


def _remove(remove: Callable[[str], None], path: str, top: str, left: list[str]) -> None:
    try:
        remove(path)
    except FileNotFoundError:
        return
    except PermissionError:
        _open_up(os.path.dirname(path), top)
        try:
            remove(path)
        except OSError:
            left.append(path)
    except OSError:
        left.append(path)


def _open_up(directory: str, top: str) -> None:
    """Give us all permissions on *directory*, if it is one of those that are being removed."""
    if directory == top or directory.startswith(f"{top}/"):
        with contextlib.suppress(OSError):
            os.chmod(directory, stat.S_IRWXU)


def refuse_mounts(directory: str) -> None:
    """See that nothing is mounted below *directory*: what is there is not ours to remove.

    Raises:
        OSError: something is; it names where.
    """
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            places = [_OCTAL.sub(_unescaped, line.split()[4]) for line in file]
    except (OSError, IndexError):  # another system: nobody knows
        return
    top = os.path.realpath(directory).rstrip("/")
    for place in places:
        if place.startswith(f"{top}/"):
            raise OSError(errno.EBUSY, "something is mounted there", place)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))


def _hoisted(directory: str, top: str) -> str:
    """Move *directory* to *top* if the paths below it get longer than the system allows."""
    if len(os.fsencode(directory)) < _LONG:
        return directory
    parent, name = os.path.split(directory)
    try:
        place = tempfile.mkdtemp(dir=top)
        fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.chmod(name, stat.S_IRWXU, dir_fd=fd)
            os.rename(name, place, src_dir_fd=fd)
        finally:
            os.close(fd)
    except OSError:
        return directory
    return place


def make_own(path: str) -> None:
    """Make the directory *path* if there is none; git ignores one that is called ``.testloom``."""
    if os.path.isdir(path):
        return
    os.makedirs(path, exist_ok=True)
    if os.path.basename(path) == ".testloom":
        # What is kept for this checkout concerns nobody else.
        with open(os.path.join(path, ".gitignore"), "w", encoding="ascii") as file:
            file.write("*\n")


def write_whole(path: str | Path, data: bytes | str | Iterable[str]) -> None:
    """Write *data* to *path*: afterwards it is all there, or the old file still is.

    Text is written as UTF-8; an iterable is written piece by piece.

    Raises:
        OSError: the directory cannot be written, or the disk is full.
    """
    with whole_file(path) as file:
        pieces = (data,) if isinstance(data, bytes | str) else data
        file.writelines(p.encode("utf-8") if isinstance(p, str) else p for p in pieces)


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Give a file to write, which takes the place of *path* if the block ends well.

    Raises:
        OSError: the directory cannot be written, or the disk is full.
    """
    path = os.fspath(path)
    directory = os.path.dirname(path) or "."
    fd, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".tmp")
    try:
        with open(fd, "w+b", buffering=1 << 16) as file:
            yield file
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
