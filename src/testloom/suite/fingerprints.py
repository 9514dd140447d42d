"""Tells whether the files of a test have changed since another run.

A fingerprint stands for the names, sizes and instants of change of all files below the test's
directory, and of the file that its driver's class is in.  Contents are not read: that would take
four times as long (75 us against 18 us of CPU for a directory of three small files), in every
run, for the sake of the few that are resumed.  The system sets the instant of the last change of
an inode (``ctime``) itself, so it errs on one side only: what was touched counts as changed.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from testloom.model.test import ParsedTest
from testloom.suite.planning import Plan

Facts = tuple[str, int, int, int]
"""Name, size and instants of change of a file."""
_UNKNOWN: Final = ""
SIZE: Final = 8
"""Bytes of a digest."""


class Fingerprints:
    """The fingerprints of the tests of one run; directories and files are looked at once.

    What is below the directories *skip*, absolute paths, does not count; *trees* are the digests
    of directories that have been looked at already.
    """

    def __init__(
        self, skip: Collection[str] = (), trees: Mapping[str, bytes] = MappingProxyType({})
    ) -> None:
        self._skip = frozenset(skip)
        self._trees = dict(trees)
        self._classes: dict[type, bytes] = {}
        self._files: dict[str, Facts] = {}

    def of(self, test_dir: str, driver: type) -> str:
        """Return the fingerprint of the test in *test_dir*; empty if it cannot be told."""
        known = self.tree(test_dir)
        return _digest((known, self._class(driver))).hex() if known else _UNKNOWN

    def tree(self, directory: str) -> bytes:
        """Return the digest of all files below *directory*; empty if it cannot be told."""
        try:
            return self._trees.get(directory) or self._tree(directory)
        except OSError:
            return b""

    def of_files(self, files: Sequence[str]) -> str:
        """Return the fingerprint of the files *files*; empty if one cannot be looked at."""
        try:
            return _digest([self._file(file) for file in files]).hex()
        except OSError:
            return _UNKNOWN

    def _file(self, path: str) -> Facts:
        known = self._files.get(path)
        if known is None:
            known = self._files[path] = _facts(path, os.stat(path))
        return known

    def _tree(self, top: str) -> bytes:
        """Return the digest of the directory *top*, those of directories below it first."""
        pending = [top]
        while pending:
            path = pending[-1]
            if path in self._trees:
                pending.pop()
                continue
            files, below = self._listed(path)
            missing = [each for each in below if each not in self._trees]
            if missing:
                pending += missing
                continue
            digests = [self._trees[each] for each in below]
            self._trees[path] = _digest((files, digests) if below else files)
            pending.pop()
        return self._trees[top]

    def _listed(self, path: str) -> tuple[list[Facts], list[str]]:
        """Return what is to be said of each entry of *path*, and the directories in it."""
        files: list[Facts] = []
        below: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in self._skip:
                        below.append(entry.path)
                        files.append((entry.name, -1, -1, -1))
                    continue
                files.append(_facts(entry.name, entry.stat(follow_symlinks=False)))
        files.sort()
        below.sort()
        return files, below

    def _class(self, driver: type) -> bytes:
        known = self._classes.get(driver)
        if known is None:
            file = getattr(sys.modules.get(driver.__module__), "__file__", None)
            try:
                found = os.stat(file) if file else None
            except OSError:
                found = None
            facts = found and (found.st_size, found.st_mtime_ns)
            known = self._classes[driver] = repr((driver.__qualname__, facts)).encode()
        return known


def _facts(name: str, found: os.stat_result) -> Facts:
    return name, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _digest(of: object) -> bytes:
    """Return a digest of what is made of texts, numbers, bytes, lists and tuples."""
    return hashlib.blake2b(repr(of).encode(), digest_size=SIZE).digest()


def note_fingerprints(
    plan: Plan,
    tests: Iterable[ParsedTest],
    skip: Collection[str],
    trees: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Give each test of *plan*, which was made of *tests*, its fingerprint; see `Fingerprints`."""
    prints = Fingerprints(skip, trees)
    for test in tests:
        planned = plan.tests.get(test.test_name)
        if planned is not None and test.driver_cls is not None:
            planned.inputs = prints.of(test.test_dir, test.driver_cls)
