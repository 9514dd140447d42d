"""How things are to look: how wide, with which signs, and how commands are spelled."""

from __future__ import annotations

from typing import Final

import msgspec

from testloom.model.rerun import Commands


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """The signs that are drawn besides letters; each is one column wide."""

    rule: str = "─"
    double_rule: str = "═"
    cut: str = "…"
    """Stands for text that was left out."""
    between: str = "·"
    blank: str = "·"
    """Stands for a blank that could be overlooked."""
    tab: str = "→"
    carriage_return: str = "␍"
    gap: str = "⋮"
    gutter: str = "│"
    bar: str = "━"
    bar_end: str = "╸"
    bar_rest: str = "─"
    first: str = "┐"
    middle: str = "│"
    last: str = "┘"


UNICODE: Final = Glyphs()
ASCII: Final = Glyphs(
    rule="-",
    double_rule="=",
    cut="~",
    between=",",
    blank=".",
    tab=">",
    carriage_return="^",
    gap=":",
    gutter="|",
    bar="=",
    bar_end=">",
    bar_rest="-",
    first="\\",
    middle="|",
    last="/",
)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the functions that make lines must know of the place where they will be shown."""

    width: int = 100
    """Columns: of rules, and of lines whose content may be cut."""
    line_limit: int = 200
    """Columns that a line of a diff or log may have; what is more is cut."""
    glyphs: Glyphs = UNICODE
    commands: Commands = Commands()
    """How the commands are spelled that people are shown."""


def glyphs_for(encoding: str | None) -> Glyphs:
    """Return the signs that a stream with *encoding* can show."""
    wanted = "".join(getattr(UNICODE, name) for name in UNICODE.__struct_fields__)
    try:
        wanted.encode(encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE
