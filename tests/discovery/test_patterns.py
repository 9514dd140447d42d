from __future__ import annotations

import logging
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from testloom.discovery.patterns import Glob, is_glob, pattern


def matches(glob: str, path: str) -> bool:
    return Glob(glob, cwd="/s", test_dir="/s/tests").matches_path(path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("tests/a*", "/s/tests/abc"),
        ("tests/a*", "/s/tests/abc/d/e"),
        ("a*", "/s/tests/abc"),
        ("*", "/s/tests"),
        ("./tests/*/", "/s/tests/a"),
        ("../s/tests/a?c", "/s/tests/abc"),
        ("/s/tests/a[b-d]c", "/s/tests/acc"),
        ("a[!x]c", "/s/tests/abc"),
        ("a[]]c", "/s/tests/a]c"),
        ("a[z-a]c", "/s/tests/a-c"),
        ("**/c", "/s/tests/a/b/c"),
        ("**/c", "/s/tests/c"),
        ("a/**/d", "/s/tests/a/b/c/d"),
        ("a/**/d", "/s/tests/a/d"),
        ("a**d", "/s/tests/a/b/d"),
        ("[[]x]*", "/s/tests/[x]y"),
        ("a[b", "/s/tests/a[b"),
        ("*.(x)", "/s/tests/a.(x)"),
        ("a\nb*", "/s/tests/a\nbc"),
    ],
)
def test_a_glob_matches_a_path_or_a_directory_above_it(glob: str, path: str) -> None:
    assert matches(glob, path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("a*", "/s/tests/b/abc"),
        ("tests/*/c", "/s/tests/a/b/c"),
        ("a?c", "/s/tests/a/c"),
        ("a[!b]c", "/s/tests/abc"),
        ("tests/a", "/s/tests/abc"),
        ("x*", "/other/x1"),
        ("a*", "/s/tests/abc\n".replace("a", "b")),
    ],
)
def test_a_glob_does_not_match_others(glob: str, path: str) -> None:
    assert not matches(glob, path)


def test_a_floating_glob_without_a_slash_matches_at_any_depth() -> None:
    glob = Glob("slow*", cwd="/s", test_dir="/s/tests", floating=True)
    assert glob.matches_path("/s/tests/a/slow_one/b")
    assert not glob.matches_path("/s/tests/a/not_slow")
    assert not Glob("x/slow*", cwd="/s", test_dir="/s/tests", floating=True).matches_path(
        "/s/tests/a/x/slow"
    )


def test_signs_of_globs_in_the_base_directory_are_plain() -> None:
    glob = Glob("a*", cwd="/s[1]/*?", test_dir="/s[1]/*?")
    assert glob.matches_path("/s[1]/*?/ab")
    assert not glob.matches_path("/s1/xx/ab")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a*", True),
        ("tests/a?/*", True),
        ("[ab]c", True),
        ("**/x", True),
        ("abc", False),
        ("a.*b", False),
        ("^a*", False),
        ("(a|b)*", False),
        ("a+*", False),
        ("\\d*", False),
    ],
)
def test_globs_are_told_from_regexps(text: str, is_one: bool) -> None:
    assert is_glob(text) is is_one


def test_what_is_no_regexp_matches_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "testsuite")
    assert pattern("a(*b").search("xa(*by")
    assert "Test pattern is not a valid regexp, try to match it as-is: a(*b" in caplog.text
    assert pattern("a|b").pattern == "a|b"


def test_a_regexp_that_python_warns_of_is_one() -> None:
    assert pattern("[[a]").search("a")


@settings(max_examples=300, deadline=None)
@example("[---]", "")  # Python warns of what it may be one day
@given(st.text("ab*?[]!-/\\^&~|.(", max_size=12), st.text("ab/[]*?", max_size=8))
def test_any_text_makes_a_glob(text: str, path: str) -> None:
    Glob(text, cwd="/s", test_dir="/t", floating=True).matches_path("/t/" + path)


@settings(max_examples=200, deadline=None)
@given(st.text("ab[]*?!-/", min_size=1, max_size=8))
def test_a_glob_made_of_an_escaped_name_matches_it(name: str) -> None:
    escaped = re.sub(r"[*?\[]", r"[\g<0>]", name)
    assert Glob(escaped, cwd="/", test_dir="/").matches_name(name.rstrip("/") or name)
