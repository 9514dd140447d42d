"""Which failures seem to have the same cause: those that say the same but for details."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import Final

from testloom.model import reason
from testloom.model.result import ResultRecord
from testloom.model.summary import ResultEntry

_DETAILS: Final = re.compile(
    r"0[xX][0-9a-fA-F]+"  # addresses
    r"|(?<![\w.])\.{0,2}(?:/[^\s:'\"/]+)+/?"  # paths
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"  # hashes
    r"|\d+(?:\.\d+)?"
)
_SIGNS: Final = frozenset("-+")
_HEADS: Final = frozenset({"---", "+++"})
_READ: Final = 20_000
"""Characters of a diff that are compared."""


def masked(text: str) -> str:
    """Return *text* with numbers, addresses, hashes and paths replaced by signs.

    >>> masked("/tmp/w3/a.out: fault at 0x7ffe12 after 31 steps")
    '~: fault at ~ after ~ steps'
    """
    return _DETAILS.sub("~", text)


def cause_of(entry: ResultEntry, record: ResultRecord | None) -> Hashable | None:
    """Return a value that is the same for failures that seem to have one cause; None: unknown.

    Failures that differ from a baseline all say so in the same words, so it is what changed
    that is compared.
    """
    text = entry.message
    if entry.reason == reason.DIFF or (record and (record.diff or record.diff_bytes)):
        text = _changes(record)
    if not text:
        return None
    return (entry.status, entry.reason, masked(text))


def _changes(record: ResultRecord | None) -> str:
    diff = record.diff if record else None
    lines: Iterable[str] = diff[:_READ].split("\n") if diff else ()
    return "\n".join(line for line in lines if line[:1] in _SIGNS and line[:3] not in _HEADS)
