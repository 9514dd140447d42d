"""Sizes in bytes, as people write and read them."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([KMG]i?|)B?\Z")


def size_bytes(text: str) -> int:
    """Return how many bytes *text* stands for.

    >>> size_bytes("64 MB"), size_bytes("1.5GiB"), size_bytes("4096")
    (64000000, 1610612736, 4096)

    Raises:
        ValueError: it is no size.
    """
    found = _SIZE.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no size; write a number of bytes, or 64 MB, 1.5 GiB")
    return int(float(found[1]) * _UNITS[found[2]])


def shown_size(size: int) -> str:
    """Return *size*, a number of bytes, in the largest unit in which it is whole; or else about.

    >>> shown_size(64000000), shown_size(2**30), shown_size(1234)
    ('64 MB', '1 GiB', '1.2 KB')
    """
    for unit in ("G", "Gi", "M", "Mi", "K", "Ki"):
        whole, rest = divmod(size, _UNITS[unit])
        if 0 < whole < 1024 and rest == 0:
            return f"{whole} {unit}B"
    for unit in ("G", "M", "K"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.1f}".removesuffix(".0") + f" {unit}B"
    return f"{size} bytes"
