"""Row G: files test.opt and the driver for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testloom.compat.e3_modules.opt_files import (
    BadFormattingError,
    OptFileParse,
    check_syntax_main,
    eval_main,
)


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("", "linux", ""),
        ("linux,x86 DEAD not here", "linux,x86", 'dead="not here"'),
        ("linux,x86 DEAD not here", "linux", ""),
        ("linux,!x86 DEAD", "LINUX", 'dead="true"'),
        ("ALL DEAD\nlinux", "linux", 'activating_tag="linux"'),
        ("ALL DEAD\nlinux,!x86", "linux", 'activating_tag="linux,!x86"'),
        ("ALL DEAD\nlinux", "", 'dead="true"'),
        ("ALL DEAD a\nlinux XFAIL foo", "linux", 'xfail="foo"\nactivating_tag="linux"'),
        ("ALL XFAIL a\nlinux XFAIL b\nx86 XFAIL c", "linux,x86", 'xfail="b"'),
        ("linux XFAIL b\nx86 XFAIL c\nALL XFAIL a", "linux,x86", 'xfail="b"'),
        ("ALL OUT a\nALL OUT b", "linux", 'out="b"'),
        ("linux REQUIRED why", "", 'dead="why"'),
        ("linux,x86 REQUIRED", "linux", 'dead=""'),
        ("ALL REQUIRED x", "", ""),
        ("x86 XFAIL a\nlinux REQUIRED msg", "x86", 'dead="msg"'),
        ("-- comment\nlinux DEAD foo -- bar", "linux", 'dead="foo"'),
        ("linux DEAD d1\nx86 OUT o", "linux,x86", 'out="o"'),
        ("ALL RLIMIT 20\nlinux DEAD d", "linux", 'rlimit="20"'),
        ("linux\nx86 DEAD", "linux,x86", ""),
        ("x86 DEAD\nlinux", "linux,x86", 'dead="true"'),
        ("ALL\nlinux DEAD x", "linux", ""),
        ("ALL,linux DEAD a\nx86", "linux,x86", 'dead="a"'),
        ("linux DEAD False", "linux", 'dead="False"'),
        ("linux\tXFAIL\ta  b  ", "linux", 'xfail="a  b"'),
        ("linux CMD", "linux", 'cmd=""'),
        ("!! DEAD", "", 'dead="true"'),
    ],
)
def test_g6_lines_of_opt_files(text: str, tags: str, expected: str) -> None:
    assert str(OptFileParse(tags, text.splitlines())) == expected


@pytest.mark.parametrize("line", [" linux", "linux DEAD,x", "linux=1 DEAD", "a|b DEAD"])
def test_g6_what_is_no_line(line: str) -> None:
    with pytest.raises(BadFormattingError, match="Can not parse line 2: "):
        OptFileParse([], ["-- fine", line])


def test_g9_the_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.opt", tmp_path / "bad.opt"
    good.write_text("linux OUT a\nx86 XFAIL b\n")
    bad.write_text(" bad\n")

    eval_main([str(good), "linux,x86"])
    assert capsys.readouterr().out == 'out="a"\nxfail="b"\n'
    with pytest.raises(SystemExit) as end:
        eval_main([str(bad)])
    assert (end.value.code, capsys.readouterr().out) == (1, "Can not parse line 1:  bad\n")
    with pytest.raises(SystemExit) as end:
        check_syntax_main([str(good), str(bad)])
    assert (end.value.code, capsys.readouterr().out) == (1, f"{bad}: Can not parse line 1:  bad\n")
    with pytest.raises(SystemExit) as end:
        check_syntax_main([str(good)])
    assert end.value.code == 0


SUITE = """
from e3.testsuite.driver.adacore import AdaCoreLegacyTestDriver
from e3.testsuite.testcase_finder import AdaCoreLegacyTestFinder
class D(AdaCoreLegacyTestDriver): pass
class Suite(Testsuite):
    tests_subdir = "tests"
    test_finders = [AdaCoreLegacyTestFinder(D)]
    def add_options(self, parser): parser.add_argument("--rewrite", action="store_true")
    def set_up(self):
        self.env.rewrite_baselines = self.main.args.rewrite
        self.env.discs = ["linux", "ALL"]
        self.env.test_environ = dict(os.environ, FOO="foo")
"""
TESTS = {
    "AB01-001": {
        "test.cmd": "echo hello %FOO%\r\nset X=1\necho $X\n",
        "test.out": "hello foo\n1\n",
    },
    "AB01-002": {
        "test.sh": "echo 'hello\\world.exe'\necho '  spaced'\necho\necho `pwd`/f.o\n",
        "test.out": "hello/world\nspaced\nf.o\n",
    },
    "AB01-003": {"test.py": "print('hi')"},
    "AB01-005": {"test.sh": "echo foo", "test.opt": "ALL OUT other.out"},
    "AB01-006": {},
    "AB01-007": {"test.sh": "echo foo\nsleep 50", "test.opt": "ALL RLIMIT 1"},
    "AB01-008": {"test.sh": "", "test.opt": "ALL DEAD because"},
    "AB01-009": {"test.sh": "", "test.opt": "ALL SKIP skipped"},
    "AB01-010": {"test.sh": "echo foo", "test.opt": "ALL XFAIL known"},
    "AB01-011": {"test.sh": "", "test.opt": " bad"},
    "AB01-012": {"test.sh": "echo foo; exit 4", "test.out": "foo\n"},
    "AB01-013": {"test.sh": "pwd; cat ../__test.sh", "test.out": "no"},
    "AB01-014": {"run.sh": "echo via", "test.opt": "ALL CMD run.sh", "test.out": "via\n"},
    "AB01-015": {"test.sh": "", "test.out": "old\n", "test.yaml": "control: []\n"},
}


def test_g1_g2_g3_g4_g5_g7_g8_the_driver(door: Any, tmp_path: Path) -> None:
    for name, files in TESTS.items():
        (tmp_path / "tests" / name).mkdir(parents=True)
        for file, text in files.items():
            (tmp_path / "tests" / name / file).write_text(text, newline="")

    ran = door(SUITE)

    diff = ("FAIL", "unexpected output")
    assert ran.verdicts == {
        "AB01-001": ("PASS", None),
        "AB01-002": ("PASS", None),
        "AB01-003": diff,
        "AB01-005": ("ERROR", "cannot find output file other.out"),
        "AB01-006": ("ERROR", "cannot find script file test.cmd"),
        "AB01-007": ("FAIL", "unexpected output | test timed out"),
        "AB01-008": ("SKIP", "because"),
        "AB01-009": ("XFAIL", "skipped (skipped)"),
        "AB01-010": ("XFAIL", "unexpected output (known)"),
        "AB01-011.run_wrapper": ("ERROR", ""),
        "AB01-012": ("PASS", None),
        "AB01-013": diff,
        "AB01-014": ("PASS", None),
        "AB01-015": diff,
    }
    assert ran.rows["AB01-007"]["failure_reasons"] == ["DIFF", "TIMEOUT"]
    assert ran.rows["AB01-001"]["time"] > 0
    assert "+PATH=.:$PATH; export PATH" in str(ran.result("AB01-013").diff)

    again = door(SUITE, "--rewrite", "AB01-003|AB01-013|AB01-015")

    updated = ("FAIL", "unexpected output (baseline updated)")
    assert again.verdicts == dict.fromkeys(("AB01-003", "AB01-013", "AB01-015"), updated)
    assert (tmp_path / "tests/AB01-003/test.out").read_text() == "hi\n"
    assert not (tmp_path / "tests/AB01-015/test.out").exists()
    assert door(SUITE, "AB01-003|AB01-015").code == 0


def test_g8_warnings_about_the_other_kind_of_control(door: Any, tmp_path: Path) -> None:
    (tmp_path / "tests" / "AB01-001").mkdir(parents=True)
    (tmp_path / "tests" / "AB01-001" / "test.opt").touch()
    (tmp_path / "tests" / "AB01-001" / "test.yaml").touch()
    ran = door("""
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "ok"
            test_driver_map = {"ok": Ok}
    """)

    assert (
        'WARNING  AB01-001: "test.opt" file found whereas only "control" entries are considered'
    ) in ran.err
