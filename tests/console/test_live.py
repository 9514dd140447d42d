"""The live view, on real terminals of several sizes, as a small emulator sees it."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import queue
import re
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testloom.console.choose import choose
from testloom.console.live import LiveConsole
from testloom.console.text import cells
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

HOSTILE = "\x1b[2J\x1b]0;pwn\x07\r\x9b31m\u202e\udcff"
MARK = b"\0"
_SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+", re.DOTALL)


class Screen:
    """What a terminal that is large enough would show, and every line that was ever there."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row = self.column = 0
        self.written: set[str] = set()

    def feed(self, text: str) -> None:
        for found in _SEQUENCE.finditer(text):
            self._take(found[0], found[1], found[2])

    def _take(self, text: str, parameter: str | None, command: str | None) -> None:
        if text == "\r":
            self.column = 0
        elif text == "\n":
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append("")
        elif command == "A":
            self.row -= int(parameter or "1")
            assert self.row >= 0, "above the top"
        elif command == "K":
            assert parameter == "2"
            self.rows[self.row] = ""
        elif command is None:
            before = self.rows[self.row].ljust(self.column)[: self.column]
            self.rows[self.row] = before + text
            self.column += len(text)
            self.written.add(self.rows[self.row])
        else:
            assert command == "m", f"unexpected {text!r}"

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows).rstrip("\n")


class Stage:
    """A run that a test plays on a terminal."""

    def __init__(self, columns: int, rows: int, **environ: str) -> None:
        self._ours, theirs = os.openpty()
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")
        self.resize(columns, rows)
        console = choose(
            argparse.Namespace(reporter="auto"),
            self.stream,
            None,
            {"TERM": "xterm", **environ},
            Commands(),
        )
        assert isinstance(console, LiveConsole)
        self.console = console
        self.entries: list[ResultEntry] = []
        self.written = ""
        self.screen = Screen()
        self._read: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_all)
        self._reader.start()

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def begin(self, jobs: int = 16, tests: int = 100) -> None:
        self.run = RunInfo(
            run_id="2f1c",
            suite="calc",
            root="/",
            output_dir="",
            command=(),
            jobs=jobs,
            started_at=0.0,
            selected=tests,
        )
        self.console.run_started(self.run, tests=tests, fragments=tests, now=0.0)
        for slot in range(jobs):
            name = f"parser/expressions/a_rather_long_directory/binary_{slot:04}"
            self.console.fragment_started(f"{slot}.run", name, "run", slot, slot / 4)

    def add(self, name: str, status: TestStatus = TestStatus.PASS, **more: Any) -> None:
        entry = ResultEntry(name=name, test=name, status=status, time_s=0.5, **more)
        self.entries.append(entry)
        self.console.result_added(entry, load)

    def end(self) -> None:
        self.console.run_ended(Summary(run=self.run, entries=self.entries, load=load))

    def seen(self) -> str:
        """Return what the terminal shows now."""
        os.write(self.stream.fileno(), MARK)
        data = b""
        while not data.endswith(MARK):
            data += self._read.get(timeout=30)
        text = data.removesuffix(MARK).decode()
        self.written += text
        self.screen.feed(text)
        return self.screen.text

    def close(self) -> None:
        self.stream.close()
        self._reader.join()
        os.close(self._ours)

    def _read_all(self) -> None:
        # All the time, or the run would have to wait for its terminal.
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while data := os.read(self._ours, 1 << 16):
                self._read.put(data)


def load(entry: ResultEntry) -> ResultRecord:
    return ResultRecord(name=entry.name, status=entry.status.name, log=HOSTILE * 20)


@pytest.fixture
def stage() -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(*args: Any, **named: Any) -> Stage:
        made.append(Stage(*args, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_slots_are_in_two_columns_where_there_is_room(stage: Callable[..., Stage]) -> None:
    live = stage(100, 30)
    live.begin()
    for n in range(50):
        live.add(f"t{n}")
    live.add("s", TestStatus.SKIP)
    live.console.fragment_ended("9.run", "", 9, 9.0)
    live.console.refresh(10.0)
    assert (
        live.seen()
        == """\
run 2f1c: 100 tests, 16 slots
────────────────────────────────────────────────────────────────────────────────────────────────────
 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━──────────────────────────────────────   51%   51/100   10s
 50 passed   1 skipped   5.1 tests/s   ETA 10s
  0 parser/expre…ong_directory/binary_0000    10s    8 parser/expre…ong_directory/binary_0008   8.0s
  1 parser/expre…ong_directory/binary_0001   9.8s    9 (idle)
  2 parser/expre…ong_directory/binary_0002   9.5s   10 parser/expre…ong_directory/binary_0010   7.5s
  3 parser/expre…ong_directory/binary_0003   9.2s   11 parser/expre…ong_directory/binary_0011   7.2s
  4 parser/expre…ong_directory/binary_0004   9.0s   12 parser/expre…ong_directory/binary_0012   7.0s
  5 parser/expre…ong_directory/binary_0005   8.8s   13 parser/expre…ong_directory/binary_0013   6.8s
  6 parser/expre…ong_directory/binary_0006   8.5s   14 parser/expre…ong_directory/binary_0014   6.5s
  7 parser/expre…ong_directory/binary_0007   8.2s   15 parser/expre…ong_directory/binary_0015   6.2s"""
    )


def test_the_longest_running_are_shown_where_there_is_no_room_for_all(
    stage: Callable[..., Stage],
) -> None:
    live = stage(80, 24)
    live.begin()
    live.console.fragment_ended("3.run", "", 3, 9.0)
    live.console.fragment_started("b", "b", "build", 3, 9.0)
    live.console.refresh(40.0)
    assert (
        live.seen()
        == """\
run 2f1c: 100 tests, 16 slots
────────────────────────────────────────────────────────────────────────────────
 ──────────────────────────────────────────────────────────    0%   0/100   40s
 0 passed   ETA ?
  0 parser/expressions/a_rather_long_directory/binary_0000 run      40s SLOW
  1 parser/expressions/a_rather_long_directory/binary_0001 run      40s SLOW
  2 parser/expressions/a_rather_long_directory/binary_0002 run      40s SLOW
  4 parser/expressions/a_rather_long_directory/binary_0004 run      39s SLOW
  5 parser/expressions/a_rather_long_directory/binary_0005 run      39s SLOW
  6 parser/expressions/a_rather_long_directory/binary_0006 run      38s SLOW
  7 parser/expressions/a_rather_long_directory/binary_0007 run      38s SLOW
  8 parser/expressions/a_rather_long_directory/binary_0008 run      38s SLOW
  9 parser/expressions/a_rather_long_directory/binary_0009 run      38s SLOW
 10 parser/expressions/a_rather_long_directory/binary_0010 run      38s SLOW
 11 parser/expressions/a_rather_long_directory/binary_0011 run      37s SLOW
 12 parser/expressions/a_rather_long_directory/binary_0012 run      37s SLOW
 13 parser/expressions/a_rather_long_directory/binary_0013 run      37s SLOW
 14 parser/expressions/a_rather_long_directory/binary_0014 run      36s SLOW
   … 2 more"""
    )


def test_a_small_terminal_gets_the_bar_and_the_counts(stage: Callable[..., Stage]) -> None:
    live = stage(60, 10)
    live.begin()
    for n in range(99):
        live.add(f"t{n}", TestStatus.XFAIL if n % 2 else TestStatus.PASS)
    live.add("f", TestStatus.FAIL, reason="dependency-failed", message="no")
    live.console.refresh(10.0)
    assert (
        live.seen()
        == """\
run 2f1c: 100 tests, 16 slots
FAIL  f 0.50s no
 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  100%   100/100   10s
 50 passed   1 failed   49 xfail   10 tests/s"""
    )


@pytest.mark.parametrize("size", [(100, 30), (80, 24), (60, 10), (40, 50), (200, 5)])
def test_no_line_is_too_wide_and_the_screen_is_never_cleared(
    stage: Callable[..., Stage], size: tuple[int, int]
) -> None:
    live = stage(*size)
    live.begin()
    live.console.fragment_started("x", HOSTILE * 9, HOSTILE, 2, 0.0)
    for n in range(70):
        live.add(f"t{n}", TestStatus.ERROR if n == 7 else TestStatus.PASS)
        live.console.refresh(n / 3)
    live.add(HOSTILE, TestStatus.FAIL, message=HOSTILE * 9)
    live.console.said("said")
    live.console.stopping("enough", 3)
    live.console.refresh(200.0)
    live.end()
    text = live.seen()
    # These must be whole, however long they are.
    whole = re.compile("   rerun:| Next| {10}testloom |run 2f1c|stopping|[0-9]+ passed")
    assert {x for x in live.screen.written if cells(x) > size[0] and not whole.match(x)} == set()
    assert "\x1b[2J" not in live.written
    assert "\x1b[?" not in live.written
    assert "pwn" in text
    assert {c for c in text if not c.isprintable()} == {"\n"}


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (20, 12), (500, 3)])
def test_odd_terminals_are_survived(stage: Callable[..., Stage], size: tuple[int, int]) -> None:
    live = stage(*size)
    live.begin()
    live.add(HOSTILE, TestStatus.FAIL, message=HOSTILE * 9)
    live.console.refresh(1.0)
    live.end()
    assert live.seen().endswith("\n0 passed, 1 failed, 0 skipped")


def test_at_the_end_the_block_is_gone(stage: Callable[..., Stage]) -> None:
    live = stage(80, 30)
    live.begin(jobs=2, tests=1)
    live.add("a")
    live.console.refresh(1.0)
    assert "parser/expr" in live.seen()
    live.end()
    assert live.seen() == "\n".join(
        [
            "run 2f1c: 1 test, 2 slots",
            "═" * 80,
            " Results  run 2f1c in 0.00s",
            "1 passed, 0 failed, 0 skipped",
        ]
    )


def test_failures_stand_above_the_block_in_the_order_in_which_they_came(
    stage: Callable[..., Stage],
) -> None:
    live = stage(60, 30)
    live.begin(jobs=1, tests=9)
    live.console.refresh(0.1)
    live.add("a", TestStatus.FAIL, reason="dependency-failed")
    live.console.said("between")
    live.add("b", TestStatus.FAIL, reason="dependency-failed")
    live.console.refresh(0.3)
    assert live.seen().splitlines()[1:5] == [
        "FAIL  a 0.50s dependency-failed",
        "between",
        "FAIL  b 0.50s dependency-failed",
        "─" * 60,
    ]


def test_at_most_five_frames_a_second_are_drawn(stage: Callable[..., Stage]) -> None:
    live = stage(80, 24)
    assert live.console.refresh(0.0) is None
    live.begin()
    live.seen()
    live.written = ""
    for n in range(100):
        due = live.console.refresh(n / 100)
        assert due is not None
        assert n / 100 < due <= n / 100 + 0.2
    live.seen()
    assert live.written.count("0/100") == 4


def test_a_frame_that_is_like_the_last_is_not_drawn(stage: Callable[..., Stage]) -> None:
    live = stage(60, 10)
    live.begin()
    live.console.refresh(10.0)
    live.seen()
    live.written = ""
    live.console.refresh(10.2)
    live.seen()
    assert live.written == ""


def test_a_terminal_that_becomes_narrower_is_repaired(stage: Callable[..., Stage]) -> None:
    live = stage(100, 30)
    live.begin(jobs=2)
    live.console.refresh(1.0)
    live.seen()
    # What most terminals do: break the lines that do not fit, the cursor staying at the end.
    screen = live.screen
    screen.rows = [row[at : at + 60] for row in screen.rows for at in range(0, len(row) or 1, 60)]
    screen.row = len(screen.rows) - 1
    live.resize(60, 30)
    live.console.refresh(2.0)
    assert (
        live.seen()
        == """\
run 2f1c: 100 tests, 2 slots
────────────────────────────────────────────────────────────
 ───────────────────────────────────────    0%   0/100   2s
 0 passed   ETA ?
 0 parser/expressio…rather_long_directory/binary_0000   2.0s
 1 parser/expressio…rather_long_directory/binary_0001   1.8s"""
    )


def test_a_terminal_that_becomes_wider_is_used(stage: Callable[..., Stage]) -> None:
    live = stage(60, 30)
    live.begin(jobs=2)
    live.console.refresh(1.0)
    live.resize(120, 30)
    live.console.refresh(2.0)
    assert live.seen().splitlines()[1] == "─" * 120


def test_without_colours_there_are_none(stage: Callable[..., Stage]) -> None:
    for environ, expected in (({"NO_COLOR": "1"}, False), ({}, True)):
        live = stage(80, 24, **environ)
        live.begin()
        live.add("a", TestStatus.FAIL)
        live.end()
        live.seen()
        assert ("m" in re.findall(r"\x1b\[[0-9;]*([A-Za-z])", live.written)) is expected


def test_no_thread_is_started_and_the_terminal_keeps_its_settings(
    stage: Callable[..., Stage],
) -> None:
    live = stage(80, 24)
    before, threads = termios.tcgetattr(live.stream.fileno()), threading.active_count()
    live.begin()
    live.console.refresh(1.0)
    assert threading.active_count() == threads
    assert termios.tcgetattr(live.stream.fileno()) == before


def test_closing_leaves_the_terminal_clean_once(stage: Callable[..., Stage]) -> None:
    live = stage(80, 24)
    live.begin()
    live.add("a", TestStatus.FAIL, reason="dependency-failed")
    live.console.close()
    live.console.close()
    live.console.said("afterwards")
    assert live.seen().splitlines() == [
        "run 2f1c: 100 tests, 16 slots",
        "FAIL  a 0.50s dependency-failed",
        "afterwards",
    ]


def test_nothing_of_the_block_stays_while_the_run_is_stopped(stage: Callable[..., Stage]) -> None:
    live = stage(100, 30)
    live.begin()
    live.console.refresh(10.0)
    shown = live.seen()
    live.console.pausing()
    assert live.seen() == "run 2f1c: 100 tests, 16 slots"
    live.console.resumed(10.0)
    assert live.seen() == shown
