"""Small things that suites import from ``e3.testsuite.utils``."""

from __future__ import annotations

import enum
import os
import shlex
import sys
from collections.abc import Iterator
from typing import IO, Any, TypeVar

import colorama  # type: ignore[import-untyped]  # ships no types

from testloom.drivers import CleanupMode
from testloom.drivers.programs import cut
from testloom.processes.files import write_whole

__all__ = [
    "CleanupMode",
    "ColorConfig",
    "DummyColors",
    "dump_environ",
    "enum_to_cmdline_args_map",
    "indent",
    "isatty",
    "safe_dir_walk",
    "truncated",
]

EnumType = TypeVar("EnumType", bound=enum.Enum)


class DummyColors:
    """Stands for colours where there are none: every attribute is the empty text."""

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):  # copying and pickling ask for these
            raise AttributeError(name)
        return ""


class ColorConfig:
    """The colours to use: those of `colorama`, or none."""

    def __init__(self, colors_enabled: bool | None = None) -> None:
        enabled = isatty(sys.stdout) if colors_enabled is None else colors_enabled
        self.Fore: Any = colorama.Fore if enabled else DummyColors()
        self.Style: Any = colorama.Style if enabled else DummyColors()


def isatty(stream: IO[Any]) -> bool:
    """Tell whether *stream* is a terminal."""
    asked = getattr(stream, "isatty", None)
    return bool(asked()) if asked is not None else False


def indent(text: str, prefix: str = "  ") -> str:
    """Return *text* with *prefix* before each of its lines."""
    return "\n".join(f"{prefix}{line}" for line in text.split("\n"))


def truncated(output: str, line_count: int) -> str:
    """Return *output* cut to its first and last *line_count* lines; 0 means all of them."""
    return cut(output, line_count)


def enum_to_cmdline_args_map(enum_cls: type[EnumType]) -> dict[str, EnumType]:
    """Return the members of *enum_cls* under their names as options spell them."""
    return {member.name.lower().replace("_", "-"): member for member in enum_cls}


def dump_environ(filename: str, env: Any) -> None:  # noqa: ARG001 - part of the interface
    """Write a shell script that sets the environment of this process."""
    lines = [
        f"export {name}={shlex.quote(value)}\n"
        for name, value in sorted(os.environ.items())
        if "(" not in name and name not in ("PROFILEREAD", "SHELLOPTS")
    ]
    write_whole(filename, "".join(lines).encode("utf-8", "surrogateescape"))


def safe_dir_walk(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk as `os.walk` does, through links, and enter each real directory once."""
    seen: set[tuple[int, int]] = set()
    for path, directories, files in os.walk(top, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen:
            directories.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield path, directories, files
