"""The walk: what is entered, in which order, and what becomes of what goes wrong."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from testloom.discovery import (
    AdaCoreLegacyTestFinder,
    BrokenTest,
    ParsedTest,
    ProbingError,
    TestFinder,
    discover,
    e3_message,
    e3_name,
)
from testloom.model import reason
from testloom.model.errors import UsageError

Write = Callable[..., None]


class Finder(TestFinder):
    """A finder made of a function of the directory's name and its files."""

    def __init__(self, answer: Callable[[str, list[str]], Any]) -> None:
        self.answer = answer

    def probe(self, testsuite: Any, dirpath: str, dirnames: Any, filenames: Any) -> Any:
        return self.answer(os.path.basename(dirpath), filenames)


def test_the_tree_is_walked_in_the_order_of_paths(suite: Any, write: Write) -> None:
    paths = ["b", "a-b", "a", "a/z", "a/b/c", "a.b", "B", "é"]
    write({}, *(f"tests/{path}/test.yaml" for path in paths))
    assert suite.names() == ["B", "a", "a/b/c", "a/z", "a-b", "a.b", "b", "é"]


def test_version_control_is_never_entered(suite: Any, write: Write) -> None:
    write({}, *(f"tests/{name}/x/test.yaml" for name in (".git", ".svn", "CVS", ".github", "cvs")))
    assert suite.names() == [".github/x", "cvs/x"]


def test_directories_can_be_skipped(suite: Any, write: Write) -> None:
    write({}, "tests/a/test.yaml", "tests/out/work/test.yaml")
    found = discover(
        suite, roots=[suite.test_dir], finders=suite.finders, skip=[f"{suite.test_dir}/out"]
    )
    assert [test.test_name for test in found.tests] == ["a"]


def test_links_to_directories_are_followed_and_loops_end(suite: Any, write: Write) -> None:
    write({}, "tests/b/test.yaml", "tests/b/c/test.yaml", "elsewhere/d/test.yaml")
    for link, target in {
        "b/loop": ".",
        "b/up": "../..",
        "a": "b",  # sorts before what it leads to
        "out": "../elsewhere",
        "broken": "gone",
        "self": "self",
    }.items():
        os.symlink(target, f"{suite.test_dir}/{link}")
    found = suite.find()
    # `b/up` leads to the parent of the root, and from there to `elsewhere`.
    assert [test.test_name for test in found.tests] == ["b", "b/c", "out/d"]
    assert [line.split(":")[0] for line in found.warnings] == ["tests/a", "tests/b/loop"]
    assert found.broken == []


def test_a_tree_is_walked_to_any_depth(suite: Any) -> None:
    descriptor = os.open(suite.test_dir, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("test.yaml", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    assert suite.names() == ["/".join(["d"] * 300)]


def test_names_of_all_kinds_are_kept(suite: Any, write: Write) -> None:
    names = [" ", "\t", "a\nb", "'\"", "$(touch x)", "`id`", ";rm", "-rf", "--help", "%s%n", "{0}"]
    names += ["*", "~", "é", "e\u0301", "\u202e", "\u2028", "a__b", "Test", "test"]
    write({}, *(f"tests/{name}/test.yaml" for name in names), "tests/a/b/test.yaml")
    os.mkdir(os.fsencode(suite.test_dir) + b"/\xff\xfe.d")
    pathlib.Path(f"{suite.test_dir}/\udcff\udcfe.d/test.yaml").touch()
    assert set(suite.names()) == {*names, "a/b", "\udcff\udcfe.d"}
    assert all(suite.names(name) == [name] for name in (*names, "\udcff\udcfe.d"))


# -- finders --------------------------------------------------------------------------------------


def test_the_first_finder_that_answers_decides_also_with_an_empty_list(
    suite: Any, write: Write
) -> None:
    write({}, "tests/a/x", "tests/b/x", "tests/c/x")
    driver = suite.test_driver_map["cat"]

    def first(name: str, _: list[str]) -> Any:
        return {"a": [], "b": ParsedTest("first", driver, {}, "")}.get(name)

    def second(name: str, files: list[str]) -> Any:
        return [ParsedTest(f"{name}{i}", driver, {}, "") for i in range(2)] if files else None

    suite.finders = [Finder(first), Finder(second)]
    assert suite.names() == ["first", "c0", "c1"]


def test_finders_see_what_is_in_the_directory(suite: Any, write: Write) -> None:
    write({}, "tests/z", "tests/m", "tests/b/x", "tests/a/x", "tests/.git/x", "more/x")
    os.symlink("../more", f"{suite.test_dir}/link")
    os.symlink("gone", f"{suite.test_dir}/broken")
    seen = []

    class Looking(TestFinder):
        def probe(self, testsuite: Any, dirpath: str, dirnames: Any, filenames: Any) -> Any:
            seen.append((testsuite is suite, dirpath, list(dirnames), list(filenames)))
            dirnames.clear()
            filenames.clear()

    suite.finders = [Looking()]
    suite.find()
    assert seen[0] == (True, suite.test_dir, [".git", "a", "b", "link"], ["broken", "m", "z"])
    assert [dirpath for _, dirpath, _, _ in seen[1:]] == [
        f"{suite.test_dir}/{name}" for name in ("a", "b", "link")
    ]


def test_what_a_finder_raises_is_an_error_of_that_directory(suite: Any, write: Write) -> None:
    class Unshowable(Exception):
        def __str__(self) -> str:
            raise ValueError

    errors: dict[str, BaseException] = {
        "a": ProbingError("bad\n thing"),
        "b": TypeError("oops"),
        "c": SystemExit(3),
        "d": RecursionError("deep"),
        "e": Unshowable(),
        "f": ProbingError(),
    }

    def answer(name: str, _: list[str]) -> Any:
        if name in errors:
            raise errors[name]
        return ParsedTest(name, suite.test_driver_map["cat"], {}, "") if name == "g" else None

    write({}, *(f"tests/{name}/x" for name in "abcdefg"))
    suite.finders = [Finder(answer)]
    found = suite.find()
    assert [test.test_name for test in found.tests] == ["g"]
    assert [(it.test_name, it.reason, it.message) for it in found.broken] == [
        ("a", "config", "bad thing"),
        ("b", "exception", "tests/b: the finder Finder failed (TypeError: oops); see the log"),
        ("c", "exception", "tests/c: the finder Finder failed (SystemExit: 3); see the log"),
        ("d", "exception", "tests/d: the finder Finder failed (RecursionError: deep); see the log"),
        (
            "e",
            "exception",
            (
                "tests/e: the finder Finder failed (Unshowable: its message cannot be shown);"
                " see the log"
            ),
        ),
        ("f", "config", "config"),
    ]
    assert all("Traceback" in it.log for it in found.broken)
    assert "in answer" in found.broken[0].log


def test_an_interrupt_is_not_a_finders_error(suite: Any, write: Write) -> None:
    def answer(name: str, _: list[str]) -> Any:
        raise KeyboardInterrupt

    suite.finders = [Finder(answer)]
    with pytest.raises(KeyboardInterrupt):
        suite.find()


def test_what_a_finder_returns_is_looked_at(suite: Any, write: Write) -> None:
    answers: dict[str, Any] = {
        "a": "text",
        "b": [1, BrokenTest("mine", "", "my message", "my-reason")],
        "c": ParsedTest("", None, {}, ""),
        "d": ParsedTest("a\0b", None, {}, ""),
        "e": ParsedTest(3, None, {}, ""),  # type: ignore[arg-type]  # what must not be
    }
    write({}, *(f"tests/{name}/x" for name in answers))
    suite.finders = [Finder(lambda name, _: answers.get(name))]
    found = suite.find()
    assert found.tests == []
    assert [(it.test_name, it.message) for it in found.broken] == [
        (
            "a",
            "tests/a: the finder Finder returned a str; it must return ParsedTest, list or None",
        ),
        (
            "b",
            "tests/b: the finder Finder returned a int; it must return ParsedTest, list or None",
        ),
        ("mine", "my message"),
        (
            "c",
            "tests/c: the finder Finder named a test ''; a name must not be empty or hold a NUL",
        ),
        (
            "d",
            (
                "tests/d: the finder Finder named a test 'a\\x00b';"
                " a name must not be empty or hold a NUL"
            ),
        ),
        ("e", "tests/e: the finder Finder named a test 3; a name must be a text"),
    ]


def test_a_suite_that_cannot_name_a_test_does_not_end_the_walk(suite: Any, write: Write) -> None:
    def test_name(test_dir: str) -> str:
        raise ValueError(test_dir)

    write({}, "tests/a/test.yaml")
    suite.test_name = test_name
    (broken,) = suite.find().broken
    assert (broken.test_name, broken.reason) == ("a", "exception")


def test_directories_named_like_tickets_can_be_tests(suite: Any, write: Write) -> None:
    write({}, "tests/x/AB12-345/x", "tests/x/AB12-345_more/x", "tests/x/ab12-345/x", "tests/y/x")
    driver = suite.test_driver_map["cat"]
    suite.finders = [AdaCoreLegacyTestFinder(driver)]
    assert suite.find().tests == [
        ParsedTest(name, driver, {}, f"{suite.test_dir}/x/{name}")
        for name in ("AB12-345", "AB12-345_more")
    ]


# -- names that occur twice -----------------------------------------------------------------------


def test_of_two_tests_with_one_name_the_first_is_kept_and_the_other_told(
    suite: Any, write: Write
) -> None:
    suite.test_name = lambda test_dir: e3_name(suite.test_dir, test_dir)
    write({}, "tests/a/b/test.yaml", "tests/a__b/test.yaml", "tests/a__b__except1/test.yaml")
    found = suite.find()
    assert [(test.test_name, test.test_dir) for test in found.tests] == [
        ("a__b", f"{suite.test_dir}/a/b"),
        ("a__b__except1", f"{suite.test_dir}/a__b__except1"),
    ]
    assert found.broken == [
        BrokenTest(
            "a__b__except2",
            f"{suite.test_dir}/a__b",
            "duplicate test name: a__b: tests/a__b/test.yaml:"
            " tests/a/b/test.yaml has that name too; rename one",
            reason.DUPLICATE_TEST,
            source=f"{suite.test_dir}/a__b/test.yaml",
        )
    ]
    assert e3_message(found.broken[0]) == "duplicate test name: a__b"


def test_many_tests_with_one_name_are_told_each(suite: Any, write: Write) -> None:
    suite.test_name = lambda _: "same"
    write({}, *(f"tests/{i}/test.yaml" for i in range(5)), "tests/5/test.yaml/x")
    found = suite.find()
    assert [test.test_name for test in found.tests] == ["same"]
    assert [it.test_name for it in found.broken] == [f"same__except{i}" for i in range(1, 6)]
    assert "not a regular file" in found.broken[-1].log


# -- what cannot be read --------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_directory_that_cannot_be_read_is_an_error(suite: Any, write: Write, mode: int) -> None:
    write({}, "tests/a/b/test.yaml", "tests/c/test.yaml")
    os.chmod(f"{suite.test_dir}/a", mode)
    try:
        found = suite.find()
    finally:
        os.chmod(f"{suite.test_dir}/a", 0o700)
    assert [test.test_name for test in found.tests] == ["c"]
    assert len(found.broken) == 1
    assert "cannot be listed (Permission denied); check its permissions" in found.broken[0].message


UNPRIVILEGED = """
import os, sys
from testloom.discovery import YAMLTestFinder, discover, path_name
os.setgid(65534), os.setuid(65534)  # after the imports: this Python may be root's own
class Suite:
    root_dir, test_dir, env = sys.argv[1], sys.argv[1] + "/tests", None
    test_driver_map, default_driver = {"cat": object}, "cat"
    def test_name(self, path):
        return path_name(self.test_dir, path)
suite = Suite()
found = discover(suite, roots=[suite.test_dir], finders=[YAMLTestFinder()])
print([test.test_name for test in found.tests])
print([(it.test_name, it.message) for it in found.broken])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_somebody_else_may_not_read_is_an_error_for_them(
    suite: Any, write: Write, tmp_path: pathlib.Path
) -> None:
    write({}, "tests/a/b/test.yaml", "tests/c/test.yaml", "tests/d/test.yaml", "tests/e/f/x")
    for path in (tmp_path, *tmp_path.parents[:-2]):
        os.chmod(path, 0o755)
    os.chmod(f"{suite.test_dir}/a", 0o000)
    os.chmod(f"{suite.test_dir}/d/test.yaml", 0o000)
    os.chmod(f"{suite.test_dir}/e", 0o744)
    run = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "['c']",
        str(
            [
                (
                    "a",
                    (
                        "tests/a: cannot be listed (Permission denied);"
                        " check its permissions, or exclude it"
                    ),
                ),
                (
                    "d",
                    (
                        "cannot use test.yaml: tests/d/test.yaml:"
                        " cannot be opened (Permission denied); check its permissions"
                    ),
                ),
                (
                    "e/f",
                    (
                        "tests/e/f: cannot be listed (Permission denied);"
                        " check its permissions, or exclude it"
                    ),
                ),
            ]
        ),
    ]


def test_a_root_must_be_a_directory(suite: Any, write: Write) -> None:
    write({}, "file")
    for root, message in {
        "gone": "cannot look for tests there (No such file or directory);"
        " check the path and its permissions",
        "file": "tests are looked for in directories, and this is none; name its directory",
    }.items():
        path = f"{suite.root_dir}/{root}"
        with pytest.raises(UsageError) as caught:
            discover(suite, roots=[path], finders=suite.finders)
        assert str(caught.value) == f"{path}: {message}"


def test_a_directory_that_goes_away_is_told(suite: Any, write: Write) -> None:
    write({}, "tests/a/test.yaml", "tests/b/test.yaml", "tests/c/test.yaml")

    def answer(name: str, _: list[str]) -> Any:
        if name == "a":
            os.remove(f"{suite.test_dir}/b/test.yaml")
            os.rmdir(f"{suite.test_dir}/b")

    suite.finders = [Finder(answer), *suite.finders]
    found = suite.find()
    assert [test.test_name for test in found.tests] == ["a", "c"]
    assert found.warnings == ["tests/b: has gone while tests were looked for"]


@pytest.mark.slow
def test_ten_thousand_tests_are_found_in_no_time(suite: Any) -> None:
    for group in range(100):
        for number in range(100):
            path = f"{suite.test_dir}/g{group:02}/t{number:02}"
            os.makedirs(path)
            with open(f"{path}/test.yaml", "w") as file:
                file.write(f"description: test number {number}\ndriver: cat\n")
    started = time.monotonic()
    assert len(suite.find().tests) == 10_000
    assert time.monotonic() - started < 3  # a third of it on a quiet machine
