"""What is done to outputs before they are compared."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from testloom.drivers import (
    CanonicalizeLineEndings,
    LineByLine,
    OutputRefiner,
    PatternSubstitute,
    RefiningChain,
    ReplacePath,
    Substitute,
)


@pytest.mark.parametrize(
    ("refiner", "before", "after"),
    [
        (Substitute("a"), "banana", "bnn"),
        (Substitute("a", "-"), "banana", "b-n-n-"),
        (Substitute(b"a"), b"banana", b"bnn"),
        (CanonicalizeLineEndings(), "a\r\nb\rc\r\r\n", "a\nb\rc\r\n"),
        (CanonicalizeLineEndings(), b"a\r\nb\rc\r\r\n", b"a\nb\rc\r\n"),
        (PatternSubstitute(r"\d+"), "a12b3", "ab"),
        (PatternSubstitute(r"(\d)+", r"<\1>"), "a12b3", "a<2>b<3>"),
        (PatternSubstitute(rb"\d", b"N"), b"a12", b"aNN"),
        (PatternSubstitute("a", lambda m: m[0] * 2), "ab", "aab"),
        (PatternSubstitute(re.compile("A", re.IGNORECASE), "x"), "aA", "xx"),
        (RefiningChain([Substitute("a", "b"), Substitute("b", "c")]), "ab", "cc"),
        (RefiningChain([]), "ab", "ab"),
        (LineByLine(PatternSubstitute("a.*\n")), "ab\ncd\nax", "cd\nax"),
        (LineByLine(PatternSubstitute(b"^.")), b"ab\ncd", b"b\nd"),
    ],
)
def test_refiners_change_text_and_bytes(refiner: Any, before: Any, after: Any) -> None:
    assert refiner.refine(before) == after


def test_lines_are_refined_with_their_ends() -> None:
    class Shown(OutputRefiner[str]):
        def refine(self, output: Any) -> Any:
            return f"[{output!r}]"

    assert LineByLine(Shown()).refine("a\r\nb\n\nc") == r"['a\r\n']['b\n']['\n']['c']"


def test_a_path_is_replaced_with_its_links_resolved_first(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    refiner: ReplacePath[Any] = ReplacePath(str(link), "$DIR")
    real_path = os.path.realpath(real)

    assert refiner.refine(f"{link}/x {real_path}/y") == "$DIR/x $DIR/y"
    assert refiner.refine(f"{link}/x {real_path}/y".encode()) == b"$DIR/x $DIR/y"


def test_a_path_is_replaced_however_its_separators_are_written() -> None:
    assert ReplacePath("C:\\w", "W").refine("C:\\w\\a C:/w/a") == "W\\a W/a"
