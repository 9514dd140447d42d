"""The files ``test.opt``: what to do with a test, by the discriminants of the run.

A line is ``TAG,!TAG,... [COMMAND [ARGUMENT]]``; ``--`` begins a comment.  It matches if all its
tags are discriminants, or none for those behind ``!``.  Of the lines that match, the first one
for each command counts; lines for ``ALL`` count only where no other does.  Tags alone say that
the test is not ``DEAD``.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Iterator
from typing import Final

logger = logging.getLogger("optfileparser")

TAGS: Final = 0
ARG: Final = 1
OVERIDABLE: Final = 2
"""Places in what is kept of a line."""
OPTLINE_REGEXPS: Final = re.compile(
    r"(?P<tags>[\w!+,.-]+)(?:\s+(?P<command>[\w-]+)(?:\s+(?P<argument>.*))?)?\Z", re.ASCII
)

_Match = tuple[list[str], str, bool]


class BadFormattingError(Exception):
    """A line makes no sense."""


class OptFileParse:
    """What a file says for one set of discriminants.

    Args:
        system_tags: the discriminants: a list, or a text with commas.
        filename: the path of the file, or its lines.

    Raises:
        BadFormattingError: a line makes no sense.
    """

    def __init__(self, system_tags: str | list[str], filename: str | list[str]) -> None:
        tags = system_tags.split(",") if isinstance(system_tags, str) else system_tags
        self.system_tags = [tag.strip().lower() for tag in tags]
        self.is_dead = False
        self._has_dead_for_all = False
        self._note = ""
        self._matches: dict[str, _Match] = {}
        self._killed: str | None = None
        for number, line in _lines(filename):
            self._add(number, line)
        self._settle()

    def get_value(self, cmd: str, default_value: str | None = None) -> str | None:
        """Return the argument of *cmd*, or *default_value* if no line has it."""
        found = self._matches.get(cmd.upper())
        return default_value if found is None else found[ARG]

    def get_values(self, default_values: dict[str, str | None]) -> dict[str, str | None]:
        """Return the arguments of the commands that are keys of *default_values*."""
        return {cmd: self.get_value(cmd, default) for cmd, default in default_values.items()}

    def get_note(self, sep: str | None = None) -> str | list[str]:
        """Return the tags that kept the test alive although it is dead for all others."""
        return self._note.replace(",", sep) if sep is not None else self._note

    def __str__(self) -> str:
        lines = [
            f'{command.lower()}="{_quoted(match[ARG])}"' for command, match in self._matches.items()
        ]
        if self._note:
            lines.append(f'activating_tag="{self._note}"')
        return "\n".join(lines)

    def _add(self, number: int, line: str) -> None:
        parsed = OPTLINE_REGEXPS.match(line)
        if parsed is None:
            raise BadFormattingError(f"Can not parse line {number}: {line}")
        tags, command, argument = (
            parsed["tags"].split(","),
            parsed["command"],
            parsed["argument"] or "",
        )
        is_for_all = [tag.upper() for tag in tags] == ["ALL"]
        if command is None:
            command, argument, is_for_all = "DEAD", "false", False
        command = command.upper()
        if command == "DEAD" and is_for_all and argument != "false":
            self._has_dead_for_all = True
        if command == "REQUIRED":
            if not self._matching(tags):
                self._killed = argument
        elif self._matching(tags):
            if command == "DEAD" and not argument:
                argument = "true"
            known = self._matches.get(command)
            if known is None or known[OVERIDABLE]:
                self._matches[command] = (tags, argument, is_for_all)
            if not is_for_all and not self._note:
                self._note = ",".join(tags)

    def _matching(self, tags: list[str]) -> bool:
        return all(self._has(tag.lower()) for tag in tags)

    def _has(self, tag: str) -> bool:
        if tag.startswith("!"):
            return tag[1:] not in ("all", *self.system_tags)
        return tag == "all" or (bool(tag) and tag in self.system_tags)

    def _settle(self) -> None:
        """Decide whether the test is dead, once all lines are known."""
        dead = self._matches.pop("DEAD", None)
        why = dead[ARG] if dead is not None and dead[ARG] != "false" else None
        if self._matches:
            why = None  # whoever says how to run it wants it to run
        if self._killed is not None:
            why = self._killed
        if why is not None:
            self.is_dead = True
            self._matches = {"DEAD": ([], why, False)}
        if self.is_dead or not self._has_dead_for_all:
            self._note = ""


def _lines(source: str | list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers; a missing file says nothing."""
    if isinstance(source, str):
        try:
            with open(source, encoding="utf-8", errors="replace") as file:
                source = file.read().splitlines()
        except FileNotFoundError:
            return
    for number, line in enumerate(source, 1):
        said = line.partition("--")[0].rstrip()
        if said:
            yield number, said


def _quoted(text: str) -> str:
    return text.replace('"', '\\"')


def eval_main(argv: list[str] | None = None) -> None:
    """Show what a file says for some discriminants: ``e3-opt-parser``."""
    parser = argparse.ArgumentParser(description="Evaluate test.opt against set of tags")
    parser.add_argument("opt_filename", help='The name of the "opt" file to read and evaluate')
    parser.add_argument(
        "system_tags", metavar="TAG", nargs="*", help="A tag, or several with commas between them."
    )
    args = parser.parse_args(argv)
    tags = [tag for text in args.system_tags for tag in text.split(",")]
    try:
        print(OptFileParse(tags, args.opt_filename))  # noqa: T201 - a command
    except BadFormattingError as error:
        print(error)  # noqa: T201 - a command
        sys.exit(1)


def check_syntax_main(argv: list[str] | None = None) -> None:
    """Look for lines that make no sense: ``e3-opt-check``."""
    parser = argparse.ArgumentParser(
        description='Look for syntax errors in "opt" files. Exit with 1 if there is one.'
    )
    parser.add_argument("filenames", nargs="+", help='The name of the "opt" file to parse.')
    found = False
    for filename in parser.parse_args(argv).filenames:
        try:
            OptFileParse([], filename)
        except BadFormattingError as error:
            found = True
            print(f"{filename}: {error}")  # noqa: T201 - a command
    sys.exit(1 if found else 0)
