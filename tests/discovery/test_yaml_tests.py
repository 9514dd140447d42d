"""The default finder: which directories are tests, which driver runs them, what can be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from e3.env import Env

from testloom.discovery import BrokenTest, ParsedTest, YAMLTestFinder, e3_message
from testloom.model import reason

Write = Callable[..., None]


def message(suite: Any) -> str:
    """Return what is said of the only broken test."""
    (broken,) = suite.find().broken
    assert broken.reason == reason.CONFIG
    assert broken.log == ""
    return str(broken.message)


def test_a_directory_with_a_test_yaml_is_a_test(suite: Any, write: Write) -> None:
    write({"tests/a/b/test.yaml": "driver: diff\ntags: [x]\nn: 1\n"}, "tests/a/other.yaml")
    assert suite.find().tests == [
        ParsedTest(
            test_name="a/b",
            driver_cls=suite.test_driver_map["diff"],
            test_env={"driver": "diff", "tags": ["x"], "n": 1},
            test_dir=f"{suite.test_dir}/a/b",
            source=f"{suite.test_dir}/a/b/test.yaml",
            tags=("x",),
        )
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "driver:\n"])
def test_a_test_without_a_driver_gets_the_default_one(suite: Any, write: Write, text: str) -> None:
    write({"tests/a/test.yaml": text})
    assert [test.driver_cls for test in suite.find().tests] == [suite.test_driver_map["cat"]]


def test_a_test_at_the_root_is_called_by_a_dot(suite: Any, write: Write) -> None:
    write({"tests/test.yaml": ""})
    assert suite.names() == ["."]


@pytest.mark.parametrize(
    ("text", "heading", "details"),
    [
        (
            "a: 1\ndriver: difff\n",
            "cannot find driver",
            "tests/a/test.yaml:2: no driver is called 'difff'; did you mean 'diff'?",
        ),
        (
            "driver: zzz",
            "cannot find driver",
            "tests/a/test.yaml:1: no driver is called 'zzz'; known: cat, diff",
        ),
        (
            "driver: [x]",
            "cannot find driver",
            "tests/a/test.yaml:1: 'driver' must be a name, not a list; known: cat, diff",
        ),
        (
            "driver: NO",
            "cannot find driver",
            (
                "tests/a/test.yaml:1: 'driver' must be a name, not the truth value false;"
                " known: cat, diff"
            ),
        ),
        (
            "- a\n",
            "invalid format for test.yaml",
            "tests/a/test.yaml:1: the file holds a list; write 'key: value' lines",
        ),
        (
            "just text",
            "invalid format for test.yaml",
            "tests/a/test.yaml:1: the file holds a text; write 'key: value' lines",
        ),
        (
            "a: 1\na: 2",
            "invalid syntax for test.yaml",
            "tests/a/test.yaml:2:1: duplicate key 'a'; remove one of them",
        ),
        (
            "a: 1\ncase_cup: {arm: {b: 1}}",
            "invalid syntax for test.yaml",
            "tests/a/test.yaml:2: 'case_cup': the environment has no 'cup'; did you mean 'cpu'?",
        ),
        (
            "a: 1\ntags: {b: 1}",
            "invalid format for test.yaml",
            (
                "tests/a/test.yaml:2: 'tags' must be a list of texts, not a mapping;"
                " write 'tags: [a, b]'"
            ),
        ),
        (
            "tags: [a, 010]",
            "invalid format for test.yaml",
            (
                "tests/a/test.yaml:1: each of 'tags' must be a text, and one is the number 8;"
                " write it in quotes"
            ),
        ),
        (
            "tags: ['']",
            "invalid format for test.yaml",
            (
                "tests/a/test.yaml:1: each of 'tags' must be a text, and one is empty;"
                " write it in quotes"
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_under_the_heading_of_e3_with_its_place(
    suite: Any, write: Write, text: str, heading: str, details: str
) -> None:
    write({"tests/a/test.yaml": text})
    (broken,) = suite.find().broken
    assert broken == BrokenTest(
        "a",
        f"{suite.test_dir}/a",
        f"{heading}: {details}",
        reason.CONFIG,
        source=f"{suite.test_dir}/a/test.yaml",
        line=int(details.split(":")[1]),
    )
    assert e3_message(broken) == heading


def test_a_suite_without_drivers_says_so(suite: Any, write: Write) -> None:
    write({"tests/a/test.yaml": ""})
    suite.test_driver_map = {}
    assert message(suite) == (
        "cannot find driver: tests/a/test.yaml:1: the default driver 'cat' is not known;"
        " the suite knows no drivers: set test_driver_map"
    )
    suite.default_driver = None
    assert message(suite) == (
        "missing test driver: tests/a/test.yaml:1: there is no 'driver' and the suite has no"
        " default one; add 'driver: NAME'; the suite knows no drivers: set test_driver_map"
    )


def test_a_test_yaml_that_is_no_file_is_told(suite: Any, write: Write) -> None:
    write({}, "tests/dir/test.yaml/x", "tests/fifo/x", "tests/link/x", "tests/fine/test.yaml")
    os.mkfifo(f"{suite.test_dir}/fifo/test.yaml")
    os.symlink("gone", f"{suite.test_dir}/link/test.yaml")
    found = suite.find()
    assert [test.test_name for test in found.tests] == ["fine"]
    assert {broken.test_name: broken.message for broken in found.broken} == {
        "dir": "cannot use test.yaml: tests/dir/test.yaml: not a regular file (a directory);"
        " put a text file there",
        "fifo": "cannot use test.yaml: tests/fifo/test.yaml: not a regular file (a FIFO);"
        " put a text file there",
        "link": "cannot use test.yaml: tests/link/test.yaml: is a broken link to 'gone';"
        " mend or remove it",
    }


def test_names_are_made_fit_for_one_line(suite: Any, write: Write) -> None:
    write({"tests/a\nb\x1b[31m/test.yaml": "]"})
    assert "tests/a\\x0ab\\x1b[31m/test.yaml:1" in message(suite)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("tags: [a, b c, a]", ("a", "b c")),
        ("tags: a, b  c,a", ("a", "b", "c")),
        ("tags: ''", ()),
        ("tags:", ()),
        ("tags: []", ()),
        ("other: 1", ()),
    ],
)
def test_tags_are_a_list_or_a_text(
    suite: Any, write: Write, text: str, tags: tuple[str, ...]
) -> None:
    write({"tests/a/test.yaml": text})
    assert [test.tags for test in suite.find().tests] == [tags]


def test_tags_can_be_left_to_the_drivers(suite: Any, write: Write) -> None:
    class Finder(YAMLTestFinder):
        read_tags = False

    write({"tests/a/test.yaml": "tags: {any: thing}"})
    suite.finders = [Finder()]
    assert [(test.tags, test.test_env) for test in suite.find().tests] == [
        ((), {"tags": {"any": "thing"}})
    ]


def test_the_file_can_depend_on_the_environment(suite: Any, write: Write) -> None:
    write(
        {
            "tests/a/test.yaml": "case_os: {linux: {driver: diff}}\nname: '%(cpu)s-%(driver)s'",
            "tests/b/test.yaml": "common: !include ../common.yaml",
            "tests/common.yaml": "bits: '%(bits)d'",
        }
    )
    assert [(test.driver_cls.__name__, test.test_env) for test in suite.find().tests] == [
        ("DiffDriver", {"driver": "diff", "name": "arm-diff"}),
        ("CatDriver", {"common": {"bits": "64"}}),
    ]


def test_the_environment_is_looked_up_once_a_walk(suite: Any, write: Write) -> None:
    calls: list[int] = []

    def to_dict() -> dict[str, Any]:
        calls.append(1)
        return {"n": len(calls)}

    suite.env = SimpleNamespace(to_dict=to_dict)
    write({f"tests/{name}/test.yaml": "n: '%(n)s'" for name in "abc"})
    assert [test.test_env["n"] for test in suite.find().tests] == ["1", "1", "1"]
    assert [test.test_env["n"] for test in suite.find().tests] == ["2", "2", "2"]


def test_a_real_environment_serves(suite: Any, write: Write) -> None:
    suite.env = Env()
    write({"tests/a/test.yaml": "case_build_os_name: {.*: {x: '%(build_platform)s'}}"})
    assert suite.find().tests[0].test_env == {"x": Env().build.platform}


def test_a_suite_without_an_environment_serves_plain_files(suite: Any, write: Write) -> None:
    suite.env = None
    write({"tests/a/test.yaml": "x: {y: '100%'}"})
    assert suite.find().tests[0].test_env == {"x": {"y": "100%"}}


def test_a_subclass_can_change_what_it_finds_and_needs_no_init(suite: Any, write: Write) -> None:
    class Finder(YAMLTestFinder):
        def __init__(self, extra: str) -> None:
            self.extra = extra

        def probe(self, testsuite: Any, dirpath: str, dirnames: Any, filenames: Any) -> Any:
            test = super().probe(testsuite, dirpath, dirnames, filenames)
            if isinstance(test, ParsedTest):
                test.test_env["extra"] = self.extra
            return test

    write({"tests/a/test.yaml": "x: '%(os)s'", "tests/b/test.yaml": "["})
    suite.finders = [Finder("more")]
    found = suite.find()
    assert [test.test_env for test in found.tests] == [{"x": "linux", "extra": "more"}]
    assert [e3_message(broken) for broken in found.broken] == ["invalid syntax for test.yaml"]


def test_other_messages_have_no_heading_to_take_off() -> None:
    broken = BrokenTest("a__except2", "/a", "duplicate test name: a: x: y", reason.DUPLICATE_TEST)
    assert e3_message(broken) == "duplicate test name: a"
    assert e3_message(BrokenTest("a", "/a", "my: own", reason.CONFIG)) == "my: own"
