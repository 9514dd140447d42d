"""The dialect of test.yaml, as e3-core reads it."""

from __future__ import annotations

import collections
import contextlib
import copy
import re
import time
from typing import Any

import pytest
import yaml
from e3.yaml import CaseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from testloom.discovery import dialect
from testloom.discovery.problems import SyntaxProblem
from testloom.discovery.yaml_loader import Document, parse

SCOPE = {
    "platform": "x86_64-linux",
    "is_canadian": False,
    "os": "linux",
    "a": "A",
    "num": 3,
    "nested": {"x": "deep"},
    "list": ["l"],
    "none": None,
    "chain": "%(a)s",
    "a b": "blank",
}


def expand(text: str, scope: dict[str, Any] | None = None) -> Any:
    data = text.encode()
    document = Document("t.yaml", parse(data, "t.yaml"), data)
    return dialect.expanded(document, lambda: SCOPE if scope is None else scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Cases.
        ("case_os: {linux: {x: 1}, win.*: {x: 2}}\ny: 2", {"x": 1, "y": 2}),
        ("case_os: {win.*: {x: 2}, default: {x: 3}}", {}),
        ("case_os: {lin: {x: 3}}", {}),
        ("case_os: {lin.*: {x: 3}, linux: {x: 4, y: 5}}", {"x": 3}),
        ("case_is_canadian: {False: {x: 3}}", {"x": 3}),
        ("case_num: {3: {x: 3}}", {"x": 3}),
        ("case_a: {'A|x': {x: 1}}", {"x": 1}),
        ("case_a: {'x|A': {x: 1}}", {"x": 1}),
        ("case_platform: {x86.*-linux: {case_os: {linux: {k: 1}}}}", {"k": 1}),
        ("m: foo\ncase_m: {foo: {z: 2}}", {"m": "foo", "z": 2}),
        ("x: 2\ncase_os: {linux: {x: 1}}", {"x": 1}),
        ("case_os: {linux: {x: 1}}\nx: 2", {"x": 2}),
        ("case_os: {linux: }", {}),
        ("x: {case_os: {linux: {z: 2}}}", {"x": {"z": 2}}),
        ("x: {case_os: {linux: [1, 2]}}", {"x": [1, 2]}),
        ("x: {case_os: {linux: 'n %(num)s'}}", {"x": "n 3"}),
        ("x: {case_os: {win: [1, 2]}}", {"x": {}}),
        ("list: {case_os: {win: [1, 2]}}", {"list": ["l"]}),
        ("list: {}", {"list": {}}),
        ("x: [{case_os: {linux: {z: 2}}}]", {"x": [{"case_os": {"linux": {"z": 2}}}]}),
        ("m: foo\nx: {m: bar, case_m: {foo: {q: 1}}}", {"m": "foo", "x": {"m": "bar", "q": 1}}),
        ("case_os: {linux: 5}", 5),
        # Signs.
        ("l: [1]\n+l: [2]", {"l": [1, 2]}),
        ("l: [1]\nl+: [2]", {"l": [2, 1]}),
        ("+l: [2]", {"l": [2]}),
        ("l: a\n+l: b\nl+: c", {"l": "cab"}),
        ("l: 1\nl+: 2.5", {"l": 3.5}),
        ("a+: foo", {"a": "fooA"}),
        ("l: {p: 1, q: 1}\n+l: {q: 2}", {"l": {"p": 1, "q": 2}}),
        ("x: {p: {r: 1}}\n+x: {p: {s: 2}}", {"x": {"p": {"r": 1, "s": 2}}}),
        ("x: {p: [1]}\nx+: {+p: [2]}", {"x": {"p": [1, 2]}}),
        ("l: [1]\ncase_os: {linux: {l+: [2], +l: [0]}}", {"l": [2, 1, 0]}),
        ("x: {l: [1], +l: [2]}", {"x": {"l": [1, 2]}}),
        ("x: [{a: 1, +a: 2}]", {"x": [{"a": 1, "+a": 2}]}),
        ("x: [1]\n+x: {case_num: {3: [2]}}", {"x": [1, 2]}),
        ("x: [1]\n+x: {case_num: {4: [2]}}", {"x": [1]}),
        ("+case_a: {A: 1}", {"case_a": {"A": 1}}),
        ("++x: [1]\nx++: [0]", {"x": [0, 1]}),
        # Mappings are merged into what has their name, also in the environment.
        ("nested: {y: 1}", {"nested": {"x": "deep", "y": 1}}),
        ("case_a: {A: {l: {m: 1}}}\nl: {n: 2}", {"l": {"m": 1, "n": 2}}),
        ("x: {y: 1}\ncase_a: {A: {x: 3}}", {"x": 3}),
        # Texts.
        ("b: '%(a)s'", {"b": "A"}),
        ("a: 1\nb: '%(a)s'", {"a": 1, "b": "1"}),
        ("b: '%(a)s'\na: 1", {"a": 1, "b": "A"}),
        ("b: '%(zz)s %(a)s 100% %% %s %(num'", {"b": "%(zz)s A 100% %% %s %(num"}),
        ("b: '%(zz)5d %(num)03d|%(a)-3s|%(a)r'", {"b": "%(zz)5d 003|A  |'A'"}),
        ("b: '%(num)s %(a)d'", {"b": "%(num)s %(a)d"}),
        ("b: '%(a)'", {"b": "%(a)"}),
        ("b: '%%(a)s'", {"b": "%A"}),
        ("b: '%(a b)s %(none)s %(nested)s'", {"b": "blank None {'x': 'deep'}"}),
        ("b: ['%(a)s', {c: '%(num)s'}, 3]", {"b": ["A", {"c": "3"}, 3]}),
        ("x: {y: '%(z)s', z: 5}\nz: 7", {"x": {"y": "%(z)s", "z": 5}, "z": 7}),
        ("case_os: {linux: {z: 2}}\nw: '%(z)s'", {"z": 2, "w": "2"}),
        ("'%(a)s': 1", {"%(a)s": 1}),
        ("b: '%(chain)s'", {"b": "A"}),
        ('b: "\\x25(a)s"', {"b": "A"}),
        ("- '%(a)s'", ["A"]),
        ("'%(a)s'", "A"),
        # Nothing of all this.
        ("l: [1, {b: two}]\nd: {e: 1}", {"l": [1, {"b": "two"}], "d": {"e": 1}}),
        ("1: x", {1: "x"}),
        ("", None),
    ],
)
def test_it_means_what_e3_core_makes_of_it(text: str, value: Any) -> None:
    before = copy.deepcopy(SCOPE)
    assert expand(text) == value
    assert before == SCOPE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: 1\ncase_platfrom: {x: {a: 1}}",
            (
                "t.yaml:2: 'case_platfrom': the environment has no 'platfrom';"
                " did you mean 'platform'?"
            ),
        ),
        (
            "case_os: [linux]",
            "t.yaml:1: 'case_os' must be a mapping of regexps to blocks, not a list",
        ),
        (
            "case_os:\n  'li(': {x: 1}",
            (
                "t.yaml:2: 'li(' is no regexp (missing ), unterminated subpattern at position 3);"
                " mend or escape it"
            ),
        ),
        (
            "b: 1\ncase_os: {linux: [1]}",
            (
                "t.yaml:2: 'case_os' picks a list and stands beside other keys;"
                " let it pick mappings, or put it under a key of its own"
            ),
        ),
        (
            "x: [1]\n\n+x: 2",
            (
                "t.yaml:3: '+x' adds the number 2 to a list;"
                " only a list can be added to a list, and a text to a text"
            ),
        ),
        (
            "x: a\nx+: {b: 1}",
            (
                "t.yaml:2: 'x+' adds a mapping to a text;"
                " only a list can be added to a list, and a text to a text"
            ),
        ),
        (
            "x: '%(num)5000d'",
            "t.yaml:1: a text is padded to 1000 characters or more; pad it less",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        expand(text)
    assert str(caught.value) == message


def test_texts_cannot_grow_without_bound() -> None:
    text = f"a: {'x' * 1000}\n" + "".join(
        f"{name}: '{f'%({before})s' * 100}'\n" for before, name in zip("abcd", "bcde", strict=True)
    )
    with pytest.raises(SyntaxProblem, match="texts grow beyond 4194304 characters"):
        expand(text)


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["%(", "%(a)s", "%(a)", "%(zz)5.5d", "%%(", "%(a)0000000000"])
def test_a_long_text_is_looked_through_soon(piece: str) -> None:
    text = piece * (900_000 // len(piece))
    started = time.monotonic()
    with contextlib.suppress(SyntaxProblem):
        dialect.expanded(Document("t.yaml", {"x": text}, b"%("), lambda: {"a": "A"})
    assert time.monotonic() - started < 5


def test_values_cannot_multiply_through_shared_includes() -> None:
    shared = [0] * 2000
    document = Document("t.yaml", {"x": [shared] * 100}, b"x: !include y")
    with pytest.raises(SyntaxProblem, match="too many values; the limit is 100000"):
        dialect.expanded(document, dict)


def test_values_cannot_be_nested_deeply_through_includes() -> None:
    value: Any = 1
    for _ in range(100):
        value = [value]
    with pytest.raises(SyntaxProblem, match="nesting too deep"):
        dialect.expanded(Document("t.yaml", {"x": value}, b"x: !include y"), dict)


def test_the_environment_is_not_asked_for_where_nothing_needs_it() -> None:
    data = b"description: plain\ndriver: cat\nargs: [a, b]\n"

    def scope() -> dict[str, Any]:
        raise AssertionError

    value = parse(data, "t.yaml")
    assert dialect.expanded(Document("t.yaml", value, data), scope) is value


def test_aliased_values_are_expanded_where_they_stand() -> None:
    assert expand("x: &q ['%(a)s']\na: Z\nz: *q") == {"x": ["A"], "a": "Z", "z": ["Z"]}


# -- against e3-core itself -----------------------------------------------------------------------

KEYS = st.sampled_from(
    ["x", "y", "+x", "x+", "+y", "case_os", "case_num", "case_a", "nested", "list", "a", "p%(a)s"]
)
BLOCK_KEYS = st.sampled_from(["linux", "lin.*", "win", ".*", "A", "3", "A|3", "linux|win", ""])
TEXTS = st.lists(
    st.sampled_from(
        ["%(a)s", "%(os)s", "%(zz)s", "%(num)d", "%(a)d", "%", "%%", " ", "b", "%(", ")", "%(x)s"]
    ),
    max_size=4,
).map("".join)
LEAVES = st.none() | st.booleans() | st.integers(0, 9) | TEXTS


def mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    cases = st.dictionaries(BLOCK_KEYS, values, max_size=3)

    def one(key: str) -> st.SearchStrategy[tuple[str, Any]]:
        return st.tuples(st.just(key), cases if key.startswith("case_") else values)

    # Not empty: over something else, e3-core ignores `x: {}`.
    return st.lists(KEYS.flatmap(one), min_size=1, max_size=4).map(dict)


VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | mappings(inner), max_leaves=12
)


def ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return collections.OrderedDict((key, ordered(item)) for key, item in value.items())
    return [ordered(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(mappings(VALUES))
def test_good_files_mean_the_same_to_e3_core(source: dict[str, Any]) -> None:
    scope = {"os": "linux", "a": "A", "num": 3, "nested": {"x": [1]}, "list": ["l"]}
    try:
        theirs = CaseParser(copy.deepcopy(scope)).parse(ordered(source))
    except Exception:  # noqa: BLE001 - it is not good; the others tell it in many ways
        return
    data = yaml.safe_dump(source).encode()
    ours: Any = None
    with contextlib.suppress(SyntaxProblem):
        ours = dialect.expanded(Document("t.yaml", source, data + b"# %("), lambda: scope)
    if ours != theirs:
        # The corners where we differ: `+key` whose case picks nothing, and an empty list or text
        # that is added to a mapping, which by chance is nothing to e3-core, and a mapping that is
        # added and speaks of the one that it is added to.
        assert "+" in repr(source)
        corner = r"'(\+\w+|\w+\+)': (\[\]|''|\{\}|\{.*%\()"
        assert "case_" in repr(source) or re.search(corner, repr(source))
