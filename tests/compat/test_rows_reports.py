"""Rows O to S: reports, imports, baselines and the tools."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from testloom.compat.e3_modules import display, opt_files, rewriting, skipped_tests, xunit_import
from testloom.compat.e3_modules.gaia import dump_discriminants
from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import FailureReason, Log, TestResult, TestStatus
from testloom.compat.e3_modules.utils import ColorConfig
from testloom.compat.e3_modules.xunit import dump_xunit_report, escape_text
from testloom.compat.e3_modules.xunit_attachments import AttachmentsSettings

RULE = "-" * 79


def result(name: str, status: TestStatus, msg: str = "", log: str = "") -> TestResult:
    made = TestResult(name, status=status, msg=msg)
    made.log = Log(log)
    return made


def index_of(directory: Path, *results: TestResult) -> ReportIndex:
    directory.mkdir(exist_ok=True)
    index = ReportIndex(str(directory))
    for one in results:
        index.save_and_add_result(one)
    index.write()
    return index


def test_o1_o2_o5_the_text_report(zoo: Any) -> None:
    text = (zoo.new / "report").read_text()

    assert text.startswith(
        "Summary:\n\n  Out of 35 results\n  33 executed (not skipped)\n  PASS         9\n"
        "  FAIL         10, including:\n    CRASH        1\n    TIMEOUT      1\n"
        "    DIFF         6\n  XFAIL        1\n  XPASS        1\n  VERIFY       1\n"
        "  SKIP         2\n  ERROR        11\n\n"
        "  The following results may need further investigation:\n  10 new failure(s):\n"
        "    binary: unexpected output\n"
    )
    assert (
        f"\nResult logs:\n\n{RULE}\nFAIL            binary: unexpected output\n{RULE}\n\n" in text
    )
    assert f"{RULE}\nFAIL     00m00s sub.s0: m0\n{RULE}\n\n<all logs are empty>\n\n" in text
    assert "XFAIL           xfail: unexpected output (known bug)\n" in text
    assert f"{RULE}\nXPASS" not in text


def test_o1_o2_o3_new_old_and_fixed_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fail, ok, skip = TestStatus.FAIL, TestStatus.PASS, TestStatus.SKIP
    index_of(
        tmp_path / "old",
        *(result("again", fail), result("fixed", fail), result("gone", ok)),
        *(result("xp", fail), result("broken", ok)),
    )
    index_of(
        tmp_path / "new",
        *(result("again", fail, "m"), result("fixed", ok), result("broken", fail)),
        *(result("xp", TestStatus.XPASS), result("skipped", skip)),
    )

    code = display.main(
        [str(tmp_path / "new"), "--old-result-dir", str(tmp_path / "old"), "--failure-exit-code=9"]
    )

    text = capsys.readouterr().out
    assert code == 9
    assert text.startswith(
        "Summary:\n\n  Out of 5 results\n  4 executed (not skipped)\n  1 new skipped test(s)\n"
        "  1 removed test(s)\n\n  PASS         1\n  FAIL         2\n  XPASS        1\n"
        "  SKIP         1\n\n"
        "  The following results may need further investigation:\n  1 new failure(s):\n"
        "    broken\n\n  1 already detected failure(s):\n    again: m\n\n  1 fixed failure(s):\n"
        "    fixed\n\n  1 unexpected passed test(s):\n    xp\n\nResult logs:\n\n"
    )


def test_o2_o4_nothing_to_show_and_files_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = index_of(tmp_path / "r", result("a", TestStatus.PASS), result("b", TestStatus.FAIL))

    (tmp_path / "r" / index.entries["b"].filename).write_text("!zork [")
    assert display.main([str(tmp_path / "r")]) == 0
    shown = "ERROR           b__error: YAML loading error for the test result\n"
    assert shown in capsys.readouterr().out
    index_of(tmp_path / "s", result("a", TestStatus.PASS))
    display.main([str(tmp_path / "s")])
    assert capsys.readouterr().out.endswith("Result logs:\n\nNo relevant logs to display\n")
    assert display.main([str(tmp_path / "nowhere")]) == 1


def test_p1_p2_p4_p5_xunit(zoo: Any) -> None:
    text = (zoo.root / "x.xml").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    suite = root[0]
    cases = {case.get("name"): case for case in suite}

    assert text.startswith("<?xml version='1.0' encoding='utf-8'?>\n<testsuites name=\"zoo\" time=")
    assert {k: v for k, v in suite.attrib.items() if k != "time"} == {
        "name": "zoo",
        "errors": "11",
        "failures": "10",
        "skipped": "3",
        "tests": "35",
    }
    assert list(cases) == sorted(zoo.rows)
    assert {case.get("classname") for case in suite} == {"zoo"}
    assert cases["sub.s0"].get("time") == "0.500"
    assert cases["fail__diff"][0].attrib == {"message": "unexpected output", "type": "error"}
    assert cases["skip"][0].attrib == {"message": "no linux"}
    assert cases["basic"][0].tag == "system-out"
    assert "a\\x01b\\tc" in str(cases["ctrl"][0].text)
    assert escape_text("a\tb\r\n\x01") == "a\\tb\\r\n\\x01"


def test_p3_p6_p7_p8_with_attachments_logs_go_to_files(tmp_path: Path) -> None:
    big = result("big", TestStatus.FAIL, "m", "x" * 100 + "<&\x01")
    big.test_matcher = "dir/big.txt"
    index = index_of(tmp_path / "r", big, result("small", TestStatus.PASS, log="y"))
    settings = AttachmentsSettings(str(tmp_path / "att"), str(tmp_path), 50)

    dump_xunit_report("n", index, str(tmp_path / "x.xml"), settings)

    cases = list(ET.parse(tmp_path / "x.xml").getroot()[0])
    found = re.fullmatch(r"\[\[ATTACHMENT \| (att/attachment-\w+\.txt)]]", str(cases[0][1].text))
    assert found
    assert (tmp_path / found[1]).read_text() == "x" * 100 + "<&\x01"
    assert (cases[0].get("file"), cases[0][0].tag, cases[0][0].text) == (
        "dir/big.txt",
        "failure",
        None,
    )
    assert (cases[1][0].tag, cases[1][0].text) == ("system-out", "y")


XML = """<?xml version="1.0"?>
<testsuites><testsuite name="My Suite!"><properties/>
<testcase name="ok" classname="c.D" time="1.5" file="f.py"/>
<testcase name="ok" classname="c.D"/>
<testcase name="é fail"><failure message="{long}">text</failure><system-out>said</system-out></testcase>
<testcase name="err"><error message="one&#10;two"/></testcase>
<testcase name="skip"><skipped message="m"/></testcase>
<testcase name="xf"><skipped type="pytest.xfail" message="m"/></testcase>
<testcase name="known"><failure message="m"/></testcase>
<testcase name="odd"><zork/></testcase>
<testcase name="two"><failure/><error/></testcase>
</testsuite></testsuites>""".replace("{long}", "x" * 250)


def test_q1_q2_q3_q4_q5_q6_reports_of_others_become_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.xml").write_text(XML)
    (tmp_path / "in" / "note.txt").write_text("no XML")
    (tmp_path / "xfails.yaml").write_text("My-Suite.known: reason\nMy-Suite.c.D.ok: fixed\nx: y\n")

    xunit_import.convert_main(
        [
            *(str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--gaia-output"),
            *("--xfails", str(tmp_path / "xfails.yaml")),
        ]
    )

    index = ReportIndex.read(str(tmp_path / "out"))
    verdicts = {n: (e.status.name, e.msg) for n, e in index.entries.items()}
    odd = ("ERROR", "xUnit report decoding error")
    assert verdicts == {
        "My-Suite.c.D.ok": ("XPASS", "fixed"),
        "My-Suite.c.D.ok.1": ("PASS", ""),
        "My-Suite.e-fail": ("FAIL", "x" * 200 + " [...]"),
        "My-Suite.err": ("ERROR", "one"),
        "My-Suite.skip": ("SKIP", "m"),
        "My-Suite.xf": ("XFAIL", "m"),
        "My-Suite.known": ("XFAIL", "m (reason)"),
        "My-Suite.odd": odd,
        "My-Suite.two": odd,
    }
    log = str(index.entries["My-Suite.e-fail"].load().log)
    assert log.startswith("Status message was too long:\n\nxxx")
    assert log.endswith("text\n\nsystem-out:\nsaid")
    assert index.entries["My-Suite.c.D.ok"].time == 1.5
    assert (tmp_path / "out" / "results").exists()
    assert capsys.readouterr().out == "warning: dangling XFAILs:\n  x\n"
    (tmp_path / "bad.xml").write_text("<testsuite/>")
    with pytest.raises(SystemExit) as end:
        xunit_import.convert_main([str(tmp_path / "bad.xml"), "-o", str(tmp_path / "o2")])
    assert end.value.code == 1


def test_r1_r2_gaia(zoo: Any, tmp_path: Path) -> None:
    lines = set((zoo.new / "results").read_text().splitlines())

    assert {"sub.s0:CRASH:m0", "pass__p0:OK:", "timeout:TIMEOUT:non-zero status code"} <= lines
    assert {"skip:DEAD:no linux", "xpass:UOK:known bug", "ctor:PROBLEM:ctor boom"} <= lines
    files = {
        part: (zoo.new / f"sub.s0.{part}").read_text() for part in ("result", "time", "info", "log")
    }
    assert files == {"result": "CRASH:m0\n", "time": "0.500000000", "info": "k:v", "log": ""}
    assert (zoo.new / "fail__diff.expected").read_text() == "bye\n"
    assert (zoo.new / "fail__diff.out").read_text() == "hello\n"
    assert not list(zoo.new.glob("gaia-result-*"))
    dump_discriminants("a,b", str(tmp_path))
    assert (tmp_path / "discs").read_text().split() == ["a", "b"]


class Rewriter(rewriting.BaseBaselineRewriter):
    root = Path()

    def baseline_filename(self, test_name: str) -> str:
        return str(self.root / f"{test_name}.expected")

    def postprocess_baseline(self, baseline: bytes) -> bytes:
        return baseline.replace(b"secret", b"S")


def differing(name: str, out: str) -> TestResult:
    made = result(name, TestStatus.FAIL, "unexpected output")
    made.failure_reasons = {FailureReason.DIFF}
    made.out = Log(out)
    return made


@pytest.mark.parametrize("kind", ["index", "gaia"])
def test_s1_baselines_are_rewritten_from_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    index = index_of(
        tmp_path / "r",
        *(differing("changed", "secret\n"), differing("new", "n\n"), differing("empty", "")),
        *(result("fine", TestStatus.PASS), result("err", TestStatus.ERROR, "why")),
    )
    if kind == "gaia":
        from testloom.compat.e3_modules.gaia import dump_gaia_report

        dump_gaia_report(index, index.results_dir)
        (tmp_path / "r" / "_index.json").unlink()
    for name in ("changed", "empty"):
        (tmp_path / f"{name}.expected").write_text("old")
    rewriter = Rewriter(ColorConfig(colors_enabled=False))
    rewriter.root = tmp_path

    summary = rewriter.rewrite(str(tmp_path / "r"))

    assert summary == rewriting.RewritingSummary({"err"}, {"changed"}, {"new"}, {"empty"})
    assert (tmp_path / "changed.expected").read_text() == "S\n"
    assert (tmp_path / "new.expected").read_text() == "n\n"
    assert not (tmp_path / "empty.expected").exists()
    said = capsys.readouterr().err
    assert "INFO: no baseline file for new, creating it\n" in said
    assert "INFO: baseline file found for empty, deleting it\n" in said
    assert "WARNING: cannot update baseline for err: " in said
    with pytest.raises(rewriting.RewritingError, match="could not find testsuite results in "):
        rewriter.rewrite(str(tmp_path))


def test_s2_e3_test_finds_the_suite_upwards(tmp_path: Path, zoo: Any) -> None:
    run = _python_of(zoo)
    (tmp_path / "ts" / "tests" / "a" / "b").mkdir(parents=True)
    (tmp_path / "ts" / "main.py").write_text(
        "import os, sys; print(os.getcwd(), sys.argv); import e3.testsuite; sys.exit(4)"
    )

    assert run(tmp_path, "-m", "testloom", "e3-test")[::2] == (1, "cannot find e3-test.yaml\n")
    (tmp_path / "ts" / "e3-test.yaml").write_text("main: main.py\ndefault_args: [-j2]\n")
    code, out, _ = run(tmp_path / "ts" / "tests" / "a", "-m", "testloom", "e3-test", "--zork")
    assert (code, out) == (4, f"{tmp_path / 'ts'} ['main.py', 'tests/a/', '-j2']\n")
    (tmp_path / "ts" / "e3-test.yaml").write_text("main: nope.py\n")
    assert run(tmp_path / "ts", "-m", "testloom", "e3-test")[::2] == (
        1,
        "cannot find testsuite main\n",
    )


def _python_of(_zoo: Any) -> Any:
    import subprocess
    import sys

    def run(cwd: Path, *args: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            [sys.executable, *args], cwd=cwd, capture_output=True, text=True, check=False
        )
        return ended.returncode, ended.stdout, ended.stderr

    return run


def test_s3_tests_that_are_always_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    skip, ok = TestStatus.SKIP, TestStatus.PASS
    index_of(tmp_path / "a", result("x", skip), result("y", skip))
    index_of(tmp_path / "b", result("x", ok))

    skipped_tests.main([str(tmp_path / "a"), str(tmp_path / "b")])
    assert capsys.readouterr().out == "The following tests are never executed:\n  y\n"
    skipped_tests.main([str(tmp_path / "b")])
    assert capsys.readouterr().out == "All testcases are executed at least once.\n"


def test_s4_each_script_has_a_command(tmp_path: Path, zoo: Any) -> None:
    from testloom.cli import e3

    assert set(e3._TOOLS) == {
        *("report", "convert-xunit", "find-skipped-tests", "opt-parser", "opt-check", "test"),
    }
    for tool in e3._TOOLS:
        code, out, _ = _python_of(zoo)(tmp_path, "-m", "testloom", f"e3-{tool}", "--help")
        assert (code, out[:6]) == ((1, "") if tool == "test" else (0, "usage:"))
    (tmp_path / "t.opt").write_text('linux OUT "a"\n')
    code, out, _ = _python_of(zoo)(tmp_path, "-m", "testloom", "e3-opt-parser", "t.opt", "linux")
    assert (code, out) == (0, 'out="\\"a\\""\n')


def test_colors_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index_of(tmp_path / "r", result("a", TestStatus.FAIL, "m"))

    display.main([str(tmp_path / "r"), "-C"])

    out = capsys.readouterr().out
    assert "\x1b[31mFAIL        \x1b[0m 1\n" in out
    assert (
        "\x1b[31mFAIL    \x1b[0m \x1b[2m      \x1b[22m \x1b[1ma\x1b[22m: \x1b[2mm\x1b[22m\n" in out
    )


def test_o5_formatting_functions_are_public() -> None:
    counted = display.sorted_counters({"b": 1, "a": 2, "c": 0}, str)

    assert counted == [("a", 2), ("b", 1)]
    assert opt_files.TAGS == 0
