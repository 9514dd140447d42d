"""Loading YAML: what good files mean, and what is said of the others."""

from __future__ import annotations

import datetime as dt
import os
import pathlib
import resource
import socket

import pytest
import yaml

from testloom.discovery.problems import FileProblem, SyntaxProblem
from testloom.discovery.yaml_loader import load, parse

BILLION = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
BILLION_MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


def told(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(SyntaxProblem) as caught:
        parse(data, "t.yaml")
    return str(caught.value)


def test_a_file_means_what_yaml_says() -> None:
    text = (
        "description: |\n  two\n  lines\n"
        "driver: diff\nflag: yes\noctal: 010\nbase 60: 1:20\nfloat: 1.5\ninf: -.inf\nnothing: ~\n"
        "not a float: 1e3\nlist: [1, 'two', \"three\\n\"]\nmapping: {a: {b: [c]}}\n1: one\n"
        "binary: !!binary aGVsbG8=\nset: !!set {x, y}\ntext: !!str 3\nday: !!timestamp 2024-01-01\n"
    )
    assert parse(text.encode(), "t.yaml") == {
        "description": "two\nlines\n",
        "driver": "diff",
        "flag": True,
        "octal": 8,
        "base 60": 80,
        "float": 1.5,
        "inf": float("-inf"),
        "nothing": None,
        "not a float": "1e3",
        "list": [1, "two", "three\n"],
        "mapping": {"a": {"b": ["c"]}},
        1: "one",
        "binary": b"hello",
        "set": {"x", "y"},
        "text": "3",
        "day": dt.date(2024, 1, 1),
    }


@pytest.mark.parametrize("text", ["", "# nothing but this\n", "---\n", "~\n"])
def test_a_file_with_nothing_in_it_means_nothing(text: str) -> None:
    assert parse(text.encode(), "t.yaml") is None


def test_a_date_stays_the_text_that_it_is() -> None:
    assert parse(b"a: 2024-01-01\nb: 2001-12-14t21:59:43.10-05:00", "t.yaml") == {
        "a": "2024-01-01",
        "b": "2001-12-14t21:59:43.10-05:00",
    }


def test_an_alias_gives_the_value_of_its_anchor() -> None:
    text = b"a: &x {p: 1, q: [2]}\nb: *x\nc: [*x]"
    value = parse(text, "t.yaml")
    assert value == yaml.safe_load(text)
    assert value["b"] is value["a"]


def test_what_a_mapping_says_wins_over_what_it_merges() -> None:
    text = b"a: &a {p: 1}\nb: {<<: *a, p: 2, q: 3}\nc: {q: 4, <<: [*a, {p: 5, r: 6}]}"
    assert parse(text, "t.yaml") == {
        "a": {"p": 1},
        "b": {"p": 2, "q": 3},
        "c": {"p": 1, "r": 6, "q": 4},
    }


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load(str(path)).value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "t.yaml:2:1: did not find expected node content; check the quotes, brackets and"),
        ("a:\n\t- b", "t.yaml:2:1: found character that cannot start any token; indent with spa"),
        ("a: b: c", "t.yaml:1:5: mapping values are not allowed in this context; quote the text"),
        ("a: b\nc: \0", "t.yaml:2:4: control characters are not allowed; remove it or write it a"),
        ("a: 1\nb: 2\na: 3", "t.yaml:3:1: duplicate key 'a'; remove one of them"),
        ("1: a\n1.0: b", "t.yaml:2:1: duplicate key 1.0; remove one of them"),
        ("&a [*a]", "t.yaml:1:5: *a holds itself; break the circle"),
        ("a: &b {c: {d: *b}}", "t.yaml:1:15: *b holds itself; break the circle"),
        ("*a", "t.yaml:1:1: found undefined alias; define the anchor before it"),
        ("a: &x 1\nb: &x 2", "t.yaml:2:4: this anchor was defined before; give it another name"),
        ("--- 1\n--- 2", "t.yaml:2:1: a second document begins here; remove it"),
        ("? [a]\n: b", "t.yaml:1:3: a key is a list; write a text or a number"),
        ("<<: 3", "t.yaml:1:5: '<<' takes a mapping or a list of mappings; give it one"),
        ("a: !foo b", "t.yaml:1:4: the tag '!foo' is not known for a text or number; remove it"),
        ("a: !!str [b]", "t.yaml:1:4: the tag '!!str' is not known for a list; remove it"),
        ("a: !!int b", "t.yaml:1:4: 'b' is no int; remove the tag"),
        ("a: !!bool b", "t.yaml:1:4: 'b' is no bool; remove the tag"),
        ("a: !!timestamp b", "t.yaml:1:4: 'b' is no timestamp; remove the tag"),
        ("a: " + "1" * 5000, "t.yaml:1:4: a number of 5000 characters; quote it if it is a text"),
        ("a: " + "1:1" * 5000, "t.yaml:1:4: a number of 15000 characters; quote it if it is a"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    assert told(text).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        '!!python/object/apply:os.system ["touch pwned"]',
        "!!python/name:os.system",
        "a: !!python/object:os.Popen {}",
        "!!python/module:os",
    ],
)
def test_no_tag_runs_code(
    text: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is not known for" in told(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [BILLION, BILLION_MERGED, "a: &a x\nb: [" + "*a," * 1001 + "]"])
def test_aliases_must_not_stand_for_too_much(text: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "too many aliases" in told(text)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


@pytest.mark.parametrize(
    "text", ["[" * 3_000, "[" * 200_000, "- " * 200_000, "{a: " * 65 + "}" * 65]
)
def test_nesting_must_not_be_deep(text: str) -> None:
    assert "nesting too deep; the limit is 64 levels" in told(text)


def test_aliases_count_with_the_depth_that_they_stand_for() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))
    assert told(text).startswith("t.yaml:64:12: nesting too deep")


@pytest.mark.slow
def test_there_must_not_be_too_many_values() -> None:
    text = "".join(f"key{i}: 1\n" for i in range(60_000))
    assert "too many values; the limit is 100000" in told(text)


def message_of(path: pathlib.Path) -> str:
    with pytest.raises(FileProblem) as caught:
        load(str(path))
    return caught.value.told(str(path.parent))


def test_a_large_file_is_not_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.yaml"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    assert message_of(path) == "t.yaml: larger than 1024 KiB; move large data to other files"


def test_a_file_that_is_no_regular_file_is_not_read(tmp_path: pathlib.Path) -> None:
    fifo, directory, device, end = (tmp_path / name for name in ("fifo", "dir", "zero", "socket"))
    os.mkfifo(fifo)
    directory.mkdir()
    device.symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(end))
        advice = "; put a text file there"
        assert [message_of(path) for path in (fifo, directory, device, end)] == [
            f"fifo: not a regular file (a FIFO){advice}",
            f"dir: not a regular file (a directory){advice}",
            f"zero: not a regular file (a device){advice}",
            f"socket: not a regular file (a socket){advice}",
        ]


def test_a_link_to_a_file_is_read_and_a_broken_one_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").write_text("a: 1")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "broken").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    assert load(str(tmp_path / "link")).value == {"a": 1}
    assert message_of(tmp_path / "broken") == (
        "broken: is a broken link to 'gone'; mend or remove it"
    )
    assert message_of(tmp_path / "loop") == (
        "loop: cannot be opened (Too many levels of symbolic links)"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a: é".encode("utf-16"), "t.yaml:1: this is UTF-16; save it as UTF-8"),
        ("a: é".encode("utf-16-be"), "t.yaml:1:8: the byte 0xe9 is not UTF-8; save the file as"),
        (b"a: 1\nb: \xe9", "t.yaml:2:4: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"a: \xed\xa0\x80", "t.yaml:1:4: the byte 0xed is not UTF-8; save the file as UTF-8"),
        (b"\xc3\xa9\xc3\xa9: \0", "t.yaml:1:5: control characters are not allowed; remove it or"),
        ("a".encode("utf-16-be"), "t.yaml:1:1: control characters are not allowed; remove it or"),
    ],
)
def test_a_file_must_be_utf8(data: bytes, message: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(data)
    assert message_of(path).startswith(message)


def test_a_file_can_include_others_relative_to_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "t.yaml").write_text("a: !include sub/one.yaml\nb: [!include sub/two.yaml]\n")
    (tmp_path / "sub/one.yaml").write_text("c: !include two.yaml")
    (tmp_path / "sub/two.yaml").write_text("- 2")
    assert load(str(tmp_path / "t.yaml")).value == {"a": {"c": [2]}, "b": [[2]]}


def test_a_problem_in_an_included_file_is_told_of_that_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "t.yaml").write_text("a: !include one.yaml")
    (tmp_path / "one.yaml").write_text("a: 1\na: 2")
    assert message_of(tmp_path / "t.yaml") == "one.yaml:2:1: duplicate key 'a'; remove one of them"


def test_a_file_that_cannot_be_included_is_told_of_the_file_that_does(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "t.yaml").write_text("b: 1\na: !include gone.yaml")
    assert message_of(tmp_path / "t.yaml") == (
        "t.yaml:2:4: cannot include 'gone.yaml': cannot be opened (No such file or directory)"
    )
    (tmp_path / "t.yaml").write_text("a: !include /dev/zero")
    assert message_of(tmp_path / "t.yaml") == (
        "t.yaml:1:4: cannot include '/dev/zero': not a regular file (a device);"
        " put a text file there"
    )


def test_files_that_include_each_other_end(tmp_path: pathlib.Path) -> None:
    (tmp_path / "t.yaml").write_text("a: !include t.yaml")
    assert "more than 8 files include each other; is it a circle?" in message_of(
        tmp_path / "t.yaml"
    )


def test_files_that_include_many_others_end(tmp_path: pathlib.Path) -> None:
    for i in range(7):
        (tmp_path / f"{i}.yaml").write_text("[" + f"!include {i + 1}.yaml, " * 9 + "]")
    (tmp_path / "7.yaml").write_text("1")
    assert "more than 32 files are included; join some" in message_of(tmp_path / "0.yaml")


def test_the_line_of_a_key_is_that_of_its_first_occurrence(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("# driver: no\na:\n  b: [{c: 1}]\ndriver: x\n")
    document = load(str(path))
    assert [document.line_of(key) for key in ("a", "c", "driver", "other")] == [2, 3, 4, 1]
