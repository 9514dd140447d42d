"""Values of options: which there may be, and how they are made from text.

All places that set options share this: the command line, the environment, a configuration.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from testloom.model.errors import UsageError, nearest
from testloom.model.sizes import size_bytes

MAX_JOBS: Final = 1024
REPORTERS: Final = ("auto", "live", "lines", "dots", "minimal", "github", "gitlab", "none")
COLORS: Final = ("auto", "always", "never")
ISOLATIONS: Final = ("none", "pidns")
START_METHODS: Final = ("fork", "spawn")
CLEANUP_MODES: Final = ("none", "passing", "all")
LIST_FORMATS: Final = ("text", "json")
ORDERS: Final = ("auto", "slowest-first", "given", "random")
FAIL_ON: Final = ("any", "new")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

KEEP_WORK: Final = {"none": "all", "failing": "passing", "all": "none"}
_FACTORY: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_YEAR_S: Final = 366 * 24 * 3600.0


class BadValueError(UsageError, argparse.ArgumentTypeError):
    """A value is of no use for its option; the message does not name the option."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_JOBS)
    return min(os.cpu_count() or 1, MAX_JOBS)


def jobs_count(text: str) -> int:
    """Return the number of slots that *text* asks for: ``0`` and ``auto`` mean one per core."""
    if text == "auto":
        return cores()
    number = _whole(text, "write a number, or 'auto' for one slot per core")
    return cores() if number == 0 else jobs_in_range(number)


def seconds(text: str) -> float:
    """Return a limit in seconds; infinity for ``none``."""
    if text == "none":
        return math.inf
    try:
        number = float(text)
    except ValueError:
        hint = "write 5 for five seconds, or 'none'"
        raise BadValueError(f"{text!r} is not a number of seconds; {hint}") from None
    seconds_in_range(number)
    return number


def size(text: str) -> int:
    """Return a number of bytes above zero."""
    try:
        number = size_bytes(text)
    except ValueError as error:
        raise BadValueError(str(error)) from None
    return positive_in_range(number)


def count(text: str) -> int:
    """Return a whole number that is not negative."""
    return not_negative(_whole(text, "write a number such as 5"))


def positive(text: str) -> int:
    """Return a whole number above zero."""
    return positive_in_range(_whole(text, "write a number such as 5"))


def delay(text: str) -> float:
    """Return a number of seconds to wait, which may be zero."""
    return 0.0 if text in {"0", "0.0"} else seconds(text)


def exit_code(text: str) -> int:
    """Return a number that a process can exit with."""
    return exit_code_in_range(_whole(text, "write a number such as 1"))


def keep_work(text: str) -> str:
    """Return the clean-up mode that keeps what *text* says."""
    return KEEP_WORK[one_of(*KEEP_WORK)(text)]


def one_of(*words: str) -> Callable[[str | None], str]:
    """Return a function that lets *words* pass; the case of letters is that of *words*."""

    def choice(text: Any) -> Any:
        if text is None or text in words:
            return text
        hint = nearest(str(text), words)
        raise BadValueError(f"{text!r} is not one of {', '.join(words)}{hint}")

    return choice


def report_text(text: str) -> str:
    """Let ``FORMAT`` and ``FORMAT=PATH`` pass."""
    name, equals, path = text.partition("=")
    if not name or (equals and not path):
        raise BadValueError(f"{text!r} is not a report; write FORMAT or FORMAT=PATH")
    return text


def factory_text(text: str | None) -> str | None:
    """Let ``MODULE:NAME`` pass, where both are what Python calls names."""
    if text is not None and not _FACTORY.fullmatch(text):
        raise BadValueError(f"{text!r} names nothing to call; write MODULE:FACTORY")
    return text


def truth(text: str) -> bool:
    """Return what a flag is set to by a variable of the environment."""
    if (word := text.strip().lower()) in {"1", "true", "yes", "on"}:
        return True
    if word in {"", "0", "false", "no", "off"}:
        return False
    raise BadValueError(f"{text!r} is neither yes nor no; write 1 or 0")


def variable(option: str) -> str:
    """Return the variable of the environment that stands for a long option.

    >>> variable("--output-dir")
    'TESTLOOM_OUTPUT_DIR'
    """
    return "TESTLOOM_" + option.lstrip("-").upper().replace("-", "_")


def _whole(text: str, hint: str) -> int:
    # `int` takes "1_000" and digits of other scripts; nobody means those.
    if not text.lstrip("-").isdecimal() or not text.isascii() or len(text) > 18:
        raise BadValueError(f"{text!r} is not a whole number; {hint}")
    return int(text)


def jobs_in_range(number: int) -> int:
    """Let a number of slots pass that makes sense."""
    if number < 1:
        raise BadValueError(f"{number} slots cannot run anything; write 1 or more, or 'auto'")
    if number > MAX_JOBS:
        raise BadValueError(
            f"{number} slots are too many; write at most {MAX_JOBS}, or 'auto' for one per core"
        )
    return number


def seconds_in_range(number: float | None) -> float | None:
    """Let a limit pass that is one."""
    if number is None:
        return None
    if not math.isfinite(number) or number <= 0:
        raise BadValueError(f"{number:g} s is no limit; write more than 0, or 'none'")
    if number > _YEAR_S:
        raise BadValueError(f"{number:g} s is more than a year; write 'none' for no limit")
    return number


def not_negative(number: int | None) -> int:
    """Let a number pass that is not negative; None is 0."""
    if number is not None and number < 0:
        raise BadValueError(f"{number} is negative; write 0 or more")
    return number or 0


def positive_in_range(number: int) -> int:
    """Let a number above zero pass."""
    if number < 1:
        raise BadValueError(f"{number} is nothing at all; write 1 or more")
    return number


def exit_code_in_range(number: int) -> int:
    """Let a number pass that a process can exit with."""
    if not 0 <= number <= 255:
        raise BadValueError(f"no process can exit with {number}; write 0 to 255")
    return number


def converted(action: argparse.Action, value: object) -> object:
    """Return the value of *action* that *value*, from a variable or a file, stands for."""
    kind: Any = action.type or str
    if isinstance(action, argparse._AppendAction) or isinstance(action.default, list):  # noqa: SLF001 - the class has no public name
        items = value.split() if isinstance(value, str) else value
        assert isinstance(items, Sequence)
        return [kind(item) for item in items]
    if isinstance(action, argparse._CountAction):  # noqa: SLF001 - the class has no public name
        return count(str(value))
    if action.nargs == 0:
        return action.const if truth(str(value)) else _unset(action)
    if isinstance(action.nargs, int) or action.nargs in {"*", "+"}:
        return [kind(item) for item in str(value).split()]
    converted = kind(str(value))
    if action.choices is not None and converted not in action.choices:
        known = ", ".join(map(str, action.choices))
        raise BadValueError(f"{value!r} is not one of {known}")
    return converted


def _unset(action: argparse.Action) -> object:
    """Return what a flag is without being given; one that is set by its default goes off."""
    return not action.const if isinstance(action.const, bool) else None
