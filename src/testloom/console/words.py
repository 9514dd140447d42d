"""Finds what changed within changed lines, word by word."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from patiencediff import PatienceSequenceMatcher

Piece: TypeAlias = tuple[str, bool]
"""A text, and whether it is different on the other side."""

_TOKEN: Final = re.compile(r"\w+|\n|(.)\1*", re.DOTALL)
"""Words, line ends, and stretches of one sign."""
_ALIKE: Final = 0.3
"""Texts that share less of their words than this are different as a whole."""


def changed_words(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    """Return *old* and *new* in pieces; all are unchanged if the two have little in common.

    >>> changed_words("3 tests ran", "4 tests ran")
    ([('3', True), (' tests ran', False)], [('4', True), (' tests ran', False)])
    """
    before = [token[0] for token in _TOKEN.finditer(old)]
    after = [token[0] for token in _TOKEN.finditer(new)]
    old_kept, new_kept = [False] * len(before), [False] * len(after)
    for i, j, size in PatienceSequenceMatcher(None, before, after).get_matching_blocks():
        old_kept[i : i + size] = new_kept[j : j + size] = [True] * size
    alike = 2 * _letters(before, old_kept) / max(1, _letters(before) + _letters(after))
    if alike < _ALIKE and _letters(before) and _letters(after):
        return [(old, False)], [(new, False)]
    return _pieces(before, old_kept), _pieces(after, new_kept)


def first_difference(one: str, other: str) -> int:
    """Return the place of the first character in which the two differ.

    Comparing slices makes this fast for lines of megabytes.
    """
    places = range(min(len(one), len(other)))
    return bisect.bisect_left(places, 1, key=lambda at: not one.startswith(other[: at + 1]))


def _letters(tokens: Sequence[str], which: Iterable[bool] | None = None) -> int:
    chosen = tokens if which is None else [t for t, yes in zip(tokens, which, strict=True) if yes]
    return sum(len(token) for token in chosen if not token.isspace())


def _pieces(tokens: Sequence[str], kept: Sequence[bool]) -> list[Piece]:
    """Join neighbours that are alike; blanks between two changed words count as changed."""
    changed = [not yes for yes in kept]
    for at in range(1, len(tokens) - 1):
        if not changed[at] and tokens[at].isspace() and tokens[at] != "\n":
            changed[at] = changed[at - 1] and changed[at + 1]
    pieces: list[Piece] = []
    for token, is_changed in zip(tokens, changed, strict=True):
        if pieces and pieces[-1][1] == is_changed:
            pieces[-1] = (pieces[-1][0] + token, is_changed)
        else:
            pieces.append((token, is_changed))
    return pieces
