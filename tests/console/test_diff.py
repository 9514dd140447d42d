"""How a diff is shown to people."""

from __future__ import annotations

import pytest

from testloom.console.diff import diff_lines
from testloom.console.look import ASCII, Look
from testloom.console.spans import Line, text_of
from testloom.console.text import cells
from testloom.console.words import changed_words, first_difference

LOOK = Look(line_limit=60)


def shown(diff: str, most: int | None = 40, look: Look = LOOK) -> str:
    return "\n".join(text_of(line).rstrip() for line in diff_lines(diff, look, most))


def marked(line: Line) -> str:
    """Return *line* with what is marked as changed in brackets."""
    return "".join(f"[{text}]" if style.endswith("-word") else text for text, style in line)


def changes(diff: str) -> list[str]:
    return [marked(line).strip() for line in diff_lines(diff, LOOK, 40) if text_of(line)[3] in "-+"]


def hunk(*lines: str) -> str:
    old = sum(line[0] in " -" for line in lines)
    new = sum(line[0] in " +" for line in lines)
    return "\n".join([f"@@ -1,{old} +1,{new} @@", *lines, ""])


def test_lines_have_the_numbers_of_their_files() -> None:
    diff = """\
--- test.out
+++ output
@@ -9,4 +9,5 @@
 nine
-ten
+TEN
+ten and a half
 eleven
 twelve
"""
    assert (
        shown(diff)
        == """\
   - test.out   + output
      9   nine
   - 10   ten
   + 10   TEN
   + 11   ten and a half
     12   eleven
     13   twelve"""
    )


def test_a_removed_line_that_looks_like_a_file_name_is_one() -> None:
    diff = "--- a\n+++ b\n@@ -1,2 +1 @@\n--- c\n-x\n+++ d\n--- e\n+++ f\n@@ -5 +5 @@\n-5\n+6\n"
    assert (
        shown(diff)
        == """\
   - a   + b
   - 1   -- c
   - 2   x
   + 1   ++ d
   - e   + f
   - 5   5
   + 5   6"""
    )


def test_what_is_no_unified_diff_is_not_shown_as_one() -> None:
    assert [diff_lines(text, LOOK, 40) for text in ("", "1c1\n< a\n> b\n", "@@ what @@\n")] == [
        [],
        [],
        [],
    ]


def test_a_diff_that_was_cut_in_the_middle_is_shown_as_far_as_it_goes() -> None:
    diff = "@@ -1,9 +1,9 @@\n a\n-b\n... 31 lines skipped...\n z\n@@ -50,1 +50,1 @@\n-c\n+d\n"
    assert (
        shown(diff)
        == """\
     1   a
   - 2   b
     ⋮
   - 50   c
   + 50   d"""
    )


def test_several_diffs_in_one_have_their_titles() -> None:
    part = "Diff failure: {}\n--- expected\n+++ output\n@@ -1 +1 @@\n-a\n+b\n"
    assert (
        shown(part.format("stdout") + part.format("stderr"))
        == """\
   - expected   + output   stdout
   - 1   a
   + 1   b
   - expected   + output   stderr
   - 1   a
   + 1   b"""
    )
    assert shown(part.format("stdout")).startswith("   - expected   + output\n")


def test_changed_words_are_marked() -> None:
    assert changes(hunk("-unterminated string in a.adb", "+unterminated literal in b.adb")) == [
        "- 1   unterminated [string] in [a].adb",
        "+ 1   unterminated [literal] in [b].adb",
    ]


def test_lines_that_have_little_in_common_are_not_marked() -> None:
    assert changes(hunk("-one two three", "+four five, six")) == [
        "- 1   one two three",
        "+ 1   four five, six",
    ]


def test_a_line_that_is_new_as_a_whole_is_not_marked() -> None:
    assert changes(hunk("-x = 1", "+x = 2", "+y = 3")) == [
        "- 1   x = [1]",
        "+ 1   x = [2]",
        "+ 2   y = 3",
    ]


def test_blanks_at_the_end_of_a_changed_line_can_be_seen() -> None:
    assert changes(hunk("-a b \t\r", "+a b")) == ["- 1   a·b[·→␍]", "+ 1   a·b"]
    assert changes(hunk("-a b  ", "+a c")) == ["- 1   a [b··]", "+ 1   a [c]"]


def test_blanks_can_be_seen_everywhere_if_nothing_else_differs() -> None:
    assert changes(hunk("-if x:\ty", "+if  x: y")) == ["- 1   if[·]x:[→]y", "+ 1   if[··]x:[·]y"]


def test_characters_that_look_like_a_blank_or_like_nothing_can_be_seen() -> None:
    assert changes(hunk("-a b", "+a\u00a0b\u200b")) == ["- 1   a b", "+ 1   a\\u00a0b\\u200b"]


def test_carriage_returns_of_unchanged_lines_are_not_shown() -> None:
    assert shown(hunk(" a\r", "-b\r", "+c\r")) == "     1   a\n   - 2   b␍\n   + 2   c␍"


def test_nothing_in_a_diff_reaches_the_terminal() -> None:
    hostile = "\x1b]0;pwn\x07\x9b31m\u202e"
    diff = f"--- {hostile}\n+++ b\n" + hunk(
        f" {hostile}", f"-{hostile}", f"+{hostile}!", "\\ no end"
    )
    text = shown(diff)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert text.count("\\x1b]0;pwn\\x07\\x9b31m\\u202e") == 4


def test_remarks_of_diff_are_shown() -> None:
    diff = hunk("-a", "\\ No newline at end of file", "+a!")
    assert shown(diff).splitlines()[1] == "    No newline at end of file"


def test_much_context_is_shown_only_near_the_changes() -> None:
    lines = [f" {n}" for n in range(1, 51)]
    diff = hunk(*lines[:20], "-x", *lines[20:40], "+y", *lines[40:])
    assert (
        shown(diff)
        == """\
     18   18
     19   19
     20   20
   - 21   x
     21   21
     22   22
     23   23
     ⋮
     38   38
     39   39
     40   40
   + 41   y
     42   41
     43   42
     44   43"""
    )


def test_a_long_change_shows_the_beginning_of_both_sides() -> None:
    diff = hunk(*(f"-{n}" for n in range(100)), *(f"+{n * n}" for n in range(100)))
    assert (
        shown(diff, most=8)
        == """\
   -   1   0
   -   2   1
   -   3   2
   - … 97 more - lines
   +   1   0
   +   2   1
   +   3   4
   + … 97 more + lines"""
    )


def test_hunks_for_which_there_is_no_room_are_counted() -> None:
    one = "@@ -{0} +{0} @@\n-a\n+b\n"
    diff = "--- x\n+++ y\n" + "".join(one.format(n) for n in range(1, 31))
    assert (
        shown(diff, most=12)
        == """\
   - x   + y
   - 1   a
   + 1   b
     ⋮
   - 2   a
   + 2   b
     ⋮
   - 3   a
   + 3   b
   … 27 more hunks"""
    )


@pytest.mark.parametrize("most", [*range(2, 45)])
def test_no_more_lines_are_shown_than_asked_for(most: int) -> None:
    lines = [f" {n}" for n in range(9)]
    part = hunk(
        *lines, *("-a" * n for n in range(1, 15)), *("+b" * n for n in range(1, 30)), *lines
    )
    assert len(diff_lines("--- x\n+++ y\n" + part * 5, LOOK, most)) <= most


def test_without_a_limit_all_is_shown() -> None:
    diff = hunk(*(f"-{n}" for n in range(21_000)))
    assert len(diff_lines(diff, LOOK, None)) == 21_000


def test_a_long_line_is_cut_to_where_it_changes() -> None:
    before = "".join(f"{n}," for n in range(200_000))
    old, new = f"{before}old{before}", f"{before}new{before}"
    assert changes(hunk("-" + old, "+" + new)) == [
        "- 1   …97,199998,199999,[old0],1,2,3,4,5,6,7,8,9,10,11,12,…",
        "+ 1   …97,199998,199999,[new0],1,2,3,4,5,6,7,8,9,10,11,12,…",
    ]


@pytest.mark.parametrize("width", [20, 40, 61])
def test_lines_of_a_diff_fit_whatever_is_in_them(width: int) -> None:
    wide = ["日" * 99, "日" * 50 + "e\u0301" * 99, "x\t" * 99, "\x1b" * 99, "a b " * 99]
    diff = hunk(*(" " + line for line in wide), *("-" + x for x in wide), *("+!" + x for x in wide))
    lines = diff_lines(diff, Look(line_limit=width), 40)
    assert max(cells(text_of(line)) for line in lines) <= width


def test_signs_are_ascii_where_they_must_be() -> None:
    assert shown(hunk("-a \r", "+a"), look=Look(glyphs=ASCII)) == "   - 1   a.^\n   + 1   a"


def test_the_first_difference_is_found() -> None:
    assert [
        first_difference(*pair) for pair in (("", ""), ("a", "b"), ("ab", "abc"), ("abX", "abY"))
    ] == [0, 0, 2, 2]


def test_blanks_between_changed_words_count_as_changed() -> None:
    assert changed_words("keep all of this: one two", "keep all of this: three four") == (
        [("keep all of this: ", False), ("one two", True)],
        [("keep all of this: ", False), ("three four", True)],
    )
