"""Lines of a diff as they are shown: changed words marked, blanks made visible, cut to a width."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Final

from testloom.console.look import Glyphs
from testloom.console.spans import Span
from testloom.console.text import cells, head
from testloom.console.words import Piece, changed_words, first_difference
from testloom.model.names import shown_line

_WINDOW: Final = 1000
"""Characters of a line that are looked at."""
_UNSEEN: Final = re.compile("[\u00a0\u00ad\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]")
_STYLES: Final[Mapping[str, tuple[str, str]]] = {
    "-": ("removed", "removed-word"),
    "+": ("added", "added-word"),
}


def style_of(kind: str) -> str:
    """Return the style of lines of *kind*, ``-`` or ``+``."""
    return _STYLES[kind][0]


def spans_of(kind: str, pieces: Sequence[Piece], width: int, glyphs: Glyphs) -> list[Span]:
    """Return a line of *kind*, ``-`` or ``+``, cut to *width* columns."""
    style, word_style = _STYLES[kind]
    # A line of which nothing stayed needs no marks.
    partly = any(text.strip() and not changed for text, changed in pieces)
    shown = _windowed(pieces, width, glyphs.cut)
    return [(text, word_style if changed and partly else style) for text, changed in shown]


def marked(sides: Sequence[Sequence[str]], glyphs: Glyphs) -> list[list[list[Piece]]]:
    """Return the lines of each side in pieces that say what changed."""
    if len(sides) == 1:
        shown = (_visible(line[:_WINDOW], glyphs, trailing=True) for line in sides[0])
        return [[[(line, False)] for line in shown]]
    old, new = sides
    if len(old) == len(new):
        pairs = [_marked_pair(a, b, glyphs) for a, b in zip(old, new, strict=True)]
        return [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
    texts = (
        "\n".join(_visible(line[:_WINDOW], glyphs, trailing=True) for line in side)
        for side in sides
    )
    return [_split(pieces) for pieces in changed_words(*texts)]


def unchanged(line: str, glyphs: Glyphs) -> str:
    """Return a line that is the same on both sides, as it is shown."""
    return _visible(line[:_WINDOW].removesuffix("\r"), glyphs, trailing=False)


def _marked_pair(old: str, new: str, glyphs: Glyphs) -> tuple[list[Piece], list[Piece]]:
    if max(len(old), len(new)) > _WINDOW:
        start = max(0, first_difference(old, new) - _WINDOW // 2)
        cut_off = glyphs.cut if start else ""
        old, new = (cut_off + line[start : start + _WINDOW] for line in (old, new))
    blanks_only = old.split() == new.split()
    return changed_words(
        _visible(old, glyphs, trailing=True, everywhere=blanks_only),
        _visible(new, glyphs, trailing=True, everywhere=blanks_only),
    )


def _split(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Break pieces at line ends."""
    lines: list[list[Piece]] = [[]]
    for text, changed in pieces:
        first, *others = text.split("\n")
        lines[-1].append((first, changed))
        lines += [[(other, changed)] for other in others]
    return lines


def _visible(line: str, glyphs: Glyphs, *, trailing: bool, everywhere: bool = False) -> str:
    """Return *line* with what could be overlooked made visible.

    That is: *trailing* blanks, or blanks *everywhere*; characters that look like a blank or
    like nothing; control characters.
    """
    body = line.rstrip(" \t\r") if trailing and not everywhere else line
    end = line[len(body) :]
    if everywhere:
        body, end = "", line
    end = end.replace(" ", glyphs.blank).replace("\t", glyphs.tab)
    end = end.replace("\r", glyphs.carriage_return)
    body = _UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", body.expandtabs())
    return shown_line(body + _UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", end))


def _windowed(pieces: Sequence[Piece], width: int, sign: str) -> list[Piece]:
    """Return *pieces* cut to *width* columns, the first change being among them."""
    length = sum(cells(text) for text, _ in pieces)
    if length <= width:
        return list(pieces)
    before = itertools.takewhile(lambda piece: not piece[1], pieces)
    offset = sum(len(text) for text, _ in before)
    whole = sum(len(text) for text, _ in pieces)
    start = 0 if offset == whole or offset < width * 2 // 3 else offset - width // 3
    found: list[Piece] = [(sign, False)] if start else []
    room = width - len(found) - 1
    for text, changed in pieces:
        part, start = text[start:], max(0, start - len(text))
        fitting = head(part, room)
        if fitting:
            found.append((fitting, changed))
        room -= cells(fitting)
        if fitting != part:
            return [*found, (sign, False)]
    return found
