"""Styled text as a value: lines of spans, turned into plain text or into ANSI colours.

Everything the console shows is made as lines of ``(text, style)`` first, so that one structure
serves terminals, pipes and tests.  A style is a name from `STYLES`; what it looks like is said
here in words, which the live view translates for its own renderer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

Span: TypeAlias = tuple[str, str]
"""A text without line ends, safe to show, and the name of its style (empty: none)."""
Line: TypeAlias = Sequence[Span]

STYLES: Final[Mapping[str, str]] = {
    "pass": "green",
    "fail": "bold red",
    "error": "bold magenta",
    "skip": "yellow",
    "expected": "cyan",
    "name": "bold",
    "faint": "dim",
    "slow": "bold yellow",
    "added": "green",
    "removed": "red",
    "added-word": "bold green reverse",
    "removed-word": "bold red reverse",
    "command": "bold",
}
"""What each style looks like."""

_CODES: Final[Mapping[str, str]] = {
    "bold": "1",
    "dim": "2",
    "reverse": "7",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}
_STARTS: Final = {
    style: "\x1b[" + ";".join(_CODES[word] for word in words.split()) + "m"
    for style, words in STYLES.items()
}


def text_of(line: Line) -> str:
    """Return *line* without its styles."""
    return "".join([text for text, _ in line])


def render(lines: Iterable[Line], *, color: bool) -> str:
    """Return *lines* as text, each with a newline behind it; styled by SGR sequences if *color*."""
    if not color:
        return "".join([text_of(line).rstrip() + "\n" for line in lines])
    return "".join(["".join([_styled(*span) for span in line]) + "\n" for line in lines])


def _styled(text: str, style: str) -> str:
    return f"{_STARTS[style]}{text}\x1b[0m" if style and text else text
