"""How texts are made to fit, and how durations read."""

from __future__ import annotations

import pytest

from testloom.console.text import (
    cells,
    clock_duration,
    counted,
    cut,
    cut_middle,
    exact_duration,
    head,
    padded,
    short_duration,
    wrapped,
)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("caf\u00e9", 4), ("日本", 4), ("e\u0301", 1), ("a\u200bb", 2)],
)
def test_a_text_takes_as_many_columns_as_a_terminal_gives_it(text: str, columns: int) -> None:
    assert cells(text) == columns


def test_a_text_that_is_too_long_loses_its_end() -> None:
    assert [cut("parser/errors", width, "…") for width in (20, 13, 12, 1, 0)] == [
        "parser/errors",
        "parser/errors",
        "parser/erro…",
        "…",
        "",
    ]


def test_a_name_that_is_too_long_loses_its_middle() -> None:
    name = "parser/errors/unterminated_string"
    assert [cut_middle(name, width, "…") for width in (40, 20, 2, 0)] == [
        name,
        "parser…inated_string",
        "p…",
        "",
    ]


@pytest.mark.parametrize("width", range(30))
@pytest.mark.parametrize("text", ["x" * 1000, "日本語" * 300, "e\u0301" * 500, "a日" * 400])
def test_what_was_cut_fits(text: str, width: int) -> None:
    assert cells(cut(text, width, "…")) <= width
    assert cells(cut_middle(text, width, "…")) <= width
    assert cells(head(text, width)) <= width


def test_padding_reckons_with_wide_characters() -> None:
    assert padded("日本", 6) == "日本  "


def test_a_message_is_wrapped_at_blanks_and_cut_after_the_last_line() -> None:
    text = "the quick brown fox jumps over the lazy dog"
    assert wrapped(text, 16, 3, "…") == ["the quick brown", "fox jumps over", "the lazy dog"]
    assert wrapped(text, 16, 2, "…") == ["the quick brown", "fox jumps over …"]
    assert wrapped("x" * 10, 4, 5, "…") == ["xxxx", "xxxx", "xx"]
    assert wrapped("", 4, 5, "…") == [""]


def test_durations_have_as_many_digits_as_mean_something() -> None:
    assert [short_duration(s) for s in (0, 0.04, 9.94, 9.95, 31.4, 125, 3723)] == [
        "0.0s",
        "0.0s",
        "9.9s",
        "10s",
        "31s",
        "2:05",
        "1:02:03",
    ]
    assert [exact_duration(s) for s in (0.004, 1.8349, 59.99, 59.996, 3600)] == [
        "0.00s",
        "1.83s",
        "59.99s",
        "1:00",
        "1:00:00",
    ]
    assert clock_duration(59.4) == "59s"


def test_numbers_stand_with_their_nouns() -> None:
    assert [counted(0, "test"), counted(1, "test"), counted(2, "box", "boxes")] == [
        "0 tests",
        "1 test",
        "2 boxes",
    ]
