"""How things are to look: how wide, with which signs, and how commands are spelled."""

from __future__ import annotations

import dataclasses
from typing import Final

from testloom.model.rerun import Commands


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the functions that make lines must know of the place where they will be shown."""

    width: int = 100
    """Columns: of rules, and of lines whose content may be cut."""
    line_limit: int = 200
    """Columns that a line of a diff or log may have; what is more is cut."""
    glyphs: Glyphs = UNICODE
    commands: Commands = Commands()  # noqa: RUF009 - it is frozen
    """How the commands are spelled that people are shown."""


def glyphs_for(encoding: str | None) -> Glyphs:
    """Return the signs that a stream with *encoding* can show."""
    wanted = "".join(getattr(UNICODE, field.name) for field in dataclasses.fields(Glyphs))
    try:
        wanted.encode(encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE
