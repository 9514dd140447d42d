"""A spare directory: the one that the last test worked in, for the next test to work in.

A small test has a directory and a few files for some milliseconds.  Making and removing them is
the dearest thing that a slot does for it: the file system looks for free inodes, and takes them
back.  So a slot keeps the directory of a test that passed, and makes the next one of it: it is
given the new name, its files are overwritten, and what has no successor is removed.  The
next test sees no difference.

That is only done with what is plain (a few small files of our own, with no other name and no
extended attributes), and only once what the test left running has been ended: nobody may hold a
file open that has become somebody else's.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from typing import Final

from testloom.processes.files import copy_tree, fill_tree, remove_tree

_PREFIX: Final = ".testloom-spare-"
_MOST_FILES: Final = 16
_LARGEST_BYTES: Final = 1 << 16


class Spare:
    """At most one directory that is kept, and the two operations that it makes cheaper.

    Nothing is kept unless `enable` has been called.  Not to be shared by threads.
    """

    def __init__(self) -> None:
        self._name = ""
        """What a directory is called while it is kept; empty if none is to be."""
        self._kept = ""
        self._files: dict[str, os.stat_result] = {}
        self._is_settled = False

    def enable(self) -> None:
        """Keep directories from here on: whoever calls this calls `settle` or `drop` as well."""
        # Not by the number of this process: in a namespace, others have the same.
        self._name = f"{_PREFIX}{os.urandom(8).hex()}"

    def copy_tree(
        self, source: str, target: str, without: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """Make *target* a copy of *source*, as `files.copy_tree` does.

        Raises:
            OSError: a file cannot be read or written.
        """
        if not self._is_settled or not self._take(target):
            copy_tree(source, target, without)
            return
        files, self._files = self._files, {}
        fill_tree(source, target, files, without)
        for name in files:
            os.unlink(f"{target}/{name}")

    def remove_tree(self, path: str) -> list[str]:
        """Remove *path* and all below it, as `files.remove_tree` does."""
        if self._name and not self._kept and self._keep(path):
            return []
        return remove_tree(path)

    def settle(self) -> None:
        """Take note that nothing of the test runs any more whose directory is kept."""
        self._is_settled = bool(self._kept)

    def drop(self) -> None:
        """Remove what is kept."""
        if self._kept:
            remove_tree(self._kept)
        self._kept, self._files, self._is_settled = "", {}, False

    def _take(self, target: str) -> bool:
        kept, self._kept, self._is_settled = self._kept, "", False
        try:
            os.rename(kept, target)
        except OSError:  # it has gone, something is there, or that is on another disk
            remove_tree(kept)
            return False
        return True

    def _keep(self, path: str) -> bool:
        try:
            files = _plain_files(path)
            if files is None:
                return False
            kept = f"{os.path.dirname(path)}/{self._name}"
            os.rename(path, kept)
        except OSError:
            return False
        self._kept, self._files = kept, files
        return True


SPARE: Final = Spare()
"""That of this process."""


def sweep(directory: str) -> None:
    """Remove the spare directories in *directory*, which processes that were killed have left."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                remove_tree(entry.path)


def _plain_files(path: str) -> dict[str, os.stat_result] | None:
    """Return the files of directory *path*; None if anything is there that is not plain."""
    mask = os.umask(0o022)
    os.umask(mask)
    owner = os.geteuid()
    info = os.lstat(path)
    if info.st_mode != stat.S_IFDIR | (0o777 & ~mask) or info.st_uid != owner or _attributes(path):
        return None
    files: dict[str, os.stat_result] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False) or len(files) == _MOST_FILES:
                return None
            info = entry.stat(follow_symlinks=False)
            if info.st_nlink != 1 or info.st_uid != owner or info.st_size > _LARGEST_BYTES:
                return None
            if _attributes(entry.path):
                return None
            files[entry.name] = info
    return files


def _attributes(path: str) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError:  # a file system that has none
        return []
