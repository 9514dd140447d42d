"""A unified diff in two columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testloom.console.look import ASCII, Look
from testloom.console.sides import side_by_side
from testloom.console.spans import render, text_of
from testloom.console.text import cells
from testloom.drivers.diff_text import unified
from testloom.model.names import shown_line

LOOK = Look(width=50)


def shown(diff: str, look: Look = LOOK, most: int = 60) -> str:
    return render(side_by_side(diff, look, most), color=False)


def test_what_was_expected_stands_beside_what_came_out() -> None:
    old = "one\ntwo\nthree\nfour\nfive\n"
    new = "zero\none\ntwo\ndrei\nvier\nand\nfive\n"
    assert (
        shown(unified(old, new))
        == """\
     - expected           │   + output
                          │ 1 zero
   1 one                  │ 2 one
   2 two                  │ 3 two
   3 three                │ 4 drei
   4 four                 │ 5 vier
                          │ 6 and
   5 five                 │ 7 five
"""
    )


def test_the_words_that_changed_are_marked_on_both_sides() -> None:
    *_, line = side_by_side(unified("3 tests ran\n", "4 tests ran\n"), LOOK, 60)
    assert [(text.strip(), style) for text, style in line] == [
        ("1", "faint"),
        ("3", "removed-word"),
        ("tests ran", "removed"),
        ("│ 1", "faint"),
        ("4", "added-word"),
        ("tests ran", "added"),
    ]


def test_long_lines_are_cut_where_they_differ() -> None:
    text = shown(unified("a" * 40 + " x\n", "a" * 40 + " y\n"), Look(width=60, glyphs=ASCII))
    assert text.splitlines()[1].split("|")[0].rstrip().endswith(" x")
    assert max(map(len, text.splitlines())) <= 60


def test_a_long_difference_is_cut() -> None:
    lines = shown(unified("", "x\n" * 100), most=10).splitlines()
    assert (len(lines), lines[-1]) == (10, "   … and more")


def test_what_is_no_difference_has_no_lines() -> None:
    assert shown("what a program says\n") == ""


texts = st.lists(st.text(max_size=40), max_size=12).map("\n".join)


@given(texts, texts, st.integers(30, 120))
def test_whatever_differs_nothing_is_too_wide_or_reaches_the_terminal(
    old: str, new: str, width: int
) -> None:
    for line in side_by_side(unified(old, new), Look(width=width), 40):
        assert shown_line(text_of(line)) == text_of(line)
        assert cells(text_of(line).rstrip()) <= max(width, 2 * 12 + 15)


words = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=12)


@given(words, words)
def test_the_numbers_are_those_of_the_lines(old: list[str], new: list[str]) -> None:
    diff = unified("\n".join(old), "\n".join(new))
    lines = [text_of(line) for line in side_by_side(diff, Look(width=400), 1000)][1:]
    rows = [line.split("│") for line in lines if "│" in line]
    for side, texts in enumerate((old, new)):
        for number, text in (row[side].split() for row in rows if row[side].strip()):
            assert texts[int(number) - 1] == text
