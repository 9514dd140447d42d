"""What a job asks for, in the many ways in which people write it, as one value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

GIB: Final = 1024**3
_EXPONENTS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) *([kmgt]?)(?:i?b)?", re.IGNORECASE)
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?) *([smhd]?)", re.IGNORECASE)
_CLOCK: Final = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What one job may use."""

    cores: int = 1
    memory_bytes: int | None = None
    """None for as much as there is."""
    runtime_s: float | None = None
    """None for as long as it takes."""

    @classmethod
    def of(cls, requested: Mapping[str, Any]) -> Request:
        """Return what *requested* asks for: ``cores``, ``memory`` and ``runtime``.

        Other names (``queue``, ``project``) mean nothing here.

        Raises:
            ValueError: one of the three makes no sense.
        """
        found: dict[str, Any] = {}
        for name, (field, read) in _READERS.items():
            value = requested.get(name)
            if value is not None:
                found[field] = read(value)
        return cls(**found)


def cores(value: object) -> int:
    """Return a number of cores: a whole number, at least 1."""
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not number >= 1 or not number.is_integer():
        raise ValueError(f"cores: {value!r} is not a whole number of at least 1")
    return int(number)


def memory_bytes(value: object) -> int:
    """Return an amount of memory: a number is GiB, text may have a unit (``512M``, ``2GiB``)."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        size = 0.0
        if match:
            unit = match[2].lower()
            is_plain = not unit and match[0].strip() == match[1]
            size = float(match[1]) * (GIB if is_plain else 1024 ** _EXPONENTS[unit])
    else:
        size = _number(value) * GIB
    if not 0 < size < math.inf:
        raise ValueError(f"memory: {value!r} is not an amount; write 2 for 2 GiB, or '512M'")
    return int(size)


def runtime_s(value: object) -> float:
    """Return a time in seconds, from a number or text (``90``, ``10m``, ``2h``, ``1:30:00``)."""
    seconds = 0.0
    if not isinstance(value, str):
        seconds = _number(value)
    elif clock := _CLOCK.fullmatch(value.strip()):
        days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        seconds = float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
    elif match := _TIME.fullmatch(value.strip()):
        seconds = float(match[1]) * _SECONDS[match[2].lower()]
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"runtime: {value!r} is not a time; write 90 (seconds), '10m' or '1:30:00'"
        )
    return seconds


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


_READERS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "cores": ("cores", cores),
    "memory": ("memory_bytes", memory_bytes),
    "runtime": ("runtime_s", runtime_s),
}
