"""The consoles for pipes, files and build servers: whole outputs of small runs."""

from __future__ import annotations

import argparse
import io
import os
import re
from collections.abc import Mapping
from typing import Any

import pytest

from testloom.console.choose import choose
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

COMMANDS = Commands(program="./run-tests", tool="./run-tests")


class Stage:
    """A run that a test plays to a console."""

    def __init__(
        self, reporter: str, environ: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        namespace = argparse.Namespace(reporter=reporter, **options)
        self.console = choose(namespace, self.out, self.err, environ or {}, COMMANDS)
        self.entries: list[ResultEntry] = []
        self.run: dict[str, Any] = {}

    def begin(self, tests: int, **run: Any) -> None:
        self.run = {
            "run_id": "2f1c",
            "suite": "calc",
            "root": "/",
            "output_dir": "",
            "command": (),
            "jobs": 2,
            "started_at": 0.0,
            "platform": "linux-x86_64",
            "selected": tests,
            **run,
        }
        self.console.run_started(RunInfo(**self.run), tests=tests, fragments=tests, now=100.0)

    def add(self, name: str, status: TestStatus = TestStatus.PASS, **more: Any) -> None:
        entry = ResultEntry(**{"name": name, "test": name, "status": status, "slot": 1, **more})
        self.entries.append(entry)
        self.console.result_added(entry, self.load)

    def load(self, entry: ResultEntry) -> ResultRecord:
        return ResultRecord(name=entry.name, status=entry.status.name, log=f"log of {entry.name}\n")

    def end(self, **more: Any) -> str:
        facts = {**self.run, "duration_s": 2.0, **more}
        self.console.run_ended(
            Summary(run=RunInfo(**facts), entries=self.entries, load=self.load, notes=["a note"])
        )
        return self.out.getvalue()


def test_lines_show_failures_at_once_and_the_last_line_alone() -> None:
    stage = Stage("lines")
    stage.begin(3)
    stage.console.fragment_started("a.run", "a", "run", 0, 100.0)
    stage.add("a", time_s=0.5)
    stage.console.fragment_ended("a.run", "a", 0, 100.5)
    stage.add("b", TestStatus.FAIL, message="broken", time_s=0.25, source="b/test.yaml")
    before_the_end = stage.out.getvalue()
    stage.console.said("somebody should know")
    stage.add("c", TestStatus.SKIP)
    output = stage.end()
    rule = "═" * 100
    assert output.startswith(before_the_end)
    assert (
        output
        == f"""\
run 2f1c: 3 tests, 2 slots, linux-x86_64
── FAIL b ──────────────────────────────────────────────────────────────────────── 0.25s · slot 1 ──
   broken
   │ log of b
   test:    b/test.yaml:1
   rerun:   ./run-tests b
somebody should know
{rule}
 Failures (1)
   FAIL   b  broken
 Slowest  a 0.50s   b 0.25s
 Notes    a note
 Results  run 2f1c in 2.00s
 Next     ./run-tests b     ./run-tests show b
1 passed, 1 failed, 1 skipped
"""
    )


def test_a_heartbeat_comes_every_ten_seconds() -> None:
    stage = Stage("lines")
    stage.begin(100)
    stage.out.truncate(0)
    stage.out.seek(0)
    stage.console.fragment_started("slow.run", "slow", "run", 0, 102.0)
    for n in range(30):
        stage.add(f"t{n}", time_s=0.5)
    assert stage.console.refresh(101.0) == 110.0
    assert stage.out.getvalue() == ""
    assert stage.console.refresh(110.0) == 120.0
    for n in range(31):
        stage.add(f"u{n}", time_s=0.5)
    stage.add("f", TestStatus.ERROR, reason="dependency-failed")
    assert stage.console.refresh(121.5) == 131.5
    assert (
        stage.out.getvalue()
        == """\
[ 30%] 30/100, 3.0/s, ETA 23s
ERROR f dependency-failed
[ 62%] 62/100, 1 error, 2.9/s, ETA 13s, longest: slow 20s
"""
    )


def test_broken_tests_are_among_those_of_the_heartbeat() -> None:
    stage = Stage("lines")
    stage.begin(1, selected=2)
    stage.add("broken", TestStatus.ERROR, reason="dependency-failed")
    stage.console.refresh(110.0)
    assert stage.out.getvalue().splitlines()[-1] == "[ 50%] 1/2, 1 error, 0.1/s"


def test_a_run_that_is_stopped_says_so_and_hides_what_did_not_run() -> None:
    stage = Stage("lines")
    stage.begin(3)
    stage.console.stopping("interrupted by SIGINT", 1)
    stage.add("a", TestStatus.ERROR, reason="interrupted")
    stage.add("b", TestStatus.ERROR, reason="run-aborted")
    assert stage.end(stopped="interrupted by SIGINT").splitlines()[1:] == [
        "stopping: interrupted by SIGINT; ending 1 running fragment",
        "═" * 100,
        " Interrupted (1)  a",
        " Notes    a note",
        " Results  run 2f1c in 2.00s",
        " Stopped  interrupted by SIGINT; 2 of 3 tests did not run",
        " Next     ./run-tests --resume",
        "0 passed, 2 failed, 0 skipped",
    ]


def test_after_fifty_failures_each_gets_a_line() -> None:
    stage = Stage("lines")
    stage.begin(53)
    for n in range(53):
        stage.add(f"t{n}", TestStatus.FAIL, message="no")
    lines = stage.out.getvalue().splitlines()
    assert sum(line.startswith("── FAIL") for line in lines) == 50
    assert lines[-5:] == [
        "   rerun:   ./run-tests t49",
        "50 failures were shown in full; here is one line for each of the others",
        "FAIL  t50 no",
        "FAIL  t51 no",
        "FAIL  t52 no",
    ]


@pytest.mark.parametrize("reporter", ["lines", "dots", "minimal"])
def test_nothing_but_text_is_written_unless_colours_are_forced(reporter: str) -> None:
    hostile = "".join(map(chr, range(0xA0))) + "\u202e\udcff"
    outputs = []
    for color in ("auto", "always"):
        stage = Stage(reporter, color=color)
        stage.begin(1, run_id=hostile, platform=hostile)
        stage.console.said(hostile)
        stage.console.fragment_started(hostile, hostile, hostile, 0, 100.0)
        stage.add(hostile, TestStatus.FAIL, message=hostile, source=hostile, time_s=1.0)
        stage.console.refresh(120.0)
        stage.console.stopping(hostile, 1)
        outputs.append(stage.end(stopped=hostile))
    plain, colored = outputs
    assert {c for c in plain if not c.isprintable()} == {"\n"}
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored).split() == plain.split()
    assert set(re.findall(r"\x1b[^m]*m", colored)) >= {"\x1b[1;31m", "\x1b[0m"}


def test_a_failure_whose_record_cannot_be_read_is_shown() -> None:
    stage = Stage("lines")
    stage.begin(1)

    def load(_: ResultEntry) -> ResultRecord:
        raise OSError("disk on fire")

    stage.console.result_added(
        ResultEntry(name="a", test="a", status=TestStatus.FAIL, message="no"), load
    )
    assert stage.out.getvalue().splitlines()[2:] == ["   no", "   rerun:   ./run-tests a"]


def test_minimal_shows_nothing_of_what_passed() -> None:
    stage = Stage("minimal")
    stage.begin(1)
    stage.add("a")
    assert stage.console.refresh(200.0) == 260.0
    assert stage.end() == "a note\n1 passed, 0 failed, 0 skipped\n"


def test_dots_show_a_sign_for_each_result() -> None:
    stage = Stage("dots")
    stage.begin(100)
    for n in range(70):
        stage.add(f"t{n}")
    assert stage.console.refresh(101.0) == 102.0
    for status in TestStatus:
        stage.add(status.name, status, message="why")
    stage.add("last")
    assert stage.end().splitlines()[1:8] == [
        "." * 70 + ".F   72%",
        "── FAIL FAIL ───────────────────────────────────────────────────────────────────────────── slot 1 ──",
        "   why",
        "   │ log of FAIL",
        "   rerun:   ./run-tests FAIL",
        "xXvsnE",
        "── ERROR ERROR ─────────────────────────────────────────────────────────────────────────── slot 1 ──",
    ]


def test_dots_end_their_line_before_the_summary() -> None:
    stage = Stage("dots")
    stage.begin(3)
    stage.add("a")
    assert stage.end().splitlines()[1:3] == [".", "═" * 100]


def test_commands_for_the_build_server_are_switched_off_around_what_tests_print() -> None:
    stage = Stage("lines", {"GITHUB_ACTIONS": "true", "CI": "true"})
    stage.begin(1)
    stage.add("a", TestStatus.FAIL, message="::error::pwn")
    first, *_, resume, last = stage.end().splitlines()
    word = first.removeprefix("::stop-commands::")
    assert (len(word), resume, last) == (32, f"::{word}::", "0 passed, 1 failed, 0 skipped")


def test_a_reader_that_went_away_is_told_of_once_on_the_other_stream() -> None:
    reader, fd = os.pipe()
    os.close(reader)
    err = io.StringIO()
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        stage = Stage("lines")
        stage.console = choose(argparse.Namespace(reporter="lines"), out, err, {}, COMMANDS)
        assert getattr(stage.console, "broken") is False  # noqa: B009 - not in the interface
        stage.begin(1)
        stage.add("a", TestStatus.FAIL)
        assert getattr(stage.console, "broken") is True  # noqa: B009 - not in the interface
        stage.end()
    assert err.getvalue() == "./run-tests: cannot write to the standard output: Broken pipe\n"


def test_attempts_are_told_in_a_line_each_and_counted_once() -> None:
    stage = Stage("lines")
    stage.begin(1)
    first = ResultEntry(
        name="a",
        test="a",
        status=TestStatus.FAIL,
        message="no answer",
        slot=1,
        time_s=0.5,
        max_attempts=3,
    )
    stage.console.attempt_added(first, stage.load)
    stage.add("a", attempt=2, max_attempts=3, earlier=(first,), time_s=0.25)
    assert stage.out.getvalue() == (
        "run 2f1c: 1 test, 2 slots, linux-x86_64\n"
        "TRY 1/3 FAIL  a 0.50s no answer\n"
        "FLAKY 2/3 a 0.25s\n"
    )
    assert stage.console.progress.numbers() == [(TestStatus.PASS, "1 passed (1 flaky)")]  # type: ignore[union-attr]  # not NoConsole
    assert "Flaky (1)  a 2/3\n" in stage.end()
