"""What is read without a parser means what the parser says, or is left to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.discovery import yaml_loader, yaml_words
from testloom.discovery.problems import SyntaxProblem
from testloom.discovery.yaml_values import Builder, Composer

WORDS = st.sampled_from(
    [
        *[
            "driver",
            "a",
            "case_x",
            "no",
            "Off",
            "y",
            "null",
            "True",
            "NaN",
            "inf",
            "e3",
            "_",
            "x-y",
            "run.sh",
            "a/b",
        ],
        *[
            "(if",
            "it's)",
            "x,",
            "-",
            "?",
            "=",
            "<<",
            ">",
            '"q"',
            "1",
            "1e3",
            "#",
            "a#b",
            "&x",
            "*x",
            "!x",
            "%x",
            "[x]",
            "{x}",
            "|",
            "@",
            "`",
            "é",
            "a:b",
            "x:",
        ],
        "",
        "- -",
    ]
)
GLUE = st.sampled_from(
    [": ", ": ", ": ", " ", " ", ":", "  ", "\n", "\n", "\n", "\n ", "\t", "\r\n"]
)
TEXTS = st.lists(st.tuples(WORDS, GLUE), max_size=12).map(
    lambda pairs: "".join(word + glue for word, glue in pairs).encode()
)
LINES = st.lists(
    st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=4)), min_size=1, max_size=4
).map(lambda lines: "".join(f"{key}: {' '.join(words)}\n" for key, words in lines).encode())


def parsed(data: bytes) -> object:
    root = Composer(data).get_single_node()
    assert root is not None
    return Builder("test.yaml", lambda _path: None).build(root)


@given(TEXTS | LINES)
def test_what_is_certain_is_what_the_parser_says(data: bytes) -> None:
    words = yaml_words.mapping(data)
    if words is not None:
        value = parsed(data)
        assert words == value
        assert isinstance(value, dict)
        assert list(words) == list(value)


@pytest.mark.parametrize(
    "text",
    [
        "driver: cat\n",
        "driver: build-and_run\ndescription: It's an empty file (or none), as input\n",
        "a: x <y> = z + 1; 2 - 3?\n",
        "a: b" + "x" * 4000 + "\n",
    ],
)
def test_lines_of_words_need_no_parser(text: str) -> None:
    data = text.encode()
    assert yaml_words.mapping(data) == parsed(data)


@pytest.mark.parametrize(
    "text",
    [
        *("", "driver: cat", "driver: cat\r\n", "driver:  cat\n", "driver: cat \n", "driver:\n"),
        *(
            "a: no\n",
            "on: a\n",
            "a: Null\n",
            "null: a\n",
            "a: 1\n",
            "1: a\n",
            "a: 'b'\n",
            "a: b: c\n",
        ),
        *(
            "a: b #c\n",
            "a: b\n c\n",
            "a: b\na: b\n",
            "---\na: b\n",
            "- a: b\n",
            "a: é\n",
            "a: b\n\n",
        ),
        "k" * 101 + ": a\n",
        "a: b" + "x" * 5000 + "\n",
    ],
)
def test_everything_else_is_left_to_the_parser(text: str) -> None:
    assert yaml_words.mapping(text.encode()) is None


def test_a_key_that_occurs_twice_is_an_error_all_the_same() -> None:
    with pytest.raises(SyntaxProblem, match="duplicate key 'a'"):
        yaml_loader.parse(b"a: b\na: c\n", "test.yaml")


def test_lines_that_nearly_are_of_words_take_no_longer_for_being_many() -> None:
    assert yaml_words.mapping(b"a: b c\n" * 500 + b"a: b c \n") is None
    assert yaml_words.mapping(b"a: " + b"b " * 2000 + b"\n") is None
