"""Whatever a file holds, loading ends soon, with plain values or with our error."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.fuzzing import trying

from testloom.discovery import yaml_limits
from testloom.discovery.problems import SyntaxProblem
from testloom.discovery.yaml_loader import parse

PIECES = st.sampled_from(
    [
        *("- ", "? ", ": ", "[", "]", "{", "}", ", ", "\n", "  ", "\n  ", "\n - ", "a", "b: ", "#"),
        *("&x ", "*x", "&y ", "*y", "<<: ", "!", "!!int ", "!!set ", "!!str ", "!x ", "|\n ", ">"),
        *(
            "'",
            '"',
            "\\",
            "%",
            "@",
            "`",
            "1",
            "0x1",
            "1:1",
            ".5",
            "~",
            "yes",
            "=",
            "---\n",
            "...\n",
        ),
        *("é", "\t", "\x85", "\u2028", "\U0001f600", "%YAML 1.1\n", "2024-01-01", "- - - ", "? ? "),
    ]
)
YAMLISH = st.lists(PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode())
PLAIN = (type(None), bool, int, float, str, bytes)


def is_plain(value: Any) -> bool:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, list | set):
            todo += item
        elif not isinstance(item, PLAIN) and type(item).__module__ != "datetime":
            return False
    return True


def checked(data: bytes) -> None:
    started = time.monotonic()
    with contextlib.suppress(SyntaxProblem):
        data.decode()  # the loader gets valid UTF-8 only
        assert is_plain(parse(data, "t.yaml"))
    assert time.monotonic() - started < 1


@trying(300)
@given(st.one_of(YAMLISH, st.text(max_size=200).map(str.encode)))
def test_any_text_is_loaded_or_refused(data: bytes) -> None:
    checked(data)


@trying(100)
@given(st.binary(max_size=300))
def test_any_bytes_are_loaded_or_refused(data: bytes) -> None:
    with contextlib.suppress(UnicodeDecodeError):
        checked(data)


@trying(500)
@given(YAMLISH, st.integers(1, 200))
def test_what_looks_small_is_within_the_limits(data: bytes, times: int) -> None:
    text = data * times
    if yaml_limits.is_small(text):
        with contextlib.suppress(yaml.YAMLError):
            yaml_limits.check(text, "t.yaml")


@trying(300)
@given(YAMLISH)
def test_a_text_means_the_same_whether_its_limits_were_checked_or_not(data: bytes) -> None:
    def value(text: bytes) -> str:
        try:
            return repr(parse(text, "t.yaml"))
        except SyntaxProblem:
            return "refused"

    short, long = data + b"\n# x", data + b"\n# " + b"-" * 100
    assert not yaml_limits.is_small(long)
    if not set(b"|>'\"") & set(data):  # else the comment may be part of a text
        assert value(short) == value(long)


@trying(300)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("abc 1:-#é\n", max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text("abcd", min_size=1, max_size=3), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_what_yaml_writes_is_read_back(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True).encode()
    assert parse(text, "t.yaml") == value


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        *("[", "{", "- ", "? ", "[?,", "&a ", "'", "a: ", ": ", ":", "#\n", "\n", " ", "|\n", "a,"),
        *(
            "a: 1\n",
            "1:1",
            "- 1\n",
            "!a ",
            "!<",
            "%TAG ! x\n",
            "---\n",
            '"\\x41',
            "\n a",
            "a\n",
            "?",
        ),
        *("*a ", "[a]: ", "9", "0.", "- a\n-\n", "\u00e9", "? a\n", "[]\n", "- !!set {a,b}\n"),
    ],
)
def test_a_megabyte_of_anything_ends_soon(piece: str) -> None:
    data = (piece * (2**20 // len(piece.encode())))[: 2**20].encode()
    for text in (data, b"a: " + data, b"[" + data):
        started = time.monotonic()
        with contextlib.suppress(SyntaxProblem):
            parse(text, "t.yaml")
        assert time.monotonic() - started < 5
