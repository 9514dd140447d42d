"""What command lines select."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from testloom.discovery import (
    BrokenTest,
    ParsedTest,
    Selection,
    TestFinder,
    YAMLTestFinder,
    discover,
    near_names,
    suggestions,
)
from testloom.model.errors import UsageError

Write = Callable[..., None]

TREE = {
    "tests/add/big/test.yaml": "tags: [slow, math]\ndriver: diff",
    "tests/add/small/test.yaml": "tags: [math]",
    "tests/add/small/src/main.c": "",
    "tests/parser/errors/eof/test.yaml": "tags: smoke",
    "tests/parser/errors/test.yaml": "",
    "tests/parser/ok/test.yaml": "",
    "other/test.yaml": "",
    "other/sub/test.yaml": "",
    "docs/readme.txt": "",
}
ADD = ["add/big", "add/small"]
ERRORS = ["parser/errors", "parser/errors/eof"]
ALL = [*ADD, *ERRORS, "parser/ok"]


@pytest.fixture
def tree(suite: Any, write: Write) -> Any:
    write(TREE)
    return suite


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], ALL),
        # Directories.
        (["tests"], ALL),
        (["tests/add"], ADD),
        (["tests/add/"], ADD),
        (["./tests/../tests/add"], ADD),
        (["tests/add", "tests/add/big", "tests/add"], ADD),
        (["tests/parser/ok", "tests/add"], [*ADD, "parser/ok"]),
        (["parser/errors"], ERRORS),
        (["other"], ["../other", "../other/sub"]),
        # Files.
        (["tests/add/big/test.yaml"], ["add/big"]),
        (["tests/add/small/src/main.c"], ["add/small"]),
        (["add/small/src/main.c"], ["add/small"]),
        (["tests/parser/errors/eof/test.yaml"], ["parser/errors/eof"]),
        (["tests/parser/errors/test.yaml"], ["parser/errors"]),
        (["other/test.yaml"], ["../other"]),
        # Globs.
        (["tests/add*"], ADD),
        (["*/ok"], ["parser/ok"]),
        (["**/e*"], ERRORS),
        (["tests/*/*/test.yaml"], [*ADD, "parser/errors", "parser/ok"]),
        (["p*", "tests/add/b*"], ["add/big", *ERRORS, "parser/ok"]),
        # Names and regexps.
        (["add/big"], ["add/big"]),
        (["ok"], ["parser/ok"]),
        (["r+or"], ERRORS),
        (["^add/|ok$"], [*ADD, "parser/ok"]),
        (["add/(big"], []),
        # All together; what is selected twice is there once.
        (["eof", "tests/parser/errors", "e*f", "tests/parser/errors/eof/test.yaml"], ERRORS),
        (["nothing here"], []),
    ],
)
def test_paths_select(tree: Any, paths: list[str], names: list[str]) -> None:
    found = tree.find(*paths)
    assert [test.test_name for test in found.tests] == names
    assert found.broken == []


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"keyword": "add"}, ADD),
        ({"keyword": "ADD and not big"}, ["add/small"]),
        ({"keyword": "'/e'"}, ERRORS),
        ({"tags": "math"}, ADD),
        ({"tags": "math and not slow or smoke"}, ["add/small", "parser/errors/eof"]),
        ({"tags": "s*"}, ["add/big", "parser/errors/eof"]),
        ({"tags": "mat"}, []),
        ({"tags": "math", "keyword": "big"}, ["add/big"]),
        ({"filter_by": "path(parser/*)"}, [*ERRORS, "parser/ok"]),
        ({"filter_by": "path(parser/**) & !name(ok)"}, ERRORS),
        ({"filter_by": "driver(diff) or name(=parser/ok)"}, ["add/big", "parser/ok"]),
        ({"filter_by": "driver(CatDriver) and tag(smoke)"}, ["parser/errors/eof"]),
        ({"filter_by": "name(/s$/)"}, ["parser/errors"]),
        ({"filter_by": "name(#add/*) and tag(~LO)"}, ["add/big"]),
        ({"filter_by": "eof"}, ["parser/errors/eof"]),
        ({"exclude": ["add"]}, [*ERRORS, "parser/ok"]),
        ({"exclude": ["tests/parser/*", "b*"]}, ["add/small"]),
        ({"exclude": ["errors/*"]}, ALL),
        ({"exclude": ["tests"]}, []),
        ({"exclude": ["eof", "small"]}, ["add/big", "parser/errors", "parser/ok"]),
    ],
)
def test_options_narrow_the_selection(tree: Any, options: Any, names: list[str]) -> None:
    assert tree.names(**options) == names


def test_paths_and_options_must_both_hold(tree: Any) -> None:
    assert tree.names("tests/add", "ok", keyword="o", exclude=["big"]) == ["parser/ok"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keyword": "a and"}, "-k: a word is missing here; add one\n  a and\n       ^"),
        (
            {"filter_by": "nam(x)"},
            "--filter: nam() is not known; did you mean 'name'?\n  nam(x)\n  ^",
        ),
        ({"filter_by": "tag()"}, "--filter: a text is missing here; add one\n  tag()\n  ^"),
        (
            {"filter_by": "x or name(/[/)"},
            (
                "--filter: this is no regexp (unterminated character set at position 0);"
                " mend or escape it\n  x or name(/[/)\n       ^"
            ),
        ),
    ],
)
def test_a_wrong_expression_is_an_error(suite: Any, options: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        suite.find(**options)
    assert str(caught.value) == message


def test_more_functions_can_be_given(tree: Any) -> None:
    functions = {"starts": lambda text: lambda candidate: candidate.name.startswith(text)}
    assert tree.names(filter_by="starts(add)", functions=functions) == ADD


def test_a_broken_test_is_hidden_only_by_what_is_known_of_it(tree: Any, write: Write) -> None:
    write({"tests/add/broken/test.yaml": "["})

    def broken(*paths: str, **options: Any) -> list[str]:
        return [it.test_name for it in tree.find(*paths, **options).broken]

    assert broken() == broken(tags="smoke") == broken(tags="not smoke") == ["add/broken"]
    assert broken(keyword="broken") == broken("tests/add") == broken("brok") == ["add/broken"]
    assert broken(filter_by="driver(x) and name(add)") == ["add/broken"]
    assert broken(keyword="parser") == broken("tests/parser") == broken("eof") == []
    assert broken(exclude=["broken"]) == broken(filter_by="driver(x) and name(z)") == []


def test_the_way_to_a_directory_does_not_change_names(tree: Any) -> None:
    os.symlink(tree.root_dir, f"{tree.root_dir}/link")
    assert tree.names("link/tests/add") == ADD
    assert tree.names("link/tests/add/big/test.yaml") == ["add/big"]
    assert tree.names("link/tests") == ALL
    tree.test_dir = f"{tree.root_dir}/link/tests"
    assert tree.names("tests/add") == ADD


def test_the_real_paths_of_directories_count_whatever_links_there_are(tree: Any) -> None:
    os.symlink("../parser", f"{tree.test_dir}/add/parser")
    assert tree.names("tests/add", "tests/parser") == ALL
    assert tree.names("tests/add") == [
        *("add/big", "add/parser/errors", "add/parser/errors/eof", "add/parser/ok", "add/small")
    ]


def test_what_holds_no_test_is_told_if_others_do(tree: Any) -> None:
    found = tree.find("docs/readme.txt", "add/bug", "x*y", "tests/add/big")
    assert [test.test_name for test in found.tests] == ["add/big"]
    assert found.warnings == [
        f"{tree.root_dir}/docs/readme.txt: belongs to no test",
        "nothing is selected by 'add/bug'; did you mean 'add/big'?",
        "nothing is selected by 'x*y'",
    ]


# -- the rules of e3-testsuite --------------------------------------------------------------------


class Counting(YAMLTestFinder):
    def __init__(self) -> None:
        self.probed: list[str] = []

    def probe(self, testsuite: Any, dirpath: str, dirnames: Any, filenames: Any) -> Any:
        self.probed.append(os.path.relpath(dirpath, testsuite.test_dir))
        return super().probe(testsuite, dirpath, dirnames, filenames)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], ALL),
        (["tests/add"], ADD),
        (["ad"], ADD),
        (["e.*f", "^add"], [*ADD, "parser/errors/eof"]),
        (["er*"], [*ERRORS, "parser/ok"]),
        (["add/*"], ADD),
        (["big|ok"], ["add/big", "parser/ok"]),
        (["(ok"], []),
        (["tests/add/big/test.yaml"], []),
        (["add"], ADD),
    ],
)
def test_as_in_e3_what_is_no_directory_is_a_regexp(
    tree: Any, paths: list[str], names: list[str]
) -> None:
    assert tree.names(*paths, regexps_only=True) == names


def test_as_in_e3_directories_that_do_not_match_are_not_probed(tree: Any) -> None:
    finder = Counting()
    tree.finders = [finder]
    assert tree.names("big$", "tests/parser/ok", regexps_only=True) == ["add/big", "parser/ok"]
    assert sorted(finder.probed) == ["add/big", "parser/ok"]


class FilesFinder(TestFinder):
    """Takes each text file for a test."""

    test_dedicated_directory = False

    def probe(self, testsuite: Any, dirpath: str, dirnames: Any, filenames: Any) -> Any:
        return [
            ParsedTest(
                testsuite.test_name(os.path.join(dirpath, name[:-4])),
                None,
                {},
                dirpath,
                test_matcher=os.path.join(dirpath, name),
                source=os.path.join(dirpath, name),
            )
            for name in filenames
            if name.endswith(".txt")
        ]


@pytest.mark.parametrize("regexps_only", [True, False])
@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], ["bar/x", "bar/y", "foo/a", "foo/x"]),
        (["tests/bar"], ["bar/x", "bar/y"]),
        (["x.txt"], ["bar/x", "foo/x"]),
        (["foo/a.t"], ["foo/a"]),
        (["ba[r]/y"], ["bar/y"]),
    ],
)
def test_tests_that_share_a_directory_are_selected_by_their_matcher(
    suite: Any, write: Write, paths: list[str], names: list[str], regexps_only: bool
) -> None:
    write({}, *(f"tests/{path}.txt" for path in ("bar/x", "bar/y", "foo/a", "foo/x")))
    suite.finders = [FilesFinder()]
    assert suite.names(*paths, regexps_only=regexps_only) == names


def test_tests_that_share_a_directory_are_selected_by_file_name_and_glob(
    suite: Any, write: Write
) -> None:
    write({}, "tests/bar/x.txt", "tests/bar/y.txt", "tests/bar/data", "tests/foo/a.txt")
    suite.finders = [FilesFinder()]
    assert suite.names("tests/bar/x.txt") == ["bar/x"]
    assert suite.names("bar/x") == suite.names("tests/bar/x") == ["bar/x"]
    assert suite.names("tests/bar/data") == ["bar/x", "bar/y"]
    assert suite.names("tests/*/y.txt", "f*") == ["bar/y", "foo/a"]


# -- suggestions ----------------------------------------------------------------------------------


def hints(tree: Any, *paths: str, **options: Any) -> list[str]:
    """Return what is said of a command line that selects nothing."""
    selection = Selection.parse(paths, test_dir=tree.test_dir, cwd=tree.root_dir, **options)
    found = discover(tree, roots=[tree.test_dir], finders=tree.finders, selection=selection)
    assert found.tests == []
    return suggestions(selection, found)


def test_near_names_are_suggested_when_nothing_is_selected(tree: Any) -> None:
    none = "nothing is selected by"
    assert hints(tree, "tests/adx") == [f"{none} 'tests/adx'; did you mean 'add'?"]
    assert hints(tree, "parser/erors/eof") == [
        f"{none} 'parser/erors/eof'; did you mean 'parser/errors'?"
    ]
    assert hints(tree, "parser/errors/eol") == [
        f"{none} 'parser/errors/eol'; did you mean 'parser/errors/eof'?"
    ]
    assert hints(tree, "zzzzzz") == [f"{none} 'zzzzzz'"]
    assert hints(tree, "tests/add", keyword="smal1") == [f"{none} 'smal1'"]
    assert hints(tree, tags="math", keyword="ok") == ["nothing is selected by all of 'ok', 'math'"]
    excluded = ["no tests found beside those that are excluded"]
    assert hints(tree, exclude=["*"]) == hints(tree, exclude=["parser", "add/*"]) == excluded
    assert hints(tree, "tests/add/big/test.yaml", exclude=["big"]) == [
        "nothing is selected by all of 'tests/add/big/test.yaml', '--exclude big'"
    ]
    assert hints(tree, "docs") == [f"no tests found in {tree.root_dir}/docs"]
    assert hints(tree, *(f"no{i}" for i in range(9)))[-1] == "nothing is selected by 4 more"


def test_near_names_are_found_for_a_selection(tree: Any) -> None:
    selection = Selection.parse(
        ["tests/parzer", "add/bigg"], test_dir=tree.test_dir, cwd=tree.root_dir
    )
    assert near_names(selection, ALL) == ["parser", "add/big"]


def test_names_of_e3_are_suggested_whole() -> None:
    selection = Selection.parse(["parser__error__eof"], test_dir="/nowhere/tests", cwd="/nowhere")
    known = ["add__big", "parser__errors__eof"]
    assert near_names(selection, known) == ["parser__errors__eof"]


def test_a_selection_of_many_names_takes_no_time(suite: Any, write: Write) -> None:
    names = [f"g{i % 10}/t{i:04}" for i in range(1000)]
    write({}, *(f"tests/{name}/test.yaml" for name in names))
    assert suite.names(*names) == sorted(names)
    assert len(suite.names(*(f"tests/{name}/test.yaml" for name in names))) == 1000


def test_broken_tests_of_finders_are_selected_like_others(suite: Any, write: Write) -> None:
    class Broken(TestFinder):
        def probe(self, testsuite: Any, dirpath: str, dirnames: Any, filenames: Any) -> Any:
            name = testsuite.test_name(dirpath)
            return BrokenTest(name, dirpath, "message", "config") if "x" in filenames else None

    write({}, "tests/a/x", "tests/b/x")
    suite.finders = [Broken()]
    assert [it.test_name for it in suite.find("a").broken] == ["a"]
