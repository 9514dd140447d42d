"""What a word or a function of an expression says of a test.

Each of them is made once of its text and then asked of each `Candidate`.  In functions a text
may begin with a sign: ``=same``, ``~part``, ``#glob``, or be a ``/regexp/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from testloom.discovery.expressions import Maker, Predicate
from testloom.discovery.patterns import Glob, compiled, name_glob
from testloom.model.test import BrokenTest, ParsedTest

_REGEXP: Final = re.compile(r"/(.*)/\Z", re.DOTALL)


class Candidate(msgspec.Struct):
    """A test that was found and may be selected."""

    test: ParsedTest | BrokenTest
    place: str
    """Path of the directory in which it was found, relative to the root of all tests."""
    path: str
    """Absolute path of that directory."""
    given: bool = False
    """Whether the user named its directory or its file, or no path and no pattern at all."""

    @property
    def name(self) -> str:
        return self.test.test_name


def name_contains(word: str) -> Predicate:
    """Make the predicate *the name contains the word*, whatever the case of its letters."""
    holds = _containing(word)
    return lambda candidate: holds(candidate.name)


def has_tag(word: str) -> Predicate:
    """Make the predicate *one of the tags is the word*, which may be a glob."""
    return _tagged(_glob_matcher(word))


def _texts_matcher(
    text: str, default: Callable[[str], Callable[[str], bool]]
) -> Callable[[str], bool]:
    """Return the test of texts that *text* asks for: ``=same``, ``~part``, ``/regexp/``, ``#glob``."""
    if not text:
        raise ValueError("a text is missing here; add one")
    if text[0] == "=":
        return text[1:].__eq__
    if text[0] == "~":
        return _containing(text[1:])
    if text[0] == "#":
        return _glob_matcher(text[1:])
    regexp = _REGEXP.match(text)
    if regexp:
        found = compiled(regexp[1]).search
        return lambda name: found(name) is not None
    return default(text)


def _containing(part: str) -> Callable[[str], bool]:
    lowered = part.lower()
    return lambda text: lowered in text.lower()


def _glob_matcher(glob: str) -> Callable[[str], bool]:
    match = name_glob(glob).match
    return lambda text: match(text) is not None


def _subtree(glob: str) -> Callable[[str], bool]:
    return Glob(glob, cwd="/", test_dir="/").matches_name


def _name(word: str) -> Predicate:
    holds = _texts_matcher(word, _containing)
    return lambda candidate: holds(candidate.name)


def _path(word: str) -> Predicate:
    holds = _texts_matcher(word, _subtree)
    return lambda candidate: holds(candidate.place)


def _tag(word: str) -> Predicate:
    return _tagged(_texts_matcher(word, _glob_matcher))


def _tagged(holds: Callable[[str], bool]) -> Predicate:
    def tagged(candidate: Candidate) -> bool | None:
        test = candidate.test
        return any(map(holds, test.tags)) if isinstance(test, ParsedTest) else None

    return tagged


def _driver(word: str) -> Predicate:
    holds = _texts_matcher(word, _glob_matcher)

    def driven(candidate: Candidate) -> bool | None:
        test = candidate.test
        if not isinstance(test, ParsedTest):
            return None
        names = [getattr(test.driver_cls, "__name__", ""), str(test.test_env.get("driver", ""))]
        return any(map(holds, names))

    return driven


FUNCTIONS: Final[Mapping[str, Maker]] = {
    "name": _name,
    "path": _path,
    "tag": _tag,
    "driver": _driver,
}
