"""Shows a unified diff to people in two columns: what was expected beside what came out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from testloom.console.hunks import Hunk, Stretch, groups_of, read_diff
from testloom.console.look import Look
from testloom.console.marks import marked, spans_of, unchanged
from testloom.console.spans import Line, Span, text_of
from testloom.console.text import cells, cut
from testloom.model.names import shown_line

_LEAST: Final = 12
"""Columns that a side has however narrow the terminal is."""
_MARGIN: Final = "   "

Cell: TypeAlias = tuple[str, Sequence[Span]]
"""The number of a line and the line; both empty where there is none."""
_NOTHING: Final[Cell] = ("", ())


def side_by_side(diff: str, look: Look, most: int) -> list[Line]:
    """Return *diff* as at most *most* lines of two columns; empty if it is no unified diff."""
    found = read_diff(diff, kept=most, most=20 * most)
    numbers = len(
        str(max((s.number + s.total for h in found.hunks for s in h.stretches), default=0))
    )
    side = max(_LEAST, (look.width - len(_MARGIN) - 2 * numbers - 5) // 2)
    rows = itertools.chain.from_iterable(
        _hunk(hunk, at, side, look) for at, hunk in enumerate(found.hunks)
    )
    lines: list[Line] = []
    for row in rows:
        if len(lines) + 1 >= most:
            lines.append([(f"{_MARGIN}{look.glyphs.cut} and more", "faint")])
            break
        lines.append(
            _joined(row, numbers, side, look) if row else [(f"{_MARGIN}{look.glyphs.gap}", "faint")]
        )
    return lines


Row: TypeAlias = tuple[Cell, Cell]


def _hunk(hunk: Hunk, at: int, side: int, look: Look) -> Iterator[Row | None]:
    """Yield the lines of *hunk*, the *at*-th of a diff; None for lines that are left out."""
    if at:
        yield None
    elif any(hunk.files):
        old, new = (cut(shown_line(name) or "?", side - 2, look.glyphs.cut) for name in hunk.files)
        yield ("", [(f"- {old}", "removed")]), ("", [(f"+ {new}", "added")])
    ahead = hunk.ahead
    groups = groups_of(hunk.stretches)
    for place, group in enumerate(groups):
        if group[0].kind in "-+":
            yield from _change(group, side, look)
            ahead += sum(s.total if s.kind == "+" else -s.total for s in group)
        elif group[0].kind == " ":
            near = group[0].near(before=place > 0, after=place + 1 < len(groups))
            for number, line in near:
                if line is None:
                    yield None
                    continue
                text = cut(unchanged(line, look.glyphs), side, look.glyphs.cut)
                yield (str(number - ahead), [(text, "")]), (str(number), [(text, "")])


def _change(group: Sequence[Stretch], side: int, look: Look) -> Iterator[Row]:
    """Yield removed lines beside the added ones in their place."""
    cells_of: dict[str, list[Cell]] = {"-": [], "+": []}
    for stretch, texts in zip(group, marked([s.lines for s in group], look.glyphs), strict=True):
        cells_of[stretch.kind] = [
            (str(stretch.number + at), spans_of(stretch.kind, pieces, side, look.glyphs))
            for at, pieces in enumerate(texts)
        ]
    yield from itertools.zip_longest(cells_of["-"], cells_of["+"], fillvalue=_NOTHING)


def _joined(row: Row, numbers: int, side: int, look: Look) -> Line:
    (old_number, old), (new_number, new) = row
    gap = " " * (side - cells(text_of(old)))
    return [
        (f"{_MARGIN}{old_number:>{numbers}} ", "faint"),
        *old,
        (f"{gap} {look.glyphs.gutter} {new_number:>{numbers}} ", "faint"),
        *new,
    ]
