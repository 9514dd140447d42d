"""What the user may have meant, when something selects no test."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from testloom.discovery.select import Selection
from testloom.model.names import shown_line

MAX_NAMES: Final = 5_000
"""Names that a word is compared with one by one; it takes some microseconds each."""
MAX_SUGGESTIONS: Final = 3
MAX_WORDS: Final = 5
"""Words for which suggestions are looked for."""


class _Found(Protocol):
    @property
    def known(self) -> Sequence[str]:
        """Names of all tests that were found."""

    @property
    def missed(self) -> Sequence[str]:
        """What the user wrote that selects none of them."""


def suggestions(selection: Selection, found: _Found) -> list[str]:
    """Return what to tell someone whose *selection* selects nothing of what was *found*."""
    if not found.known:
        named = [shown_line(path) for path in (*selection.directories, *selection.files)]
        if named and not selection.needs_roots:
            return [f"no tests found in {', '.join(named[:MAX_WORDS])}"]
        if selection.excluded:
            return ["no tests found beside those that are excluded"]
        return ["no tests found; a test is a directory with a test.yaml"]
    if found.missed:
        return missed_lines(found.missed, found.known, selection)
    excluded = [f"--exclude {glob.text}" for glob in selection.excluded]
    asked = ", ".join(repr(shown_line(word)) for word in (*selection.words, *excluded)[:MAX_WORDS])
    return [f"nothing is selected by all of {asked}"]


def missed_lines(words: Sequence[str], known: Sequence[str], selection: Selection) -> list[str]:
    """Return a line for each of *words*, which select nothing; the last counts those left out."""
    lines = []
    for word in words[:MAX_WORDS]:
        near = near_word(_place(word, selection), known)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        lines.append(f"nothing is selected by {shown_line(word)!r}{shown_line(hint)}")
    if len(words) > MAX_WORDS:
        lines.append(f"nothing is selected by {len(words) - MAX_WORDS} more")
    return lines


def near_names(selection: Selection, known_names: Iterable[str]) -> list[str]:
    """Return names of tests, or of directories of them, that *selection* may mean."""
    known = list(known_names)
    near: dict[str, None] = {}
    for word in selection.words[:MAX_WORDS]:
        near.update(dict.fromkeys(near_word(_place(word, selection), known)))
    return list(near)[:MAX_SUGGESTIONS]


def near_word(word: str, known: Sequence[str]) -> list[str]:
    """Return what among *known* and the directories of it is most like *word*.

    The beginning that is right is followed down the tree; what comes next is compared with what
    is there.
    """
    *right, _ = word.strip("/").split("/")
    while True:
        head = "/".join(right) + "/" if right else ""
        below = {name[len(head) :].split("/", 1)[0] for name in known if name.startswith(head)}
        if below or not right:
            break
        right.pop()
    next_part = word[len(head) :].split("/", 1)[0]
    near = _closest(next_part, sorted(below))
    return [head + part for part in near] if near else _closest(word, known)


def _closest(word: str, known: Sequence[str]) -> list[str]:
    alike = [name for name in known if len(word) <= 2 * len(name) <= 4 * len(word)]
    return difflib.get_close_matches(word, alike[:MAX_NAMES], MAX_SUGGESTIONS)


def _place(word: str, selection: Selection) -> str:
    """Return the path below the root of all tests that *word* stands for, or *word*."""
    return next((text.place for text in selection.texts if text.text == word), word)
