"""Shows a unified diff to people: numbered lines, changed words marked, blanks made visible."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.console.hunks import Hunk, Stretch, read_diff
from testloom.console.look import Glyphs, Look
from testloom.console.spans import Line, Span, text_of
from testloom.console.text import cells, counted, cut, head
from testloom.console.words import Piece, changed_words, first_difference
from testloom.model.names import shown_line

_CONTEXT: Final = 3
"""Unchanged lines that are shown before and after a change."""
_LEAST: Final = 6
"""Lines there must be room for, for one more hunk to be shown."""
_READ: Final = 20_000
"""Lines of a diff that are looked at when only some are shown."""
_WINDOW: Final = 1000
"""Characters of a line that are looked at."""
_UNSEEN: Final = re.compile("[\u00a0\u00ad\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]")
_STYLES: Final = {"-": ("removed", "removed-word"), "+": ("added", "added-word")}


def diff_lines(diff: str, look: Look, most: int | None) -> list[Line]:
    """Return *diff* as at most *most* lines (None: no limit); empty if it is no unified diff."""
    found = read_diff(diff, kept=most or sys.maxsize, most=_READ if most else sys.maxsize)
    room = sys.maxsize if most is None else most
    lines: list[Line] = []
    titled = len({hunk.title for hunk in found.hunks}) > 1
    above = (("", ""), "")
    for at, hunk in enumerate(found.hunks):
        if at and room - len(lines) < _LEAST:
            lines.append(_more(found.total - at, look))
            break
        if (hunk.files, hunk.title) != above and any(hunk.files):
            above = (hunk.files, hunk.title)
            lines.append(_title(hunk, look, titled=titled))
        elif at:
            lines.append([(f"     {look.glyphs.gap}", "faint")])
        lines += _hunk_lines(hunk, look, room - len(lines) - (at + 1 < found.total))
    else:
        if found.total > len(found.hunks):
            lines.append(_more(found.total - len(found.hunks), look))
    return lines


def _title(hunk: Hunk, look: Look, *, titled: bool) -> Line:
    old, new = (shown_line(name) or "?" for name in hunk.files)
    line: list[Span] = [("   ", ""), (f"- {old}", "removed"), ("   ", ""), (f"+ {new}", "added")]
    if titled and hunk.title:
        room = look.line_limit - cells(text_of(line)) - 3
        line.append(("   " + cut(shown_line(hunk.title), room, look.glyphs.cut), "faint"))
    return line


def _more(hunks: int, look: Look) -> Line:
    return [(f"   {look.glyphs.cut} {counted(hunks, 'more hunk')}", "faint")]


def _hunk_lines(hunk: Hunk, look: Look, most: int) -> list[Line]:
    width = len(str(max((s.number + s.total for s in hunk.stretches), default=0)))
    lines: list[Line] = []
    for at, group in enumerate(groups := _groups(hunk.stretches)):
        if len(lines) >= most:
            break
        if group[0].kind in "-+":
            lines += _change_lines(group, width, look, most - len(lines))
        elif group[0].kind == "\\":
            lines += [_plain("   " + " " * width, shown_line(group[0].lines[0]), look)]
        else:
            before, after = at > 0, at + 1 < len(groups)
            lines += _context_lines(group[0], width, look, before=before, after=after)
    return lines[:most]


def _groups(stretches: Sequence[Stretch]) -> list[list[Stretch]]:
    """Put removed lines and the added ones that replace them together."""
    groups: list[list[Stretch]] = []
    for stretch in stretches:
        if stretch.kind == "+" and groups and groups[-1][-1].kind == "-":
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    return groups


def _context_lines(
    stretch: Stretch, width: int, look: Look, *, before: bool, after: bool
) -> Iterator[Line]:
    """Yield unchanged lines: those near a change *before* or *after* them."""
    head = _CONTEXT if before else 0
    tail = _CONTEXT if after else 0
    lines = [*stretch.lines, *stretch.last]
    for at in range(len(lines)):
        number = stretch.number + at
        if at >= len(stretch.lines):
            number = stretch.number + stretch.total - (len(lines) - at)
        if at < head or at >= len(lines) - tail:
            text = _visible(lines[at][:_WINDOW].removesuffix("\r"), look.glyphs, trailing=False)
            yield _plain(f"     {number:>{width}}   ", text, look)
        elif at == head and before and after:
            yield [("     " + look.glyphs.gap, "faint")]


def _plain(prefix: str, text: str, look: Look) -> Line:
    return [(prefix, "faint"), (cut(text, look.line_limit - cells(prefix), look.glyphs.cut), "")]


def _change_lines(group: Sequence[Stretch], width: int, look: Look, most: int) -> list[Line]:
    """Return the removed and the added lines of one change, as many of each as there is room."""
    counts = _shares([stretch.total for stretch in group], most)
    kept = [s.lines[:count] for s, count in zip(group, counts, strict=True)]
    lines: list[Line] = []
    for stretch, texts in zip(group, _marked(kept, look.glyphs), strict=True):
        style, word_style = _STYLES[stretch.kind]
        for at, pieces in enumerate(texts):
            prefix = f"   {stretch.kind} {stretch.number + at:>{width}}   "
            shown = _windowed(pieces, look.line_limit - len(prefix), look.glyphs.cut)
            # A line of which nothing stayed needs no marks.
            partly = any(text.strip() and not changed for text, changed in pieces)
            spans = [(text, word_style if changed and partly else style) for text, changed in shown]
            lines.append([(prefix, style), *spans])
        hidden = stretch.total - len(texts)
        if hidden:
            more = counted(hidden, f"more {stretch.kind} line")
            lines.append([(f"   {stretch.kind} {look.glyphs.cut} {more}", style)])
    return lines


def _shares(totals: Sequence[int], most: int) -> list[int]:
    """Divide *most* lines between stretches; one that is cut needs a line to say so."""
    if sum(totals) <= most:
        return list(totals)
    fair = most // len(totals)
    spare = sum(max(0, fair - total) for total in totals)
    return [total if total <= fair else max(1, fair + spare - 1) for total in totals]


def _marked(sides: Sequence[Sequence[str]], glyphs: Glyphs) -> list[list[list[Piece]]]:
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
