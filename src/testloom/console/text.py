"""How wide a text is on a terminal, and how it is made to fit; durations for people."""

from __future__ import annotations

import functools
import unicodedata


def cells(text: str) -> int:
    """Return how many columns *text* takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def head(text: str, width: int) -> str:
    """Return as much of the beginning of *text* as fits in *width* columns."""
    if text.isascii():
        return text[: max(width, 0)]
    used = 0
    for at, char in enumerate(text):
        used += _cells_of(char)
        if used > width:
            return text[:at]
    return text


def cut(text: str, width: int, sign: str) -> str:
    """Return *text* if it fits in *width* columns, else its beginning and *sign*."""
    # What is cut first is for sure too much: texts may be megabytes long.
    text = text[: 4 * width + 4]
    if cells(text) <= width:
        return text
    return head(text, width - 1) + sign if width > 0 else ""


def cut_middle(text: str, width: int, sign: str) -> str:
    """Return *text* if it fits in *width* columns, else its two ends with *sign* between them.

    >>> cut_middle("parser/errors/unterminated_string", 20, "…")
    'parser…inated_string'
    """
    if len(text) > 8 * width + 8:
        text = text[: 4 * width + 4] + text[-4 * width - 4 :]
    if cells(text) <= width:
        return text
    if width < 3:
        return cut(text, width, sign)
    front = (width - 1) // 3
    back = head(text[::-1], width - 1 - front)[::-1]
    return head(text, front) + sign + back


def padded(text: str, width: int) -> str:
    """Return *text* with blanks behind it, *width* columns in all."""
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int, lines: int, sign: str) -> list[str]:
    """Return *text* in at most *lines* lines of *width* columns, broken at blanks if possible."""
    found: list[str] = []
    rest = text[: 4 * width * lines + 4]
    while cells(rest) > width and len(found) < lines - 1:
        fitting = head(rest, max(width, 2))
        at = len(fitting) if rest[len(fitting)] == " " else fitting.rfind(" ")
        at = at if at > width // 2 else len(fitting)
        found.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*found, cut(rest, width, sign)]


def short_duration(seconds: float) -> str:
    """Return a duration that is still growing: ``0.2s``, ``31s``, ``2:05``, ``1:02:03``."""
    return f"{seconds:.1f}s" if seconds < 9.95 else clock_duration(seconds)


def clock_duration(seconds: float) -> str:
    """Return a duration in whole seconds: ``31s``, ``2:05``, ``1:02:03``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def exact_duration(seconds: float) -> str:
    """Return a duration that was measured: ``0.02s``, ``1.83s``, ``2:05``."""
    return f"{seconds:.2f}s" if seconds < 59.995 else clock_duration(seconds)


def counted(number: int, one: str, many: str = "") -> str:
    """Return *number* with its noun: ``1 test``, ``2 tests``."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


@functools.lru_cache(maxsize=4096)
def _cells_of(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
