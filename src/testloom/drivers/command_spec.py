r"""The keys of ``test.yaml`` that `testloom.drivers.CommandDriver` understands, checked.

::

    cmd: [./calc, input.txt]    # or a text, split as a shell would but run without one
    shell: true                 # give the text to `sh -c`
    stdin: "1 + 1\n"             # or {file: NAME}; nothing by default
    env: {TZ: UTC, LANG: null}  # added to the environment; null takes a variable out
    cwd: sub                    # relative to the copy of the test's directory
    exit: 0                     # or a list of statuses, a signal (SIGABRT), or any (status)
    stdout: "2\n"                # or {file: NAME} or {regex: PATTERN}
    stderr: {regex: "^warning:"}
    timeout: 10                 # seconds
    memory: 64 MB               # what it and all that it starts may have
    output-limit: 10 MB         # what it may write
    requires: [awk, bc]         # programs without which the test is skipped
    copy: false                 # run in the test's own directory
    retries: 2                  # see `testloom.suite.retries`
    control: ...                # see `testloom.drivers.control`
    tags: [smoke]
    description: Adds two numbers.

Numbers stand for themselves in ``cmd`` and ``env`` (``[head, -n, 3]``).  A mistake is a
`UsageError` that names file and line.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from testloom.drivers.base import seconds_or_none
from testloom.model.errors import UsageError, nearest
from testloom.model.outcome import Exited, Killed
from testloom.model.sizes import shown_size, size_bytes

_MAX_SCANNED = 1 << 20
_LEAST_MEMORY: Final = 1 << 20
"""With less, hardly a program can be loaded."""


class Inline(msgspec.Struct, frozen=True):
    """A stream is expected to be this text."""

    text: str


class InFile(msgspec.Struct, frozen=True):
    """A stream is expected to be what a file in the test's directory holds."""

    name: str


class Matching(msgspec.Struct, frozen=True):
    """A stream is expected to match a pattern somewhere; ``^`` and ``$`` are those of lines."""

    pattern: str


Expectation: TypeAlias = Inline | InFile | Matching


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run and what to expect of it."""

    argv: tuple[str, ...]
    stdin: Inline | InFile | None = None
    env: Mapping[str, str | None] = {}
    cwd: str = ""
    ends: frozenset[Exited | Killed] | None = frozenset({Exited(0)})
    """The ways in which it may end; None for any exit status (but no signal)."""
    stdout: Expectation | None = None
    stderr: Expectation | None = None
    timeout_s: float | None = None
    """None for the run's default."""
    memory_bytes: int | None = None
    """None for as much as there is."""
    output_limit_bytes: int | None = None
    """None for the run's default."""
    requires: tuple[str, ...] = ()
    copy: bool = True


class _Wrong(ValueError):
    """A value is not what its key wants; the message says what that is."""


def parse(test_env: Mapping[str, Any], *, root: str = "") -> CommandSpec:
    """Return what *test_env* says.

    Args:
        test_env: the keys of ``test.yaml``, and those that the run adds.
        root: directory that paths in messages are relative to, where they are below it.

    Raises:
        UsageError: a key is unknown, missing, or has a value of the wrong kind.
    """
    for key in test_env:
        if key not in _KNOWN:
            raise _error(test_env, key, root, f"unknown key {key!r}{_hint(key)}")
    if "cmd" not in test_env:
        raise _error(test_env, "", root, "no 'cmd'; say what to run, such as cmd: [./prog, arg]")
    values: dict[str, Any] = {}
    for key, (field, read) in _READERS.items():
        if key in test_env:
            try:
                values[field] = read(test_env[key])
            except _Wrong as error:
                raise _error(test_env, key, root, f"{key!r} must be {error}") from error
    try:
        argv = _argv(test_env["cmd"], shell=values.pop("shell", False))
    except _Wrong as error:
        raise _error(test_env, "cmd", root, f"'cmd' must be {error}") from error
    return CommandSpec(argv=argv, **values)


def _argv(value: object, *, shell: bool) -> tuple[str, ...]:
    if shell:
        if not isinstance(value, str):
            raise _Wrong("a text where 'shell' is true")
        return ("sh", "-c", value)
    if isinstance(value, str):
        try:
            argv = tuple(shlex.split(value))
        except ValueError as error:
            raise _Wrong(f"a command line, and this one ends too early: {error}") from error
    elif isinstance(value, list):
        argv = tuple([_word(item) for item in value])
    else:
        raise _Wrong(f"a list or a text, not {_shown(value)}")
    if not argv or not argv[0]:
        raise _Wrong("a program and its arguments; it is empty")
    return argv


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Wrong(f"a list of texts; put {_shown(value)} in quotes")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"a text, not {_shown(value)}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"true or false, not {_shown(value)}")
    return value


def _seconds(value: object) -> float:
    seconds = seconds_or_none(value)
    if seconds is None:
        raise _Wrong(f"a number of seconds above 0, not {_shown(value)}")
    return seconds


def _names(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _Wrong(f"a list of names, not {_shown(value)}")
    return tuple(names)


def _environment(value: object) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise _Wrong(f"a mapping from names to texts, not {_shown(value)}")
    found: dict[str, str | None] = {}
    for name, text in value.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise _Wrong(f"a mapping from names to texts; {name!r} cannot be a name")
        try:
            found[name] = None if text is None else _word(text)
        except _Wrong:
            raise _Wrong(
                f"a mapping from names to texts; put {_shown(text)} of {name!r} in quotes"
            ) from None
    return found


def _input(value: object) -> Inline | InFile:
    if isinstance(value, str):
        return Inline(value)
    if _is_single(value, "file"):
        return InFile(value["file"])  # type: ignore[index]  # just checked
    raise _Wrong(f"a text or {{file: NAME}}, not {_shown(value)}")


def _expectation(value: object) -> Expectation:
    if isinstance(value, str):
        return Inline(value)
    if _is_single(value, "file"):
        return InFile(value["file"])  # type: ignore[index]  # just checked
    if _is_single(value, "regex"):
        pattern: str = value["regex"]  # type: ignore[index]  # just checked
        try:
            re.compile(pattern, re.MULTILINE)
        except re.error as error:
            raise _Wrong(f"a valid regular expression; {pattern!r}: {error}") from error
        return Matching(pattern)
    raise _Wrong(f"a text, {{file: NAME}} or {{regex: PATTERN}}, not {_shown(value)}")


def _ends(value: object) -> frozenset[Exited | Killed] | None:
    if value == "any":
        return None
    if isinstance(value, list):
        if not value:
            raise _Wrong("an exit status; the list is empty")
        return frozenset(_end(item) for item in value)
    return frozenset((_end(value),))


def _end(value: object) -> Exited | Killed:
    if _is_single(value, "signal"):
        value = value["signal"]  # type: ignore[index]  # just checked
    elif isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= 255:
            return Exited(value)
        raise _Wrong(f"an exit status from 0 to 255, not {value}")
    if isinstance(value, str) and value in signal.Signals.__members__:
        return Killed(signal.Signals[value].value)
    near = nearest(str(value), signal.Signals.__members__) if isinstance(value, str) else ""
    raise _Wrong(
        f"an exit status, a list of them, 'any' or the name of a signal, not {_shown(value)}{near}"
    )


def _size(value: object) -> int:
    """Return a number of bytes."""
    try:
        size = size_bytes(str(value) if isinstance(value, int) else value)  # type: ignore[arg-type]  # told below
    except (TypeError, ValueError):
        raise _Wrong(f"a size such as 64 MB, not {_shown(value)}") from None
    if isinstance(value, bool) or size == 0:
        raise _Wrong(f"a size such as 64 MB, not {_shown(value)}")
    return size


def _memory(value: object) -> int:
    size = _size(value)
    if size < _LEAST_MEMORY:
        raise _Wrong(f"a size of at least {shown_size(_LEAST_MEMORY)}, not {_shown(value)}")
    return size


def _is_single(value: object, key: str) -> bool:
    """Tell whether *value* is a mapping of *key* to a text, and no more."""
    return isinstance(value, dict) and set(value) == {key} and isinstance(value[key], str)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_READERS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "shell": ("shell", _flag),
    "stdin": ("stdin", _input),
    "env": ("env", _environment),
    "cwd": ("cwd", _text),
    "exit": ("ends", _ends),
    "stdout": ("stdout", _expectation),
    "stderr": ("stderr", _expectation),
    "timeout": ("timeout_s", _seconds),
    "memory": ("memory_bytes", _memory),
    "output-limit": ("output_limit_bytes", _size),
    "requires": ("requires", _names),
    "copy": ("copy", _flag),
}
"""The field of `CommandSpec` that a key fills, and what reads its value."""

KEYS: Final = frozenset({"cmd", "control", "tags", "description", "driver", "retries", *_READERS})
"""What a test of this kind may say."""
_KNOWN: Final = KEYS | {"test_dir", "test_name", "test_matcher", "working_dir"}


def _hint(key: object) -> str:
    swapped = [known for known in sorted(KEYS) if sorted(known) == sorted(str(key))]
    near = nearest(str(key), swapped or KEYS)
    return near or f"; known keys are {', '.join(sorted(KEYS))}"


def _error(test_env: Mapping[str, Any], key: object, root: str, what: str) -> UsageError:
    """Return an error about *key*, with the file and the line where it stands."""
    directory = str(test_env.get("test_dir", ""))
    path = os.path.join(directory, "test.yaml")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_SCANNED).splitlines()
    except OSError:
        return UsageError(f"{test_env.get('test_name', directory)}: {what}")
    shown = os.path.relpath(path, root) if root and path.startswith(root + os.sep) else path
    return UsageError(f"{shown}:{_line_of(str(key), lines)}: {what}")


def _line_of(key: str, lines: Iterable[str]) -> int:
    """Return the line, counted from 1, on which *key* stands in a mapping; 1 if on none."""
    pattern = re.compile(rf"""[{{\s]*\+?["']?{re.escape(key)}["']?\+?\s*:""")
    return next((n for n, line in enumerate(lines, 1) if key and pattern.match(line)), 1)
