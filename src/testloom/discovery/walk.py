"""The walk: one pass over the test tree that shows each directory to the finders.

It goes by path, follows links to directories and enters each real directory once: a link to a
directory of the tree is left for the end, so that tests are called by their real paths, and
loops end.  It does not recurse.

Whatever is wrong with one directory becomes a `BrokenTest`, and the walk goes on.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import msgspec

from testloom.discovery import near
from testloom.discovery.finder import Suite, TestFinder
from testloom.discovery.found import Found, without_duplicates
from testloom.discovery.names import path_name
from testloom.discovery.probing import Prober, Tests
from testloom.discovery.problems import relative
from testloom.discovery.select import Selection
from testloom.discovery.terms import Candidate
from testloom.model import reason
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.processes.read_ahead import ReadAhead

NEVER_ENTERED: Final = frozenset({".git", ".svn", "CVS"})
MAX_WARNINGS: Final = 20
"""Warnings of one kind that are told one by one."""


def discover(
    testsuite: Suite,
    *,
    roots: Sequence[str],
    finders: Sequence[TestFinder],
    selection: Selection | None = None,
    skip: Collection[str] = (),
    on_test: Callable[[str], None] = lambda _directory: None,
) -> Found:
    """Find the tests below *roots* (absolute paths) that *selection* selects.

    Directories in *skip* (absolute paths) are not entered.  *on_test* is told of each directory that
    tests are found in, before it is known which of them are selected.

    Raises:
        UsageError: one of *roots* is no directory that can be listed.
    """
    selection = selection or Selection()
    walk = _Walk(testsuite, finders, selection, skip, on_test)
    with contextlib.closing(walk.read_ahead):
        for path in selection.files:
            walk.climb(path)
        walk.descend(selection.directories, given=True)
        if selection.needs_roots:
            walk.descend(roots, given=selection.takes_all)
    return walk.found()


class _Directory(msgspec.Struct):
    """A directory, and what the finders said of it."""

    path: str
    given: bool
    tests: Tests | None = None
    """None as long as it was not probed."""
    only: set[int] = set()
    """Indexes of the tests that the user gave the files of."""
    entered: bool = False


class _Walk:
    """The state of one walk."""

    def __init__(
        self,
        testsuite: Suite,
        finders: Sequence[TestFinder],
        selection: Selection,
        skip: Collection[str],
        on_test: Callable[[str], None],
    ) -> None:
        self._testsuite = testsuite
        self._prober = Prober(testsuite, finders)
        self._selection = selection
        self._skip = frozenset(skip)
        self._on_test = on_test
        self.read_ahead = ReadAhead(self._enterable, {n for f in finders for n in f.reads})
        self._directories: dict[tuple[int, int], _Directory] = {}
        self._unreachable: list[_Directory] = []
        self._loops: list[str] = []
        self._warnings: list[str] = []

    # -- moving about ---------------------------------------------------------------------------

    def descend(self, roots: Sequence[str], *, given: bool) -> None:
        """Probe *roots* and what is below them."""
        for root in roots:
            _must_be_listable(root)
        todo = [*reversed(roots)]
        # Those near the roots come first: they make the shorter names.
        links: list[tuple[int, str]] = []
        while todo or links:
            from_link = not todo
            path = todo.pop() if todo else heapq.heappop(links)[1]
            directory = self._directory(path, given)
            if directory is None:
                continue
            if directory.entered:
                if from_link:
                    self._loops.append(path)
                continue
            directory.entered = True
            names = self._listed(directory)
            if names is None:
                continue
            below, linked, filenames = names
            # A list of its own: what a finder does to it must not change the walk.
            self._probe(directory, sorted(below + linked), filenames)
            todo.extend(self._enterable(path, reversed(below)))
            self.read_ahead.entered(todo)
            for link in self._enterable(path, iter(linked)):
                heapq.heappush(links, (link.count("/"), link))

    def climb(self, file: str) -> None:
        """Probe the directory of *file*, and those above it until one holds a test."""
        path = os.path.dirname(file)
        while True:
            directory = self._directory(path, given=False)
            if directory is not None:
                self._probe_alone(directory)
                if directory.tests:
                    self._give(directory, file)
                    return
            if path in (self._testsuite.test_dir, os.path.dirname(path)):
                self._warnings.append(f"{shown_line(file)}: belongs to no test")
                return
            path = os.path.dirname(path)

    def _give(self, directory: _Directory, file: str) -> None:
        """Take the test that *file* defines for given, or all in the directory if none does."""
        tests = directory.tests or []
        its_own = [i for i, test in enumerate(tests) if test.source == file]
        directory.only.update(its_own or range(len(tests)))

    def _directory(self, path: str, given: bool) -> _Directory | None:
        """Return the one entry for the real directory *path*; None if it cannot be entered."""
        try:
            status = os.stat(path)
        except FileNotFoundError:
            self._warnings.append(f"{self._shown(path)}: has gone while tests were looked for")
            return None
        except OSError as error:
            tests = self._unlisted(path, error)
            self._unreachable.append(_Directory(path, given, tests))
            return None
        key = (status.st_dev, status.st_ino)
        directory = self._directories.get(key)
        if directory is None:
            directory = self._directories[key] = _Directory(path, given)
        elif given and not directory.given:
            directory.given = True
        return directory

    def _listed(self, directory: _Directory) -> tuple[list[str], list[str], list[str]] | None:
        """Return the names of directories, links to directories, and others, each sorted."""
        below: list[str] = []
        linked: list[str] = []
        others: list[str] = []
        try:
            with os.scandir(directory.path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                    elif entry.is_symlink() and os.path.isdir(entry.path):
                        linked.append(entry.name)
                    else:
                        others.append(entry.name)
        except OSError as error:
            directory.tests = self._unlisted(directory.path, error)
            return None
        below.sort()
        linked.sort()
        others.sort()
        return below, linked, others

    def _unlisted(self, path: str, error: OSError) -> Tests:
        """Return what stands for the tests that there may be: their absence must be seen."""
        what = f"cannot be listed ({error.strerror}); check its permissions, or exclude it"
        message = f"{self._shown(path)}: {what}"
        return [self._prober.broken(path, message, reason.CONFIG)]

    def _enterable(self, path: str, names: Iterator[str]) -> Iterator[str]:
        base = path if path.endswith("/") else path + "/"
        prunes = self._selection.prunes if self._selection.excluded else None
        for name in names:
            if name in NEVER_ENTERED:
                continue
            below = base + name
            if below not in self._skip and not (prunes and prunes(below)):
                yield below

    # -- probing --------------------------------------------------------------------------------

    def _probe_alone(self, directory: _Directory) -> None:
        if directory.tests is None:
            names = self._listed(directory)
            if names is not None:
                below, linked, filenames = names
                self._probe(directory, sorted(below + linked), filenames)

    def _probe(self, directory: _Directory, dirnames: list[str], filenames: list[str]) -> None:
        """Ask the finders for the tests in *directory*, unless they were asked before."""
        if directory.tests is not None:
            return
        admitted = directory.given or self._selection.admits(self._place(directory.path))
        tests = self._prober.probe(directory.path, dirnames, filenames, admitted=admitted)
        if tests is not None or admitted:
            directory.tests = tests or []
            if tests:
                self._on_test(directory.path)

    # -- the result -----------------------------------------------------------------------------

    def found(self) -> Found:
        """Return the tests that are selected, and what else there is to say."""
        directories = [it for it in self._directories.values() if it.tests] + self._unreachable
        directories.sort(key=lambda directory: directory.path.split("/"))
        candidates = [
            Candidate(
                test,
                self._place(directory.path),
                directory.path,
                directory.given or index in directory.only,
            )
            for directory in directories
            for index, test in enumerate(directory.tests or ())
        ]
        chosen, missed = self._selection.choose(candidates)
        known = [candidate.name for candidate in candidates]
        tests, broken = without_duplicates(chosen, self._testsuite.root_dir)
        if chosen:
            self._warnings += near.missed_lines(missed, known, self._selection)
        self._tell_loops()
        return Found(
            tests=tests, broken=broken, warnings=self._warnings, known=known, missed=missed
        )

    def _tell_loops(self) -> None:
        for path in self._loops[:MAX_WARNINGS]:
            self._warnings.append(
                f"{self._shown(path)}: a link to a directory that is walked anyway; not followed"
            )
        if len(self._loops) > MAX_WARNINGS:
            more = len(self._loops) - MAX_WARNINGS
            self._warnings.append(f"{more} more links to directories that are walked anyway")

    def _place(self, path: str) -> str:
        return path_name(self._testsuite.test_dir, path)

    def _shown(self, path: str) -> str:
        return shown_line(relative(path, self._testsuite.root_dir))


def _must_be_listable(root: str) -> None:
    try:
        status = os.stat(root)
    except OSError as error:
        advice = "check the path and its permissions"
        raise UsageError(
            f"{shown_line(root)}: cannot look for tests there ({error.strerror}); {advice}"
        ) from None
    if not stat.S_ISDIR(status.st_mode):
        raise UsageError(
            f"{shown_line(root)}: tests are looked for in directories, and this is none;"
            " name its directory"
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageError(f"{shown_line(root)}: the directory cannot be read; check its permissions")
