from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.model.names import encodable, path_for, shown, shown_line

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@pytest.mark.parametrize("name", ["parser__errors__eof", "a", "A-b.c+d=e,f@g%h", "x" * 120])
def test_a_plain_name_is_its_own_path(name: str) -> None:
    assert path_for(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/x",
        "a\0b",
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a b",
        "a/b",
        "é",
        "x" * 121,
        "\udcff",
    ],
)
def test_any_other_gets_a_path_that_is_one_plain_word(name: str) -> None:
    path = path_for(name)

    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,77}", path)
    assert path == path_for(name)
    assert path != name


@given(ANY_TEXT, ANY_TEXT)
def test_different_names_have_different_paths(one: str, other: str) -> None:
    assert (path_for(one) == path_for(other)) == (one == other)


@given(ANY_TEXT)
def test_a_path_stays_below_where_it_is_put(name: str) -> None:
    path = path_for(name)

    assert 0 < len(path.encode("ascii")) <= 120
    assert "/" not in path
    assert path not in (".", "..")
    assert not path.startswith((".", "-"))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain, é, 漢, \t\n", "plain, é, 漢, \t\n"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m\x7f\r", r"\x9b31m\x7f\x0d"),
        ("\u202eevil\u2069", r"\u202eevil\u2069"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("\udcff", r"\xff"),
    ],
)
def test_what_could_drive_a_terminal_is_made_visible(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_in_a_line_there_are_no_others() -> None:
    assert shown_line("a\tb\nc\x1b") == r"a\x09b\x0ac\x1b"


@given(ANY_TEXT)
def test_what_is_shown_can_be_written_and_does_nothing(text: str) -> None:
    for safe in (shown(text), shown_line(text)):
        safe.encode("utf-8")
        assert shown(safe) == safe
    assert len(shown_line(text).splitlines()) <= 1


@given(st.text(st.characters(codec=None, categories=None)))
def test_what_can_be_encoded_stays_as_it_is_and_the_rest_becomes_so(text: str) -> None:
    told = encodable(text)
    told.encode()
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert told == text


def test_bytes_of_file_names_are_shown_as_such() -> None:
    assert encodable("caf\udce9 \udcff") == r"caf\xe9 \xff"
    assert encodable("\ud83d half") == r"\ud83d half"
