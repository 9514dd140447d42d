"""What a history needs of a database, what can be wrong with one, and which values it takes.

Queries are written once, with ``:name`` where a value goes; values never become part of a
query.  They are normalised first (`plain_text`, `plain_number`): what one database takes and
another refuses, such as NUL or half a character in a text, never gets to either.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

LONGEST_TEXT: Final = 500
"""Characters kept of a text: less than what fits into an index of any of the databases."""

Row = tuple[Any, ...]
Values = Mapping[str, str | int | float | None]


class HistoryError(Exception):
    """The history cannot be used now; the message is one line that names it and says why."""


class HistoryLockedError(HistoryError):
    """Others use it, and have not come to an end in time."""


class HistoryDamagedError(HistoryError):
    """Its content makes no sense; it can be put aside and made again."""


class Database(Protocol):
    """An open database with the tables of a history.

    Every method may raise a `HistoryError`.
    """

    is_new: bool
    """Whether its tables have just been made, so that nothing is in them."""

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]:
        """Return the rows that *query* finds."""

    def change_many(self, query: str, values: Iterable[Values]) -> None:
        """Change something once for each of *values*."""

    def changing(self) -> contextlib.AbstractContextManager[None]:
        """Make all changes within the block at once, or, if it raises, none of them."""

    def close(self) -> None: ...


def plain_text(text: str) -> str:
    """Return *text* as every database keeps it: Unicode without NUL, not too long.

    Texts that differ stay different.
    """
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    if len(text) <= LONGEST_TEXT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: LONGEST_TEXT - 17]}~{digest}"


def plain_number(number: float | None) -> float | None:
    """Return *number* if it is one; None for infinity and what is no number."""
    return None if number is None or not math.isfinite(number) else float(number)


def plain_count(number: int) -> int:
    """Return *number*, or the nearest that fits into 64 bits."""
    return max(-(2**63), min(int(number), 2**63 - 1))
