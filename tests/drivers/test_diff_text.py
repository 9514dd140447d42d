"""Unified diffs: their form, that they are right, and that they do not take for ever."""

from __future__ import annotations

import difflib
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testloom.drivers.diff_text import counts, lines_of, unified
from testloom.processes.clock import cpu_now

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "long line", "x"]), max_size=30)


def patched(old: list[str], diff: str) -> list[str]:
    """Apply a unified diff as a reader would."""
    new: list[str] = []
    at = 0
    for line in diff.splitlines()[2:]:
        if head := re.match(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", line):
            start = int(head[1]) - (head[2] != "0")
            new += old[at:start]
            at = start
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[at] == line[1:]
            at += 1
            new += [line[1:]] if line[0] == " " else []
    return new + old[at:]


@given(LINES, LINES, st.integers(0, 4))
def test_a_diff_turns_the_one_text_into_the_other(
    old: list[str], new: list[str], context: int
) -> None:
    expected, actual = "".join(f"{x}\n" for x in old), "".join(f"{x}\n" for x in new)
    assert patched(old, unified(expected, actual, context=context)) == new


@given(LINES, LINES, st.integers(0, 4))
def test_where_no_ends_are_common_short_diffs_are_those_of_difflib(
    old: list[str], new: list[str], context: int
) -> None:
    old, new = ["old", *old, "old"], ["new", *new, "new"]
    theirs = difflib.unified_diff(old, new, "expected", "output", n=context, lineterm="")
    assert unified("\n".join(old), "\n".join(new), context=context).splitlines() == list(theirs)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [("a\nb", "a\nb\n"), ("a\r\nb\r\n", "a\nb\n"), ("", ""), ("a\rb", "a\nb\n")],
)
def test_how_lines_end_is_no_difference(expected: Any, actual: Any) -> None:
    assert unified(expected, actual) == ""


@pytest.mark.parametrize(
    ("expected", "actual", "diff"),
    [
        ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
        ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
        ("a\nb\nc\n\n", "a\nb\nc", "@@ -3,2 +3 @@\n c\n-\n"),
        ("1\n2\n3\n4\n5\n", "1\nB\n3\nD\n5\n",
         "@@ -1,5 +1,5 @@\n 1\n-2\n+B\n 3\n-4\n+D\n 5\n"),
        ("1\n2\n3\n4\n5\n6\n7\n", "A\n2\n3\n4\n5\n6\nG\n",
         "@@ -1,2 +1,2 @@\n-1\n+A\n 2\n@@ -6,2 +6,2 @@\n 6\n-7\n+G\n"),
    ],
)  # fmt: skip
def test_differences_are_shown_with_a_line_of_context(
    expected: Any, actual: Any, diff: Any
) -> None:
    assert unified(expected, actual) == f"--- expected\n+++ output\n{diff}"


def test_white_space_can_be_made_no_difference() -> None:
    assert unified(" a\n\nb \n", "a\nb\n", ignore_white_chars=True) == ""
    assert unified("a  b\n", "a b\n", ignore_white_chars=True) != ""
    assert lines_of(" a\t\n \nb", ignore_white_chars=True) == ["a", "b"]


def test_added_and_removed_lines_are_counted_also_if_they_look_like_a_heading() -> None:
    diff = unified("a\n-- x\nb\n", "a\n++ y\n++ z\nb\n")
    assert counts(diff) == (2, 1)


def big(shape: str) -> tuple[list[str], list[str]]:
    n, chance = 10_000, random.Random(shape)
    numbered = [f"line {i}" for i in range(n)]
    match shape:
        case "sparse":
            return numbered, [x if i % 100 else f"other {i}" for i, x in enumerate(numbered)]
        case "disjoint":
            return numbered, [f"other {i}" for i in range(n)]
        case "repeats":
            return ([chance.choice("abcde") for _ in range(n)],
                    [chance.choice("abcde") for _ in range(n)])  # fmt: skip
        case "shuffled":
            return numbered, chance.sample(numbered, n)
        case "reversed":
            return numbered, numbered[::-1]
        case "alternating":
            return ["x", "y"] * n, ["y", "x"] * n
        case "doubled":
            return [x for x in numbered for _ in "12"], [x for x in numbered for _ in "123"]
        case _:
            return ["x"] * n, ["y"] * n


@pytest.mark.parametrize(
    "shape",
    ["sparse", "disjoint", "repeats", "shuffled", "reversed", "alternating", "doubled", "same"],
)
def test_ten_thousand_lines_of_any_shape_take_a_moment(shape: str) -> None:
    old, new = big(shape)
    expected, actual = "\n".join(old) + "\n", "\n".join(new) + "\n"
    before = cpu_now()
    diff = unified(expected, actual)
    assert cpu_now() - before < 0.5
    assert patched(old, diff) == new


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_long_diffs_are_right(seed: int) -> None:
    chance = random.Random(seed)
    old = [f"{chance.randrange(120)}" for _ in range(300)]
    new = [x for x in old if chance.random() < 0.9]
    for _ in range(10):
        new.insert(chance.randrange(len(new)), "new")
    assert patched(old, unified("\n".join(old) + "\n", "\n".join(new) + "\n")) == new
