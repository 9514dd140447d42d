"""What is shown at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testloom.console.look import Look
from testloom.console.spans import render, text_of
from testloom.console.summary import render_summary
from testloom.console.text import cells
from testloom.model.compare import Change, Comparison
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

LOOK = Look(width=80, line_limit=80, commands=Commands(program="./run-tests", tool="./run-tests"))


def entry(name: str, status: TestStatus = TestStatus.PASS, **more: Any) -> ResultEntry:
    return ResultEntry(name=name, test=name, status=status, **more)


def summary(*entries: ResultEntry, run: dict[str, Any] | None = None, **more: Any) -> Summary:
    facts: dict[str, Any] = {
        "run_id": "2f1c",
        "suite": "calc",
        "root": "/",
        "output_dir": "",
        "command": (),
        "jobs": 2,
        "started_at": 0.0,
        "duration_s": 68.4,
        "selected": len(entries),
        **(run or {}),
    }
    diffs = more.pop("diffs", {})
    return Summary(
        run=RunInfo(**facts),
        entries=entries,
        load=lambda e: ResultRecord(name=e.name, status=e.status.name, diff=diffs.get(e.name)),
        **more,
    )


def shown(what: Summary, **more: Any) -> str:
    return render(render_summary(what, look=LOOK, **more)[1:], color=False)


def test_the_end_of_a_green_run_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    what = summary(entry("a"), run={"output_dir": str(tmp_path / "out" / "new")})
    assert render(render_summary(what, look=LOOK), color=False) == (
        "═" * 80 + "\n Results  out/new   run 2f1c in 1:08\n"
    )


def test_the_end_of_a_red_run_tells_what_failed_and_what_to_do() -> None:
    what = summary(
        entry("lexer/bom", time_s=0.2),
        entry("opt/dce/phi_4", TestStatus.FAIL, message="SIGSEGV at 0x7f12", time_s=44.1),
        entry("parser/eof", TestStatus.FAIL, message="output differs: +3 -1", reason="diff"),
        entry("gen/bad_yaml", TestStatus.ERROR, message="test.yaml:7: unknown key 'drivr'"),
        entry("opt/dce/phi_9", TestStatus.FAIL, message="SIGSEGV at 0x13", time_s=9.8),
        entry("old/bug", TestStatus.XFAIL),
        entry("old/fixed", TestStatus.XPASS),
        entry("look/at/this", TestStatus.VERIFY),
        entry(
            "net/retry",
            attempt=2,
            max_attempts=3,
            earlier=(entry("net/retry", TestStatus.FAIL),),
        ),
        entry("win/only", TestStatus.SKIP, message="not here"),
        notes=["html report: /srv/report.html", "a test left something behind"],
    )
    assert (
        shown(what)
        == """\
 Failures (3)
   FAIL   opt/dce/phi_4  SIGSEGV at 0x7f12  ┐ same cause
   FAIL   opt/dce/phi_9  SIGSEGV at 0x13    ┘
   FAIL   parser/eof     output differs: +3 -1
 Errors (1)
   ERROR  gen/bad_yaml  test.yaml:7: unknown key 'drivr'
 Unexpected passes (1)  old/fixed
 Expected failures (1)  old/bug
 To be looked at (1)  look/at/this
 Flaky (1)  net/retry 2/3
 Slowest  opt/dce/phi_4 44.10s   opt/dce/phi_9 9.80s   lexer/bom 0.20s
 Notes    html report: /srv/report.html
          a test left something behind
 Results  run 2f1c in 1:08
 Next     ./run-tests --lf     ./run-tests show opt/dce/phi_4
"""
    )


def test_a_run_that_was_stopped_says_why_and_what_did_not_run() -> None:
    what = summary(
        entry("a"),
        entry("b", TestStatus.SKIP, reason="interrupted", message="SIGINT"),
        entry("c", TestStatus.SKIP, reason="run-aborted", message="Testsuite aborted"),
        run={"stopped": "interrupted by SIGINT", "selected": 9},
    )
    assert (
        shown(what)
        == """\
 Interrupted (1)  b
 Results  run 2f1c in 1:08
 Stopped  interrupted by SIGINT; 7 of 9 tests did not run
 Next     ./run-tests --resume
"""
    )


def test_what_to_type_next_depends_on_what_came_of_the_run() -> None:
    bad = [entry("a", TestStatus.FAIL), entry("b/c", TestStatus.ERROR, reason="config")]
    lone = summary(bad[0], entry("x"))
    assert shown(lone).splitlines()[-1] == " Next     ./run-tests a     ./run-tests show a"
    waiting = summary(*bad, pending=2)
    assert shown(waiting).splitlines()[-2:] == [
        " Next     ./run-tests --lf     ./run-tests show a",
        "          ./run-tests baseline review (2 pending)",
    ]
    cut_off = summary(*bad, run={"stopped": "1 failure, the limit"})
    assert " Next     ./run-tests --resume     ./run-tests show a" in shown(cut_off).splitlines()


def test_on_a_build_server_nothing_is_proposed_that_needs_the_run() -> None:
    what = summary(entry("a", TestStatus.FAIL), entry("b", TestStatus.FAIL), pending=2)
    there = Commands(program="./run-tests", are_at_hand=False)
    text = render(
        render_summary(what, look=Look(width=80, commands=there)), color=False
    ).splitlines()
    assert text[-1] == " Next     ./run-tests a"
    green = render_summary(summary(entry("a")), look=Look(width=80, commands=there))
    assert " Next" not in render(green, color=False)


def test_differences_have_one_cause_if_the_same_changed() -> None:
    diffs = {
        "a": "--- x\n+++ y\n@@ -1,2 +1,2 @@\n same\n-took 3 ms\n+took 4 ms\n",
        "b": "--- x\n+++ y\n@@ -9,2 +9,2 @@\n other\n-took 7 ms\n+took 9 ms\n",
        "c": "--- x\n+++ y\n@@ -1 +1 @@\n-yes\n+no\n",
    }
    failures = [
        entry(n, TestStatus.FAIL, message="unexpected output", reason="diff") for n in "abc"
    ]
    assert shown(summary(*failures, diffs=diffs)).splitlines()[1:4] == [
        "   FAIL   a  unexpected output  ┐ same cause",
        "   FAIL   b  unexpected output  ┘",
        "   FAIL   c  unexpected output",
    ]


def test_differences_that_cannot_be_read_have_no_known_cause() -> None:
    failures = [entry(n, TestStatus.FAIL, message="unexpected output", reason="diff") for n in "ab"]

    def load(_: ResultEntry) -> ResultRecord:
        raise OSError("gone")

    what = summary(*failures)
    text = shown(Summary(run=what.run, entries=failures, load=load))
    assert "same cause" not in text


def test_many_failures_are_listed_up_to_a_limit() -> None:
    failures = [entry(f"t{n:03}", TestStatus.FAIL, message=f"m{chr(n)}") for n in range(97, 197)]
    lines = shown(summary(*failures)).splitlines()
    assert (lines[0], lines[41]) == (" Failures (100)", "   … 60 more")


def test_names_are_listed_as_far_as_there_is_room() -> None:
    passes = [entry(f"a/test/called/{n}", TestStatus.XPASS) for n in range(100)]
    assert shown(summary(*passes)).splitlines()[0] == (
        " Unexpected passes (100)  a/test/called/0  a/test/called/1  … 98 more"
    )
    long = entry("x" * 200, TestStatus.XPASS)
    line = shown(summary(long, long)).splitlines()[0]
    assert line == f" Unexpected passes (2)  {'x' * 14}…{'x' * 29}  … 1 more"


def test_as_many_slow_tests_are_named_as_asked_for() -> None:
    entries = [entry(f"t{n}", time_s=float(n)) for n in range(10)]
    assert shown(summary(*entries), durations=4).splitlines()[:5] == [
        " Slowest     9.00s  t9",
        "             8.00s  t8",
        "             7.00s  t7",
        "             6.00s  t6",
        " Results  run 2f1c in 1:08",
    ]
    assert shown(summary(*entries), durations=1).startswith(" Slowest  t9 9.00s\n")


def test_long_names_of_slow_tests_stand_below_each_other() -> None:
    entries = [entry(f"{n}" + "x" * 90, time_s=float(n)) for n in range(3)]
    lines = shown(summary(*entries)).splitlines()[:3]
    assert [(cells(line), line[10:19]) for line in lines] == [
        (80, "   2.00s "),
        (80, "   1.00s "),
        (80, "   0.00s "),
    ]


def test_lines_fit_and_nothing_reaches_the_terminal() -> None:
    hostile = "\x1b[2J\u202e日本" * 50
    entries = [
        *(entry(f"{n}{hostile}", TestStatus.FAIL, message=hostile) for n in range(3)),
        *(entry(f"{n}{hostile}", TestStatus.XPASS, time_s=1.0) for n in range(3)),
    ]
    what = summary(*entries, notes=[hostile], run={"stopped": "\x1b", "output_dir": "/\x1b"})
    lines = [text_of(line) for line in render_summary(what, look=LOOK)]
    assert all(line.isprintable() for line in lines)
    assert max(cells(line) for line in lines if "./run-tests " not in line) <= 80


def test_what_is_new_is_told_apart_from_what_failed_before() -> None:
    failed = [
        entry("new/one", TestStatus.FAIL, message="output differs: +1 -1"),
        entry("new/error", TestStatus.ERROR, message="no such driver"),
        entry("old/one", TestStatus.FAIL, message="output differs: +9 -9"),
        entry("old/two", TestStatus.ERROR),
    ]
    fixed = entry("fixed/one")
    changes = Comparison(
        against="1e77",
        new=[Change(e.name, None, e) for e in failed[:2]],
        still=[Change(e.name, e, e) for e in failed[2:]],
        fixed=[Change(fixed.name, failed[0], fixed)],
    )
    assert (
        shown(summary(*failed, fixed, entry("other"), changes=changes))
        == """\
 New failures (1)
   FAIL   new/one  output differs: +1 -1
 New errors (1)
   ERROR  new/error  no such driver
 Still failing (2)  old/one  old/two
 Fixed (1)  fixed/one
 Results  run 2f1c in 1:08
 Next     ./run-tests --lf     ./run-tests show new/one
"""
    )
