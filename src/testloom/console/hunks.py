"""Reads a unified diff into hunks, as much of it as can be shown."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

_HEADER: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_TITLE: Final = "Diff failure: "
"""How the line begins that drivers put above each of several diffs."""
_KEPT_LAST: Final = 3
"""Lines that are kept of the end of a stretch."""
_CONTEXT: Final = 3
"""Unchanged lines that are shown before and after a change."""


class Stretch(msgspec.Struct):
    """Neighbouring lines of one kind."""

    kind: str
    r"""``-``, ``+``, a blank, or ``\`` for remarks such as ``\ No newline at end of file``."""
    number: int
    """Number of its first line: in the old file for ``-``, in the new one for others."""
    lines: list[str] = []
    """The first lines."""
    last: list[str] = []
    """The last lines, as far as they are not among the first."""
    total: int = 0

    def add(self, line: str, kept: int) -> None:
        self.total += 1
        if len(self.lines) < kept:
            self.lines.append(line)
        else:
            self.last = [*self.last[1 - _KEPT_LAST :], line]

    def near(self, *, before: bool, after: bool) -> Iterator[tuple[int, str | None]]:
        """Yield its lines near a change *before* or *after* it, with their numbers.

        A None stands for those between.
        """
        head = _CONTEXT if before else 0
        tail = _CONTEXT if after else 0
        lines = [*self.lines, *self.last]
        for at, line in enumerate(lines):
            number = self.number + at
            if at >= len(self.lines):
                number = self.number + self.total - (len(lines) - at)
            if at < head or at >= len(lines) - tail:
                yield number, line
            elif at == head and before and after:
                yield number, None


class Hunk(msgspec.Struct):
    """A part of a diff, from one ``@@`` to the next."""

    files: tuple[str, str]
    """What is compared, as the diff names it; empty if it does not."""
    title: str = ""
    """What stands above the diff of these files, if that is a title."""
    ahead: int = 0
    """How much larger the number of a line is in the new file than in the old, at its beginning."""
    stretches: list[Stretch] = []


class Diff(msgspec.Struct):
    """A diff, or its beginning."""

    hunks: list[Hunk]
    total: int
    """How many hunks the whole diff has."""


def read_diff(diff: str, *, kept: int, most: int) -> Diff:
    """Return the hunks of *diff*; none if it is not a unified diff.

    Of each stretch its first *kept* lines are there; of the diff the first *most* lines are
    looked at, as reading must not take long whatever a test wrote.
    """
    reader = _Reader(kept)
    for line in itertools.islice(_lines(diff), most):
        reader.feed(line)
    total = diff.count("\n@@ -") + diff.startswith("@@ -")
    return Diff(reader.hunks, max(total, len(reader.hunks)))


def groups_of(stretches: Sequence[Stretch]) -> list[list[Stretch]]:
    """Put removed lines and the added ones that replace them together."""
    groups: list[list[Stretch]] = []
    for stretch in stretches:
        if stretch.kind == "+" and groups and groups[-1][-1].kind == "-":
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    return groups


class _Reader:
    """Takes the lines of a diff one by one.

    Within a hunk the numbers in its header say what a line is: a removed line that begins with
    ``--`` looks like the name of a file.
    """

    def __init__(self, kept: int) -> None:
        self.hunks: list[Hunk] = []
        self._kept = kept
        self._files = ("", "")
        self._title = ""
        self._old = self._new = 0
        self._old_left = self._new_left = 0

    def feed(self, line: str) -> None:
        kind = line[:1] or " "
        header = _HEADER.match(line) if kind == "@" else None
        if header:
            self._begin(header)
        elif kind == "\\" and self.hunks:
            self._add(kind, self._new, line[2:])
        elif self._old_left <= 0 and self._new_left <= 0:
            self._between(line)
        elif kind == "-":
            self._add(kind, self._old, line[1:])
            self._old, self._old_left = self._old + 1, self._old_left - 1
        elif kind in "+ ":
            self._add(kind, self._new, line[1:])
            self._new, self._new_left = self._new + 1, self._new_left - 1
            if kind == " ":
                self._old, self._old_left = self._old + 1, self._old_left - 1
        else:
            self._old_left = self._new_left = 0

    def _begin(self, header: re.Match[str]) -> None:
        old, old_count, new, new_count = header.groups()
        self._old, self._new = int(old), int(new)
        self._old_left = 1 if old_count is None else int(old_count)
        self._new_left = 1 if new_count is None else int(new_count)
        ahead = self._new + (not self._new_left) - self._old - (not self._old_left)
        self.hunks.append(Hunk(self._files, self._title, ahead))

    def _between(self, line: str) -> None:
        name = line[4:].partition("\t")[0].strip()
        if line.startswith("--- "):
            self._files = (name, "")
        elif line.startswith("+++ "):
            self._files = (self._files[0], name)
        elif line.startswith(_TITLE):
            self._title = line.removeprefix(_TITLE)

    def _add(self, kind: str, number: int, text: str) -> None:
        stretches = self.hunks[-1].stretches
        if not stretches or stretches[-1].kind != kind:
            stretches.append(Stretch(kind, number))
        stretches[-1].add(text, self._kept)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of *text*; only newlines end a line."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    if start < len(text):
        yield text[start:]
