"""The block that shows one result to people: what failed, how it ended, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from testloom.console.look import Look
from testloom.console.spans import Line, Span
from testloom.console.text import cells, cut, cut_middle, exact_duration, wrapped
from testloom.model import reason
from testloom.model.history import PastResult
from testloom.model.log import binary_repr
from testloom.model.names import shown_line
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus, signal_name
from testloom.model.summary import ResultEntry

MOST_LINES: Final = 40
"""Lines of a block, unless told otherwise."""
LOG_LINES: Final = 20
"""Lines of the end of the log that are shown where there is no diff."""

STATUS_STYLES: Final[Mapping[TestStatus, str]] = {
    TestStatus.PASS: "pass",
    TestStatus.FAIL: "fail",
    TestStatus.XFAIL: "expected",
    TestStatus.XPASS: "slow",
    TestStatus.VERIFY: "slow",
    TestStatus.SKIP: "skip",
    TestStatus.NOT_APPLICABLE: "faint",
    TestStatus.ERROR: "error",
}


def render_result(
    entry: ResultEntry,
    record: ResultRecord | None,
    *,
    look: Look,
    most: int | None = MOST_LINES,
    past: PastResult | None = None,
) -> list[Line]:
    """Return *entry* and the rest of its *record* as lines, at most *most* (None: no limit).

    The order is fixed: what it is, the message, the program that was run last and how that
    ended, the diff or else the end of the log, how it was before (*past*), and how to run the
    test again.  Without a *record* (it could not be read) what is known of the entry is shown.
    """
    top = [headline(entry, look), *_message(entry, look)]
    bottom = [*_past(past), *_labels(entry, look)]
    if record is not None:
        top += _last_program(record, look)
    body: list[Line] = []
    if record is not None:
        room = None if most is None else max(1, most - len(top) - len(bottom))
        body = _evidence(record, look, room)
    return [*top, *body, *bottom]


def one_line(entry: ResultEntry, look: Look) -> Line:
    """Return *entry* in one line."""
    status = entry.status.name
    spent = f" {exact_duration(entry.time_s)}" if entry.time_s is not None else ""
    name = cut_middle(shown_line(entry.name), look.line_limit // 2, look.glyphs.cut)
    room = max(10, look.line_limit - 7 - cells(name) - len(spent))
    message = cut(shown_line(entry.message or entry.reason), room, look.glyphs.cut)
    return [
        (f"{status:<5}", STATUS_STYLES[entry.status]),
        (" ", ""),
        (name, "name"),
        (spent, "faint"),
        (f" {message}" if message else "", ""),
    ]


def attempt_line(entry: ResultEntry, look: Look) -> Line:
    """Return the line about a result whose test is going to run again."""
    return [("TRY ", "slow"), (f"{entry.tries} ", ""), *one_line(entry, look)]


def flaky_line(entry: ResultEntry, look: Look) -> Line:
    """Return the line about a result that passed after an attempt that did not."""
    _, *rest = one_line(entry, look)
    return [("FLAKY ", "slow"), (entry.tries, ""), *rest]


def headline(entry: ResultEntry, look: Look) -> Line:
    """Return the rule that stands above a result: status, name, time and slot."""
    rule = look.glyphs.rule
    facts = []
    if entry.time_s is not None:
        facts.append(exact_duration(entry.time_s))
    if entry.slot >= 0:
        facts.append(f"slot {entry.slot}")
    if max(entry.attempt, entry.max_attempts) > 1:
        facts.append(f"try {entry.tries}")
    right = f" {look.glyphs.between} ".join(facts)
    status = entry.status.name
    room = look.width - cells(status) - cells(right) - 10
    if room < 10:
        right, room = "", look.width - cells(status) - 7
    name = cut_middle(shown_line(entry.name), max(room, 3), look.glyphs.cut)
    fill = look.width - 5 - cells(status) - cells(name) - (cells(right) + 4 if right else 0)
    line: list[Span] = [
        (rule * 2 + " ", "faint"),
        (status, STATUS_STYLES[entry.status]),
        (" ", ""),
        (name, "name"),
        (" " + rule * max(fill, 0), "faint"),
    ]
    return [*line, (f" {right} {rule * 2}", "faint")] if right else line


def _message(entry: ResultEntry, look: Look) -> list[Line]:
    text = shown_line(entry.message or entry.reason)
    if not text:
        return []
    lines = wrapped(text, max(look.line_limit - 3, 20), 3, look.glyphs.cut)
    return [[("   " + line, "")] for line in lines]


def _last_program(record: ResultRecord, look: Look) -> list[Line]:
    """Return the line of the program that was run last: its command and its end."""
    if not record.processes:
        return []
    process = record.processes[-1]
    words = process.get("cmd")
    if isinstance(words, list):
        words = shlex.join(map(str, words))
    if not words:
        return []
    end = _end_of(process, record.reason)
    room = look.line_limit - 6 - (cells(end) + 3 if end else 0)
    command = cut(shown_line(str(words)), max(room, 20), look.glyphs.cut)
    line: list[Span] = [("   $ ", "faint"), (command, "command")]
    style = "faint" if process.get("status") == 0 else "fail"
    return [[*line, ("   " + end, style)]] if end else [line]


def _end_of(process: Mapping[str, Any], why: str) -> str:
    """Say how a program ended, in a few words."""
    if why == reason.TIMEOUT:
        return "timed out"
    if why == reason.OUTPUT_LIMIT:
        return "stopped: too much output"
    status = process.get("status")
    if not isinstance(status, int):
        return ""
    # Statuses of programs that a signal ended: 128 + N as shells say it, or -N as Python does.
    for signum in (status - 128, -status):
        if signum > 0 and (status < 0 or why == reason.crash(signum)):
            return f"killed by {signal_name(signum)}"
    return f"exit status {status}"


def _evidence(record: ResultRecord, look: Look, most: int | None) -> list[Line]:
    """Return the diff if there is one, else the end of the log."""
    diff = _text(record.diff, record.diff_bytes)
    if diff:
        # Only now: where everything passes, nobody needs what makes a diff readable.
        from testloom.console.diff import diff_lines  # noqa: PLC0415 - see above

        return diff_lines(diff, look, most) or _tail(diff, look, most and most - 1)
    log = _text(record.log or None, record.log_bytes)
    if not log.strip() and record.processes:
        log = str(record.processes[-1].get("output") or "")
    return _tail(log, look, None if most is None else min(most - 1, LOG_LINES))


def _text(text: str | None, binary: bytes | None) -> str:
    return binary_repr(binary) if binary is not None else text or ""


def _tail(text: str, look: Look, most: int | None) -> list[Line]:
    """Return the last *most* lines of *text*, with a sign above them if there are more.

    They stand behind a gutter, so that nothing a test prints can pass for a line of ours.
    """
    text = text.rstrip()
    if not text:
        return []
    lines = text.split("\n") if most is None else text.rsplit("\n", most)
    hidden = most is not None and len(lines) > most
    gutter = f"   {look.glyphs.gutter} "
    shown = [
        [(gutter, "faint"), (_clipped(line, look.line_limit - 5, look), "")]
        for line in (lines[1:] if hidden else lines)
    ]
    return [[(f"   {look.glyphs.gap}", "faint")], *shown] if hidden else list(shown)


def _clipped(line: str, width: int, look: Look) -> str:
    # Before it is made safe, as a line may be megabytes long.
    return cut(shown_line(line[: 4 * width].rstrip().expandtabs()), width, look.glyphs.cut)


def _past(past: PastResult | None) -> list[Line]:
    """Say how the test was when it ran last, if that says something."""
    if past is None or not past.ran:
        return []
    verb, end = ("failed", " too") if past.status.is_bad else ("passed", "")
    commit = f", commit {past.commit[:12]}" if past.commit else ""
    text = shown_line(f"{verb} in run {past.run_id}{end}{commit}")
    return [[("   history: ", "faint"), (text, "")]]


def _labels(entry: ResultEntry, look: Look) -> list[Line]:
    lines: list[Line] = []
    if entry.source:
        place = shown_line(f"{entry.source}:{entry.line}")
        lines.append([("   test:    ", "faint"), (place, "")])
    command = shown_line(look.commands.rerun(entry))
    return [*lines, [("   rerun:   ", "faint"), (command, "command")]]
