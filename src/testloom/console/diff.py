"""Shows a unified diff to people: numbered lines, changed words marked, blanks made visible."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.console.hunks import Hunk, Stretch, groups_of, read_diff
from testloom.console.look import Look
from testloom.console.marks import marked, spans_of, style_of, unchanged
from testloom.console.spans import Line, Span, text_of
from testloom.console.text import cells, counted, cut
from testloom.model.names import shown_line

_LEAST: Final = 6
"""Lines there must be room for, for one more hunk to be shown."""
_READ: Final = 20_000
"""Lines of a diff that are looked at when only some are shown."""


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
    for at, group in enumerate(groups := groups_of(hunk.stretches)):
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


def _context_lines(
    stretch: Stretch, width: int, look: Look, *, before: bool, after: bool
) -> Iterator[Line]:
    """Yield unchanged lines: those near a change *before* or *after* them."""
    for number, line in stretch.near(before=before, after=after):
        if line is None:
            yield [("     " + look.glyphs.gap, "faint")]
        else:
            yield _plain(f"     {number:>{width}}   ", unchanged(line, look.glyphs), look)


def _plain(prefix: str, text: str, look: Look) -> Line:
    return [(prefix, "faint"), (cut(text, look.line_limit - cells(prefix), look.glyphs.cut), "")]


def _change_lines(group: Sequence[Stretch], width: int, look: Look, most: int) -> list[Line]:
    """Return the removed and the added lines of one change, as many of each as there is room."""
    counts = _shares([stretch.total for stretch in group], most)
    kept = [s.lines[:count] for s, count in zip(group, counts, strict=True)]
    lines: list[Line] = []
    for stretch, texts in zip(group, marked(kept, look.glyphs), strict=True):
        style = style_of(stretch.kind)
        for at, pieces in enumerate(texts):
            prefix = f"   {stretch.kind} {stretch.number + at:>{width}}   "
            room = look.line_limit - len(prefix)
            lines.append([(prefix, style), *spans_of(stretch.kind, pieces, room, look.glyphs)])
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
