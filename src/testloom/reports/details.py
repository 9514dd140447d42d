"""What a report shows of the logs of a result: loaded, made text, cut to size.

The logs of a result are read from the disk, so a report asks for them only where it shows
them.  A record that cannot be read costs its logs, never the report.
"""

from __future__ import annotations

from typing import Final

import msgspec

from testloom.model.log import binary_repr
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary

LIMIT_BYTES: Final = 64 << 10
"""Bytes that a report shows of one log: half from its head, half from its tail."""

TAIL_LINES: Final = 20
"""Lines of a log that say why a test failed, where there is no diff."""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """The logs of a result as text; what there is none of is empty."""

    log: str = ""
    diff: str = ""
    expected: str = ""
    out: str = ""


def details_of(summary: Summary, entry: ResultEntry, limit: int | None = LIMIT_BYTES) -> Details:
    """Load the logs of *entry*, each cut to *limit* bytes, or whole if that is None."""
    if entry.place < 0:
        return Details()
    try:
        record = summary.load(entry)
    except OSError as error:
        return Details(log=f"the logs of this result are lost: {error}\n")
    return texts_of(record, limit)


def texts_of(record: ResultRecord, limit: int | None = LIMIT_BYTES) -> Details:
    """Return the logs of *record*, each cut to *limit* bytes, or whole if that is None."""
    parts = {part: _text(record, part) for part in ("log", "diff", "expected", "out")}
    if limit is not None:
        parts = {part: excerpt(text, limit) for part, text in parts.items()}
    return Details(**parts)


def last_lines(log: str, count: int = TAIL_LINES) -> str:
    """Return the last *count* lines of *log*: what stands for a diff where there is none."""
    lines = log[-LIMIT_BYTES:].splitlines(keepends=True)
    return "".join(lines[-count:])


def needs_details(entry: ResultEntry) -> bool:
    """Tell whether people will want to see the logs of *entry*."""
    return entry.status is not TestStatus.PASS


def excerpt(text: str, limit: int = LIMIT_BYTES) -> str:
    r"""Return *text*, without its middle if it takes more than *limit* bytes of UTF-8.

    >>> excerpt("0123456789" * 10, 40)
    '012345\n... 88 bytes dropped ...\n456789'
    """
    if len(text) * 4 <= limit or (text.isascii() and len(text) <= limit):
        return text
    if text.isascii():  # megabytes are better not copied
        half = max(0, limit - len(_note(len(text)))) // 2
        tail = text[len(text) - half :]
        return f"{text[:half]}{_note(len(text) - 2 * half)}{tail}"
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return text
    # The note counts towards the limit; the longest one is as long as this one.
    half = max(0, limit - len(_note(len(data)))) // 2
    head = data[:half].decode("utf-8", "ignore")
    tail = data[len(data) - half :].decode("utf-8", "ignore")
    return f"{head}{_note(len(data) - 2 * half)}{tail}"


def _note(dropped: int) -> str:
    return f"\n... {dropped} bytes dropped ...\n"


def _text(record: ResultRecord, field: str) -> str:
    binary: bytes | None = getattr(record, f"{field}_bytes")
    if binary is not None:
        return binary_repr(binary)
    return getattr(record, field) or ""
