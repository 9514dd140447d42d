"""Rows B and C: which tests there are, what they are called, what test.yaml may say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

SUITE = """
class Suite(Testsuite):
    tests_subdir = "tests"
    default_driver = "ok"
    test_driver_map = {"ok": Ok}
"""


def make(root: Path, *names: str, text: str = "") -> None:
    for name in names:
        (root / "tests" / name).mkdir(parents=True, exist_ok=True)
        (root / "tests" / name / "test.yaml").write_text(text)


def test_b1_b2_b5_b7_links_are_followed_once_and_versions_control_is_not_entered(
    door: Any, tmp_path: Path
) -> None:
    make(tmp_path, "a/b-c/d", ".git/x", ".svn/x", "CVS/x")
    os.symlink(tmp_path / "tests", tmp_path / "tests" / "a" / "loop")
    (tmp_path / "elsewhere" / "t").mkdir(parents=True)
    (tmp_path / "elsewhere" / "t" / "test.yaml").touch()
    os.symlink(tmp_path / "elsewhere", tmp_path / "tests" / "link")

    assert door(SUITE).verdicts == {"a__b-c__d": ("PASS", None), "link__t": ("PASS", None)}


def test_b3_b4_b6_b11_b12_the_first_finder_with_an_answer_wins(door: Any, tmp_path: Path) -> None:
    source = """
        class Several(TestFinder):
            test_dedicated_directory = False
            def probe(self, testsuite, dirpath, dirnames, filenames):
                assert os.path.isabs(dirpath)
                if os.path.basename(dirpath) == "none": return []
                return [ParsedTest(f"m{n[0]}", Ok, {}, dirpath, n) for n in sorted(filenames)
                        if n.endswith(".txt")] or None
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "ok"
            test_driver_map = {"ok": Ok}
            test_finders = [Several(), YAMLTestFinder()]
    """
    make(tmp_path, "none", "yaml")
    (tmp_path / "tests" / "many").mkdir()
    for name in ("1.txt", "2.txt"):
        (tmp_path / "tests" / "many" / name).touch()

    assert set(door(source).verdicts) == {"m1", "m2", "yaml"}
    assert set(door(source, "2.txt").verdicts) == {"m2"}
    assert set(door(source, "many", "tests/many").verdicts) == {"m1", "m2"}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["tests/a"], {"a__x", "a__y"}),
        (["a/[xz]$"], {"a__x"}),
        (["tests/a", "x"], {"a__x", "a__y", "b__x"}),
        (["a/x", "tests/a/x", "tests/a/x/"], {"a__x"}),
        (["b/x("], set()),
        (["home|tmp|tests"], set()),
        (["other/t"], {"other__t"}),
    ],
)
def test_b8_b9_b10_b13_filters_are_directories_or_expressions(
    door: Any, tmp_path: Path, patterns: list[str], expected: set[str]
) -> None:
    """That one test is selected twice makes no ERROR of it: a defect that is not copied."""
    make(tmp_path, "a/x", "a/y", "b/x", "../other/t")

    ran = door(SUITE, *patterns, "-v")

    assert set(ran.verdicts) == expected
    assert ("Test pattern is not a valid regexp" in ran.err) == (patterns == ["b/x("])


def test_b14_the_first_of_two_tests_of_one_name_runs(door: Any, tmp_path: Path) -> None:
    """e3-testsuite makes errors of both; here the first one has its verdict."""
    make(tmp_path, "a/x", "a__x")

    assert door(SUITE).verdicts == {
        "a__x": ("PASS", None),
        "a__x__except1": ("ERROR", "duplicate test name: a__x"),
    }


def test_b14_a_list_made_by_the_suite_may_name_a_test_twice(door: Any) -> None:
    ran = door("""
        class Suite(Testsuite):
            def get_test_list(self, sublist):
                return [ParsedTest("t", Ok, {}, self.test_dir) for _ in range(2)]
    """)

    assert ran.verdicts == {
        "t": ("PASS", None),
        "t__except1": ("ERROR", "duplicate test name: t"),
    }


def test_b15_b16_b19_probing_errors_and_legacy_names(door: Any, tmp_path: Path) -> None:
    source = """
        from e3.testsuite.testcase_finder import AdaCoreLegacyTestFinder
        class Picky(TestFinder):
            def probe(self, testsuite, dirpath, dirnames, filenames):
                if "bad" in filenames: raise ProbingError("this is bad")
        class Suite(Testsuite):
            tests_subdir = "tests"
            test_finders = [Picky(), AdaCoreLegacyTestFinder(Ok)]
            def get_test_list(self, sublist):
                return [t for t in super().get_test_list(sublist) if "003" not in t.test_name]
    """
    make(tmp_path, "x/AB01-002", "AB01-003", "AB01-004-more", "ab01-005", "wrong")
    (tmp_path / "tests" / "wrong" / "bad").touch()

    assert door(source).verdicts == {
        "wrong": ("ERROR", "this is bad"),
        "AB01-002": ("PASS", None),
        "AB01-004-more": ("PASS", None),
    }


def test_b17_list_json_lists_and_runs_nothing(door: Any, tmp_path: Path) -> None:
    make(tmp_path, "a", "b")

    ran = door(SUITE, "--list-json=l.json", "a")

    assert ran.code == 0
    assert json.loads((tmp_path / "l.json").read_text()) == [
        {"test_name": "a", "test_dir": str(tmp_path / "tests" / "a"), "test_matcher": None}
    ]
    assert not (ran.new / "_index.json").exists()


def test_b18_skip_passed_looks_at_the_last_run(door: Any, tmp_path: Path) -> None:
    make(tmp_path, "a", "b")
    first = door(SUITE, "--skip-passed", "a")

    assert "WARNING  Could not load the previous testsuite report: " in first.err
    assert set(first.verdicts) == {"a"}
    assert set(door(SUITE, "--skip-passed").verdicts) == {"b"}


def test_c1_c4_test_yaml_is_e3s_dialect(door: Any, tmp_path: Path) -> None:
    source = """
        class Show(ClassicTestDriver):
            def run(self):
                ours = ("test_dir", "test_name", "test_matcher", "working_dir")
                shown = {k: v for k, v in self.test_env.items() if k not in ours}
                self.result.info["env"] = json.dumps(shown)
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "show"
            test_driver_map = {"show": Show}
    """
    make(
        tmp_path,
        "t",
        text="n: 010\nyes_: yes\nlist: [a]\nlist+: [b]\n+list: [c]\nfmt: '%(n)s %(zork)s 100%'\n"
        "case_build_os_name:\n  linux:\n    os: found\n  win.*:\n    os: no\nmore: !include more.yaml\n",
    )
    (tmp_path / "tests" / "t" / "more.yaml").write_text("x: 1\n")
    make(tmp_path, "unsafe", text="a: !!python/object/apply:os.system ['touch pwned']\n")
    make(tmp_path, "twice", text="a: 1\na: 2\n")

    ran = door(source)

    assert json.loads(ran.rows["t"]["info"]["env"]) == {
        "n": 8,
        "yes_": True,
        "list": ["b", "a", "c"],
        "fmt": "8 %(zork)s 100%",
        "os": "found",
        "more": {"x": 1},
    }
    assert ran.verdicts["unsafe"] == ("ERROR", "invalid syntax for test.yaml")
    assert ran.verdicts["twice"] == ("ERROR", "invalid syntax for test.yaml")
    assert not (tmp_path / "pwned").exists()


def test_c2_c3_what_is_wrong_with_a_test_yaml_is_told_in_e3s_words(zoo: Any) -> None:
    wrong = ("nodriver", "unknown", "badyaml", "listyaml")

    assert {name: zoo.verdicts[name] for name in wrong} == {
        "nodriver": ("ERROR", "missing test driver"),
        "unknown": ("ERROR", "cannot find driver"),
        "badyaml": ("ERROR", "invalid syntax for test.yaml"),
        "listyaml": ("ERROR", "invalid format for test.yaml"),
    }
    assert "tests/badyaml/test.yaml:2:1: " in str(zoo.result("badyaml").log)


def test_c5_c6_keys_of_the_drivers_and_those_the_suite_adds(zoo: Any) -> None:
    env = zoo.result("binary").env

    assert env["encoding"] == "binary"
    assert env["test_name"] == "binary"
    assert env["test_dir"] == str(zoo.root / "tests" / "binary")
    assert os.path.basename(env["working_dir"]) == "binary"
