"""The language of -k, --tags and --filter."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.fuzzing import trying

from testloom.discovery.expressions import Predicate, parse
from testloom.model.errors import UsageError


def word(text: str) -> Predicate:
    """Make a predicate over sets of words; ``unknown`` is never known."""
    return lambda words: None if text == "unknown" else text in words


def number(text: str) -> Predicate:
    value = int(text)
    return lambda words: len(words) == value


def parsed(text: str) -> Predicate:
    return parse(text, option="-k", word=word, functions={"size": number})


def accepted(text: str) -> list[str]:
    """Return the sets of a, b, c for which *text* holds, each as one word."""
    predicate = parsed(text)
    subsets = itertools.chain.from_iterable(itertools.combinations("abc", n) for n in range(4))
    return ["".join(subset) or "-" for subset in subsets if predicate(frozenset(subset))]


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("a", ["a", "ab", "ac", "abc"]),
        ("  a  ", ["a", "ab", "ac", "abc"]),
        ("not a", ["-", "b", "c", "bc"]),
        ("not not a", ["a", "ab", "ac", "abc"]),
        ("a and b", ["ab", "abc"]),
        ("a or b and c", ["a", "ab", "ac", "bc", "abc"]),
        ("(a or b) and c", ["ac", "bc", "abc"]),
        ("not (a or b)", ["-", "c"]),
        ("not(a)and(b)", ["b", "bc"]),
        ("a and not b or c", ["a", "c", "ac", "bc", "abc"]),
        ("a & !b | c", ["a", "c", "ac", "bc", "abc"]),
        ("a&&!b||c", ["a", "c", "ac", "bc", "abc"]),
        ("'a' and \"b\"", ["ab", "abc"]),
        ("size(2)", ["ab", "ac", "bc"]),
        ("not size( '2' ) and a", ["a", "abc"]),
        ("'and' or 'not' or a", ["a", "ab", "ac", "abc"]),
    ],
)
def test_words_are_combined(text: str, sets: list[str]) -> None:
    assert accepted(text) == sets


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("unknown", None),
        ("not unknown", None),
        ("unknown and a", None),
        ("unknown and b", False),
        ("unknown or a", True),
        ("unknown or b", None),
    ],
)
def test_what_is_not_known_stays_so_unless_it_does_not_matter(
    text: str, answer: bool | None
) -> None:
    assert parsed(text)({"a"}) is answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "-k: a word is missing here; add one\n  \n  ^"),
        ("a and", "-k: a word is missing here; add one\n  a and\n       ^"),
        ("a and or b", "-k: a word is missing here; add one\n  a and or b\n        ^"),
        ("or", "-k: a word is missing here; add one\n  or\n  ^"),
        ("not", "-k: a word is missing here; add one\n  not\n     ^"),
        ("()", "-k: a word is missing here; add one\n  ()\n   ^"),
        ("a b", "-k: expected 'and' or 'or' here; quote a text that holds blanks\n  a b\n    ^"),
        ("(a or b", "-k: this parenthesis is not closed; add ')'\n  (a or b\n  ^"),
        ("a or b)", "-k: this parenthesis was not opened; remove it\n  a or b)\n        ^"),
        ("a or 'b", "-k: this quote is not closed; add '\n  a or 'b\n       ^"),
        ("siz(2)", "-k: siz() is not known; did you mean 'size'?\n  siz(2)\n  ^"),
        ("x(2)", "-k: x() is not known; known: size()\n  x(2)\n  ^"),
        ("a or size(2", "-k: this parenthesis is not closed; add ')'\n  a or size(2\n           ^"),
        (
            "a\x1b[1m b",
            (
                "-k: expected 'and' or 'or' here; quote a text that holds blanks\n"
                "  a\\x1b[1m b\n           ^"
            ),
        ),
        ("size(x)", "-k: invalid literal for int() with base 10: 'x'\n  size(x)\n  ^"),
    ],
)
def test_an_error_points_at_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert str(caught.value) == message


def test_without_functions_a_parenthesis_after_a_word_is_an_error() -> None:
    with pytest.raises(UsageError, match="a parenthesis cannot stand here"):
        parse("add(1)", option="-k", word=word)


def test_python_is_not_run() -> None:
    with pytest.raises(UsageError):
        parsed("__import__('os').system('touch pwned')")


def test_parentheses_may_be_nested_only_so_deeply() -> None:
    assert parsed("(" * 50 + "a" + ")" * 50)({"a"}) is True
    with pytest.raises(UsageError, match="more than 50 open parentheses; write it flatter"):
        parsed("(" * 51 + "a" + ")" * 51)
    with pytest.raises(UsageError, match="more than 50 open parentheses"):
        parsed("(" * 100_000)


def test_a_long_flat_expression_is_fine() -> None:
    assert parsed(" or ".join(["b"] * 20_000) + " or a")({"a"}) is True
    assert parsed("not " * 20_001 + "b")({"a"}) is True


@trying(300)
@given(st.text("ab ()'\"&|!ornotd", max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parsed(text)({"a"}) in (True, False)
