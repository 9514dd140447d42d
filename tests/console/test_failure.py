"""The block that shows one result."""

from __future__ import annotations

from typing import Any

import pytest

from testloom.console.failure import one_line, render_result
from testloom.console.look import ASCII, Look
from testloom.console.spans import render, text_of
from testloom.console.text import cells
from testloom.model.history import PastResult
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry

LOOK = Look(width=80, line_limit=80, commands=Commands(program="./run-tests", tool="./run-tests"))
HOSTILE = "".join(map(chr, range(0xA0))) + "\u202e\u2066\u2028\ud800\uffff]]>"
DIFF = """\
--- expected
+++ output
@@ -11,3 +11,3 @@
 error: line 3:
-unterminated string
+unterminated string literal
 1 error
"""


def entry(name: str = "parser/eof", **more: Any) -> ResultEntry:
    fields: dict[str, Any] = {"status": TestStatus.FAIL, "test": name, **more}
    return ResultEntry(name=name, **fields)


def record(**more: Any) -> ResultRecord:
    return ResultRecord(name="parser/eof", status="FAIL", **more)


def block(e: ResultEntry, r: ResultRecord | None, **more: Any) -> str:
    return render(render_result(e, r, look=LOOK, **more), color=False)


def test_a_failure_shows_what_how_where_and_what_to_do() -> None:
    e = entry(
        message="output differs: test.out +1 -1",
        reason="diff",
        time_s=1.834,
        slot=7,
        source="tests/parser/eof/test.yaml",
        line=4,
    )
    r = record(
        reason="diff",
        diff=DIFF,
        log="never shown",
        processes=[{"cmd": ["first"]}, {"cmd": ["./calc", "in put"], "status": 1}],
    )
    assert (
        block(e, r)
        == """\
── FAIL parser/eof ─────────────────────────────────────────── 1.83s · slot 7 ──
   output differs: test.out +1 -1
   $ ./calc 'in put'   exit status 1
   - expected   + output
     11   error: line 3:
   - 12   unterminated string
   + 12   unterminated string literal
     13   1 error
   test:    tests/parser/eof/test.yaml:4
   rerun:   ./run-tests parser/eof
"""
    )


def test_colours_add_nothing_but_colours() -> None:
    e, r = entry(message="m", time_s=1.0, slot=0), record(diff=DIFF)
    colored = render(render_result(e, r, look=LOOK), color=True)
    assert "\x1b[31m   - 12   \x1b[0m\x1b[31munterminated string\x1b[0m\n" in colored
    assert "\x1b[1;32;7m literal\x1b[0m" in colored
    bare = "".join(part.partition("m")[2] for part in ("m" + colored).split("\x1b["))
    assert bare == block(e, r)


def test_without_a_diff_the_end_of_the_log_is_shown() -> None:
    log = "".join(f"line {n}\r\n" for n in range(100)) + "\n"
    assert block(entry(), record(log=log)).splitlines()[1:] == [
        "   ⋮",
        *(f"   │ line {n}" for n in range(80, 100)),
        "   rerun:   ./run-tests parser/eof",
    ]


def test_a_short_log_is_shown_whole() -> None:
    assert block(entry(), record(log="\ta\n\nb")).splitlines()[1:-1] == [
        "   │         a",
        "   │",
        "   │ b",
    ]


def test_without_a_log_the_output_of_the_last_program_is_shown() -> None:
    r = record(log=" \n", processes=[{"cmd": "./a", "status": 3, "output": "no such file\n"}])
    assert block(entry(), r).splitlines()[1:-1] == [
        "   $ ./a   exit status 3",
        "   │ no such file",
    ]


def test_bytes_are_shown_escaped() -> None:
    r = record(log_bytes=b"caf\xe9\x00\n")
    assert block(entry(), r).splitlines()[1:-1] == ["   │ caf\\xe9\\x00"]
    r = record(diff_bytes=b"@@ -1 +1 @@\n-\xff\n+\xfe\n")
    assert block(entry(), r).splitlines()[1:-1] == ["   - 1   \\xff", "   + 1   \\xfe"]


def test_a_diff_that_is_no_unified_diff_is_shown_like_a_log() -> None:
    assert block(entry(), record(diff="1c1\n< a\n> b\n")).splitlines()[1:-1] == [
        "   │ 1c1",
        "   │ < a",
        "   │ > b",
    ]


@pytest.mark.parametrize(
    ("reason", "status", "end"),
    [
        ("exit:1", 1, "exit status 1"),
        ("", 0, "exit status 0"),
        ("crash:SIGSEGV", 139, "killed by SIGSEGV"),
        ("exit:139", 139, "exit status 139"),
        ("crash:SIGKILL", -9, "killed by SIGKILL"),
        ("timeout", 2, "timed out"),
        ("output-limit", 143, "stopped: too much output"),
    ],
)
def test_how_a_program_ended_is_said_in_words(reason: str, status: int, end: str) -> None:
    r = record(reason=reason, processes=[{"cmd": ["./a"], "status": status}])
    assert block(entry(), r).splitlines()[1] == f"   $ ./a   {end}"


@pytest.mark.parametrize(
    "process", [{}, {"cmd": None}, {"cmd": []}, {"cmd": "", "status": "odd"}, {"status": 1}]
)
def test_a_program_of_which_nothing_is_known_is_not_shown(process: dict[str, Any]) -> None:
    assert len(block(entry(), record(processes=[process])).splitlines()) == 2


def test_a_result_whose_record_cannot_be_read_is_shown_all_the_same() -> None:
    assert block(entry(message="no memory"), None).splitlines()[1:] == [
        "   no memory",
        "   rerun:   ./run-tests parser/eof",
    ]


def test_without_a_message_the_reason_is_shown() -> None:
    assert block(entry(reason="crash:SIGSEGV"), None).splitlines()[1] == "   crash:SIGSEGV"


@pytest.mark.parametrize("most", [8, 12, 40])
def test_a_block_has_no_more_lines_than_asked_for(most: int) -> None:
    many = "@@ -1,500 +1,500 @@\n" + "-a\n" * 500 + "+b\n" * 500
    e = entry(message="word " * 500, source="test.yaml")
    for r in (record(diff=many), record(diff="x\n" * 500), record(log="x\n" * 500)):
        r.processes = [{"cmd": ["x" * 1000], "status": 1}]
        assert len(render_result(e, r, look=LOOK, most=most)) <= most


def test_without_a_limit_everything_is_shown() -> None:
    assert len(render_result(entry(), record(log="x\n" * 500), look=LOOK, most=None)) == 502


def test_nothing_that_a_test_prints_reaches_the_terminal() -> None:
    e = entry(HOSTILE, message=HOSTILE, reason=HOSTILE, source=HOSTILE)
    for r in (
        record(log=HOSTILE, processes=[{"cmd": [HOSTILE], "status": 1}]),
        record(diff=HOSTILE, processes=[{"cmd": HOSTILE, "output": HOSTILE}]),
        record(diff=f"--- {HOSTILE}\n+++ {HOSTILE}\n@@ -1 +1 @@\n-{HOSTILE}\n+{HOSTILE}\n"),
    ):
        text = block(e, r)
        assert {c for c in text if not c.isprintable()} == {"\n"}
        text.encode()  # no surrogates are left
        assert "\\x1b" in text
        assert "\\u202e" in text


def test_lines_fit_whatever_is_in_them() -> None:
    wide = "日" * 500
    e = entry(wide, message=wide * 3, time_s=1.0, slot=3)
    for r in (record(log=wide), record(diff=f"@@ -1 +1 @@\n-{wide}\n+x{wide}\n")):
        r.processes = [{"cmd": [wide], "status": 1}]
        *lines, rerun = render_result(e, r, look=LOOK)
        assert max(cells(text_of(line)) for line in lines) <= 80
        assert text_of(rerun) == f"   rerun:   ./run-tests '{wide}'"


def test_a_huge_line_takes_no_time() -> None:
    r = record(log="\b" * 8_000_000)
    assert block(entry(), r).splitlines()[1] == "   │ " + "\\x08" * 18 + "\\x…"


@pytest.mark.parametrize("width", [1, 10, 24, 40])
def test_narrow_places_are_survived(width: int) -> None:
    look = Look(width=width, line_limit=max(width, 1), glyphs=ASCII)
    e = entry("a/rather/long/name", message="a message", time_s=1.0, slot=3)
    r = record(diff=DIFF, processes=[{"cmd": ["./a", "b" * 50], "status": 1}])
    assert render(render_result(e, r, look=look), color=True).isascii()


def test_a_result_in_one_line() -> None:
    e = entry("a\x1b", status=TestStatus.ERROR, message="it\nbroke", time_s=0.5)
    assert text_of(one_line(e, LOOK)) == "ERROR a\\x1b 0.50s it\\x0abroke"
    assert text_of(one_line(entry("a", reason="diff"), LOOK)) == "FAIL  a diff"
    assert cells(text_of(one_line(entry("a" * 99, message="m" * 99), LOOK))) == 80


@pytest.mark.parametrize(
    ("past", "told"),
    [
        (None, []),
        (TestStatus.SKIP, []),
        (TestStatus.PASS, ["   history: passed in run 1e77, commit 9ab3f1c00000"]),
        (TestStatus.ERROR, ["   history: failed in run 1e77 too, commit 9ab3f1c00000"]),
    ],
)
def test_a_failure_says_how_the_test_was_before(past: TestStatus | None, told: list[str]) -> None:
    before = past and PastResult(
        name="t", run_id="1e77", started_at=0.0, status=past, commit="9ab3f1c" + "0" * 33
    )
    lines = block(entry(), record(), past=before).splitlines()
    assert [line for line in lines if "history" in line] == told
