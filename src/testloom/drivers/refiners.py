"""What is done to a program's output, and to its baseline, before the two are compared.

A refiner takes the place of what differs from run to run (paths, dates, addresses) by something
that does not.  Each works on text and on bytes: on whatever it was made for.
"""

from __future__ import annotations

import abc
import os
import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T", str, bytes)


class OutputRefiner(abc.ABC, Generic[T]):
    """Changes an output before it is compared."""

    @abc.abstractmethod
    def refine(self, output: T) -> T:
        """Return *output* as it is to be compared."""


class RefiningChain(OutputRefiner[T]):
    """Applies one refiner after the other."""

    def __init__(self, refiners: Sequence[OutputRefiner[T]]) -> None:
        self.refiners: Sequence[OutputRefiner[T]] = refiners

    def refine(self, output: T) -> T:
        for refiner in self.refiners:
            output = refiner.refine(output)
        return output


class Substitute(OutputRefiner[T]):
    """Replaces each occurrence of *substring*.

    >>> Substitute("0x7ffe", "ADDRESS").refine("at 0x7ffe")
    'at ADDRESS'
    """

    def __init__(self, substring: T, replacement: T | None = None) -> None:
        self.substring: T = substring
        self.replacement: T = substring[:0] if replacement is None else replacement

    def refine(self, output: T) -> T:
        return output.replace(self.substring, self.replacement)


class CanonicalizeLineEndings(OutputRefiner[T]):
    """Turns CR LF into LF; a CR alone stays."""

    def refine(self, output: T) -> T:
        if isinstance(output, bytes):
            return output.replace(b"\r\n", b"\n")
        return output.replace("\r\n", "\n")


class ReplacePath(RefiningChain[T]):
    """Replaces a path, however the program may write it.

    These are, in this order: the path with its symbolic links resolved, with slashes for
    backslashes, and as it is.
    """

    def __init__(self, path: str, replacement: str = "") -> None:
        spellings = dict.fromkeys((os.path.realpath(path), path.replace("\\", "/"), path))
        super().__init__([_SubstituteIn(spelling, replacement) for spelling in spellings])


class _SubstituteIn(OutputRefiner[T]):
    """Replaces a text, in text and in bytes."""

    def __init__(self, substring: str, replacement: str) -> None:
        self._text = (substring, replacement)
        self._bytes = (os.fsencode(substring), os.fsencode(replacement))

    def refine(self, output: T) -> T:
        if isinstance(output, bytes):
            return output.replace(*self._bytes)
        return output.replace(*self._text)


class PatternSubstitute(OutputRefiner[T]):
    r"""Replaces what matches a regular expression, as `re.sub` does.

    *replacement* may be a function that takes the match and returns what to put there.

    >>> PatternSubstitute(r"\d+ ms", "N ms").refine("took 17 ms")
    'took N ms'
    """

    def __init__(
        self,
        pattern: T | re.Pattern[T],
        replacement: T | Callable[[re.Match[T]], T] | None = None,
    ) -> None:
        self.pattern: re.Pattern[T] = re.compile(pattern)
        self.replacement: T | Callable[[re.Match[T]], T] = (
            self.pattern.pattern[:0] if replacement is None else replacement
        )

    def refine(self, output: T) -> T:
        return self.pattern.sub(self.replacement, output)


class LineByLine(OutputRefiner[T]):
    r"""Applies a refiner to each line on its own, its line end included.

    >>> LineByLine(PatternSubstitute("debug:.*\n")).refine("a\ndebug: x\nb\n")
    'a\nb\n'
    """

    def __init__(self, refiner: OutputRefiner[T]) -> None:
        self.refiner: OutputRefiner[T] = refiner

    def refine(self, output: T) -> T:
        refine = self.refiner.refine
        return output[:0].join([refine(line) for line in output.splitlines(keepends=True)])
