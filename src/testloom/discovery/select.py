"""What the user wants to run: paths, patterns and expressions, and what they mean.

A selection is parsed once from the command line.  The walk asks it where to walk and which
directories to leave out; when all tests are known it chooses among them.  Something given as
PATH is, in this order: a directory, a file, a glob, the name of a test, a regexp that is searched
for in the path of the test's directory relative to the root of all tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from testloom.discovery.expressions import Maker, parse
from testloom.discovery.patterns import Glob, is_glob, pattern
from testloom.discovery.problems import relative
from testloom.discovery.terms import FUNCTIONS, Candidate, has_tag, name_contains


class Text(msgspec.Struct, frozen=True):
    """A PATH that is no path: the name of a test, or a regexp."""

    text: str
    regexp: re.Pattern[str]
    place: str
    """The text as a path relative to the root of all tests; itself, if it leads elsewhere."""

    def found_in(self, candidate: Candidate) -> bool:
        matcher = getattr(candidate.test, "test_matcher", None)
        return self.regexp.search(candidate.place if matcher is None else matcher) is not None


class Narrowing(msgspec.Struct, frozen=True):
    """An expression that a test must not fail."""

    option: str
    text: str
    holds: Callable[[Candidate], bool | None]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is selected; without arguments, everything."""

    directories: tuple[str, ...] = ()
    """Absolute paths; everything below them is selected."""
    files: tuple[str, ...] = ()
    """Absolute paths; the tests in whose directories they are."""
    globs: tuple[Glob, ...] = ()
    texts: tuple[Text, ...] = ()
    excluded: tuple[Glob, ...] = ()
    narrowings: tuple[Narrowing, ...] = ()
    words: tuple[str, ...] = ()
    """What the user wrote, for messages."""
    regexps_only: bool = False
    """Whether a PATH that is no directory is a regexp and nothing else, as in e3-testsuite."""

    @classmethod
    def parse(
        cls,
        paths: Iterable[str] = (),
        *,
        test_dir: str,
        cwd: str = "",
        keyword: str = "",
        tags: str = "",
        filter_by: str = "",
        exclude: Iterable[str] = (),
        regexps_only: bool = False,
        functions: Mapping[str, Maker] | None = None,
    ) -> Selection:
        """Return the selection that a command line describes.

        Args:
            paths: the PATH arguments.
            test_dir: absolute path of the root of all tests.
            cwd: where relative paths start; the current directory if empty.
            keyword: the expression of ``-k``.
            tags: the expression of ``--tags``.
            filter_by: the expression of ``--filter``.
            exclude: the globs of ``--exclude``.
            regexps_only: read PATH as e3-testsuite does.
            functions: more functions for ``--filter``; their predicates get a `Candidate`.

        Raises:
            UsageError: an expression is wrong.
        """
        cwd = cwd or os.getcwd()
        paths = tuple(paths)
        targets = _Targets(cwd, test_dir, regexps_only)
        for path in paths:
            targets.add(path)
        makers: Sequence[tuple[str, str, Maker, Mapping[str, Maker]]] = (
            ("-k", keyword, name_contains, {}),
            ("--tags", tags, has_tag, {}),
            ("--filter", filter_by, name_contains, {**FUNCTIONS, **(functions or {})}),
        )
        narrowings = tuple(
            Narrowing(option, text, parse(text, option=option, word=word, functions=known))
            for option, text, word, known in makers
            if text
        )
        return cls(
            directories=tuple(dict.fromkeys(targets.directories)),
            files=tuple(dict.fromkeys(targets.files)),
            globs=tuple(targets.globs),
            texts=tuple(targets.texts),
            excluded=tuple(
                Glob(glob, cwd=cwd, test_dir=test_dir, floating=True) for glob in exclude
            ),
            narrowings=narrowings,
            words=(*paths, *(narrowing.text for narrowing in narrowings)),
            regexps_only=regexps_only,
        )

    @property
    def takes_all(self) -> bool:
        """Whether no PATH restricts what is found under the roots."""
        return not (self.directories or self.files or self.globs or self.texts)

    @property
    def needs_roots(self) -> bool:
        """Whether the roots of the suite must be walked, and not only what the user named."""
        return bool(self.globs or self.texts) or self.takes_all

    def prunes(self, path: str) -> bool:
        """Tell whether everything below the directory *path* is excluded."""
        return any(glob.matches_path(path) for glob in self.excluded)

    def admits(self, place: str) -> bool:
        """Tell whether a test of its own in the directory *place* may be selected.

        Only e3's rules let this be known before the directory was probed.
        """
        return (
            not self.regexps_only
            or self.takes_all
            or any(text.regexp.search(place) for text in self.texts)
        )

    def choose(self, candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
        """Return those of *candidates* that are selected, each once, and which words hit none."""
        hits, missed = self._hits(candidates)
        meant = [it for index, it in enumerate(candidates) if it.given or index in hits]
        chosen = [candidate for candidate in meant if self._keeps(candidate)]
        if meant and not chosen:
            missed += [
                narrowing.text
                for narrowing in self.narrowings
                if not any(map(narrowing.holds, meant))
            ]
        return chosen, missed

    def _hits(self, candidates: Sequence[Candidate]) -> tuple[set[int], list[str]]:
        """Return the indexes of what globs and texts select, and those that select nothing."""
        hits: set[int] = set()
        missed: list[str] = []
        exact: dict[str, list[int]] = {}
        if self.texts and not self.regexps_only:
            for index, candidate in enumerate(candidates):
                exact.setdefault(candidate.name, []).append(index)
                if candidate.place != candidate.name:
                    exact.setdefault(candidate.place, []).append(index)
        for text in self.texts:
            found = exact.get(text.text) or exact.get(text.place)
            if not found:
                found = [index for index, it in enumerate(candidates) if text.found_in(it)]
            hits.update(found)
            if not found:
                missed.append(text.text)
        for glob in self.globs:
            found = [index for index, it in enumerate(candidates) if _globbed(glob, it)]
            hits.update(found)
            if not found:
                missed.append(glob.text)
        return hits, missed

    def _keeps(self, candidate: Candidate) -> bool:
        if any(_globbed(glob, candidate) for glob in self.excluded):
            return False
        # What is not known must not hide a test that is broken.
        return all(it.holds(candidate) is not False for it in self.narrowings)


class _Targets:
    """Sorts the PATH arguments."""

    def __init__(self, cwd: str, test_dir: str, regexps_only: bool) -> None:
        self._cwd = cwd
        self._test_dir = test_dir
        self._real_test_dir = os.path.realpath(test_dir)
        self._regexps_only = regexps_only
        self.directories: list[str] = []
        self.files: list[str] = []
        self.globs: list[Glob] = []
        self.texts: list[Text] = []

    def add(self, text: str) -> None:
        # A name of a test is also looked up below the root: people copy it from reports.
        bases = (self._cwd,) if self._regexps_only else (self._cwd, self._test_dir)
        for base in bases:
            path = os.path.normpath(os.path.join(base, text))
            if "\0" in path:
                break
            if os.path.isdir(path):
                self.directories.append(self._rebased(path))
                return
            if os.path.exists(path) and not self._regexps_only:
                self.files.append(self._rebased(path))
                return
        if not self._regexps_only and is_glob(text):
            self.globs.append(Glob(text, cwd=self._cwd, test_dir=self._test_dir))
        else:
            path = os.path.normpath(os.path.join(self._cwd, text))
            below = relative(path, self._test_dir)
            self.texts.append(Text(text, pattern(text), text if below == path else below))

    def _rebased(self, path: str) -> str:
        """Return *path* as a path below the root of all tests if it leads there.

        A link on the way to the root must not give the tests other names.
        """
        if relative(path, self._test_dir) != path or path == self._test_dir:
            return path
        real = os.path.realpath(path)
        below = relative(real, self._real_test_dir)
        if below != real:
            return os.path.join(self._test_dir, below)
        return self._test_dir if real == self._real_test_dir else path


def _globbed(glob: Glob, candidate: Candidate) -> bool:
    test = candidate.test
    paths = (candidate.path, test.source, getattr(test, "test_matcher", ""))
    return glob.matches_name(candidate.name) or any(
        glob.matches_path(path) for path in paths if path
    )
