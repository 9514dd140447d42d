"""The end of a run for people: what failed and why, what was slow, where to look, what to do."""

from __future__ import annotations

import heapq
import os
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import msgspec

from testloom.console.failure import STATUS_STYLES
from testloom.console.look import Look
from testloom.console.proposing import next_commands
from testloom.console.slots import slots_line
from testloom.console.spans import Line, Span, text_of
from testloom.console.text import (
    cells,
    counted,
    cut,
    cut_middle,
    exact_duration,
    padded,
    wrapped,
)
from testloom.model import reason
from testloom.model.causes import cause_of
from testloom.model.compare import Comparison
from testloom.model.names import shown_line
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary

SLOWEST: Final = 3
"""Tests that are named as the slowest ones, unless told otherwise."""
_LISTED: Final = 40
"""Results of one group that are listed."""
_LABEL: Final = 10
_SAME: Final = "same cause"
_BETWEEN: Final = "     "
"""Stands between commands on one line."""


def render_summary(summary: Summary, *, look: Look, durations: int = SLOWEST) -> list[Line]:
    """Return the lines at the end of a run, without the very last (`Summary.last_line`).

    *durations* is how many of the slowest tests to name.
    """
    groups = _groups(summary)
    new = summary.changes is not None
    lines = [
        *_listing("New failures" if new else "Failures", groups.failures, summary, look),
        *_listing("New errors" if new else "Errors", groups.errors, summary, look),
        *_named("Still failing", groups.still, look),
        *_named("Fixed", groups.fixed, look),
        *_named("Interrupted", groups.interrupted, look),
        *_named("Unexpected passes", groups.unexpected, look),
        *_named("Expected failures", groups.expected, look),
        *_named("To be looked at", groups.to_verify, look),
        *_named("Flaky", groups.flaky, look),
        *_slowest(summary.entries, look, durations),
        *slots_line(summary, look, " Slots".ljust(_LABEL)),
        *_notes(summary.notes, look),
        *_results(summary),
        *stopped_line(summary),
        *_next(summary, groups, look),
    ]
    rule: Line = [(look.glyphs.double_rule * look.width, "faint")]
    return [rule, *lines]


def stopped_line(summary: Summary) -> list[Line]:
    """Say why the run ended early and what that left undone; nothing if it did not."""
    if not summary.run.stopped:
        return []
    ran = {e.test for e in summary.entries if e.reason != reason.RUN_ABORTED}
    left = max(0, summary.run.selected - len(ran))
    text = f"{shown_line(summary.run.stopped)}; "
    text += f"{left} of {counted(summary.run.selected, 'test')} did not run"
    return [[(" Stopped".ljust(_LABEL), "slow"), (text, "")]]


class _Groups(msgspec.Struct):
    """The results that are worth telling."""

    failures: list[ResultEntry] = []
    errors: list[ResultEntry] = []
    still: list[ResultEntry] = []
    """Failures and errors that were there before, where that is known."""
    fixed: list[ResultEntry] = []
    interrupted: list[ResultEntry] = []
    unexpected: list[ResultEntry] = []
    expected: list[ResultEntry] = []
    to_verify: list[ResultEntry] = []
    flaky: list[ResultEntry] = []


def _groups(summary: Summary) -> _Groups:
    groups = _Groups()
    by_status = {
        TestStatus.FAIL: groups.failures,
        TestStatus.ERROR: groups.errors,
        TestStatus.XPASS: groups.unexpected,
        TestStatus.XFAIL: groups.expected,
        TestStatus.VERIFY: groups.to_verify,
    }
    changes = summary.changes or Comparison()
    still = {change.name for change in changes.still}
    fixed = {change.name for change in changes.fixed}
    for entry in summary.entries:
        if entry.is_flaky:
            groups.flaky.append(entry)
        if entry.name in fixed:
            groups.fixed.append(entry)
        if entry.status is TestStatus.PASS or entry.reason == reason.RUN_ABORTED:
            continue
        if entry.reason == reason.INTERRUPTED:
            groups.interrupted.append(entry)
        elif entry.name in still:
            groups.still.append(entry)
        elif entry.status in by_status:
            by_status[entry.status].append(entry)
    return groups


def _listing(
    title: str, entries: Sequence[ResultEntry], summary: Summary, look: Look
) -> list[Line]:
    """List results with their messages, those of one cause together."""
    if not entries:
        return []
    lines: list[Line] = [[(f" {title} ({len(entries)})", "name")]]
    chosen = _by_cause(entries[:_LISTED], summary)
    names = [shown_line(entry.name) for group in chosen for entry in group]
    width = min(max(map(cells, names)), max(20, (look.width - 10) * 2 // 5))
    for group in chosen:
        room = look.width - width - 12
        if len(group) > 1:
            messages = [cells(shown_line(e.message or e.reason)) for e in group]
            room = min(room - len(_SAME) - 4, max(messages))
        for at, entry in enumerate(group):
            lines.append(_listed(entry, width, room, _bracket(at, len(group), look), look))
    if len(entries) > _LISTED:
        lines.append([(f"   {look.glyphs.cut} {len(entries) - _LISTED} more", "faint")])
    return lines


def _by_cause(entries: Iterable[ResultEntry], summary: Summary) -> list[list[ResultEntry]]:
    """Put results of one cause together, at the place of the first one."""
    groups: dict[Hashable, list[ResultEntry]] = {}
    for at, entry in enumerate(entries):
        cause = cause_of(entry, _record(entry, summary))
        groups.setdefault(at if cause is None else cause, []).append(entry)
    return list(groups.values())


def _record(entry: ResultEntry, summary: Summary) -> ResultRecord | None:
    try:
        return summary.load(entry)
    except Exception:  # noqa: BLE001 - a record that cannot be read has no known cause
        return None


def _bracket(at: int, size: int, look: Look) -> str:
    if size < 2:
        return ""
    if at == 0:
        return f"{look.glyphs.first} {_SAME}"
    return look.glyphs.last if at == size - 1 else look.glyphs.middle


def _listed(entry: ResultEntry, width: int, room: int, bracket: str, look: Look) -> Line:
    name = cut_middle(shown_line(entry.name), width, look.glyphs.cut)
    message = cut(shown_line(entry.message or entry.reason), max(0, room), look.glyphs.cut)
    line: list[Span] = [
        ("   ", ""),
        (f"{entry.status.name:<5}", STATUS_STYLES[entry.status]),
        ("  ", ""),
        (padded(name, width), "name"),
        ("  " + (padded(message, room) if bracket else message), ""),
    ]
    return [*line, ("  " + bracket, "faint")] if bracket else line


def _named(title: str, entries: Sequence[ResultEntry], look: Look) -> list[Line]:
    """List results by name only, as many as fit on a line."""
    if not entries:
        return []
    head = f" {title} ({len(entries)})  "
    names = []
    for entry in entries[:_LISTED]:
        tries = entry.tries if title == "Flaky" else ""
        names.append(shown_line(f"{entry.name} {tries}".rstrip()))
    return [[(head, "name"), *_row(names, len(entries), look.width - cells(head), look)]]


def _row(names: Sequence[str], total: int, width: int, look: Look) -> list[Span]:
    """Return as many *names* as fit in *width* columns, and how many of *total* are not there."""
    texts: list[str] = []
    used = 0
    for at, name in enumerate(names):
        used += cells(name) + (2 if at else 0)
        reserve = 0 if at + 1 == total else 12
        if used > width - reserve:
            break
        texts.append(name)
    if not texts and names:
        texts = [cut_middle(names[0], max(10, width - 12), look.glyphs.cut)]
    hidden = total - len(texts)
    more = f"  {look.glyphs.cut} {hidden} more" if hidden else ""
    return [("  ".join(texts), ""), (more, "faint")]


def _slowest(entries: Iterable[ResultEntry], look: Look, most: int) -> list[Line]:
    """Show the slowest tests: in one line if there are few."""
    longest: dict[str, float] = {}
    for entry in entries:
        if entry.time_s is not None:
            longest[entry.test] = max(entry.time_s, longest.get(entry.test, 0.0))
    if most <= 0 or len(longest) < 2:
        return []
    slow = heapq.nlargest(most, longest.items(), key=lambda item: item[1])
    label = (" Slowest".ljust(_LABEL), "name")
    row: list[Span] = [label]
    for at, (name, spent) in enumerate(slow):
        gap = "   " if at else ""
        row += [(gap + shown_line(name), ""), (f" {exact_duration(spent)}", "faint")]
    if len(slow) <= 3 and cells(text_of(row)) <= look.width:
        return [row]
    lines: list[Line] = []
    for at, (name, spent) in enumerate(slow):
        text = cut_middle(shown_line(name), look.width - _LABEL - 10, look.glyphs.cut)
        first = (" " * _LABEL, "") if at else label
        lines.append([first, (f"{exact_duration(spent):>8}  ", "faint"), (text, "")])
    return lines


def _notes(notes: Sequence[str], look: Look) -> list[Line]:
    lines: list[Line] = []
    for note in notes:
        for text in wrapped(shown_line(note), look.line_limit - _LABEL, 5, look.glyphs.cut):
            label = " Notes" if not lines else ""
            lines.append([(label.ljust(_LABEL), "name"), (text, "")])
    return lines


def _results(summary: Summary) -> list[Line]:
    """Say where everything is kept, and how long the run took."""
    run = summary.run
    took = shown_line(f"run {run.run_id} in {exact_duration(run.duration_s)}")
    where: list[Span] = [(_near(run.output_dir) + "   ", "")] if run.output_dir else []
    return [[(" Results".ljust(_LABEL), "name"), *where, (took, "faint")]]


def _near(path: str) -> str:
    """Return *path* as people would write it here."""
    try:
        relative = os.path.relpath(path)
    except OSError:  # the directory that we are in is gone
        return shown_line(path)
    return shown_line(path if relative.startswith("..") else relative)


def _next(summary: Summary, groups: _Groups, look: Look) -> list[Line]:
    """Propose commands: as many on a line as fit, none of them broken or cut."""
    failures = [*groups.failures, *groups.errors, *groups.still]
    lines: list[list[Span]] = []
    used = 0
    for command, remark in next_commands(summary, failures, look.commands):
        text, more = shown_line(command), f" {remark}" if remark else ""
        width = cells(text) + cells(more)
        if not lines or used + len(_BETWEEN) + width > look.width:
            lines.append([((" " * _LABEL if lines else " Next".ljust(_LABEL)), "name")])
            used = _LABEL
        else:
            lines[-1].append((_BETWEEN, ""))
            used += len(_BETWEEN)
        lines[-1] += [(text, "command"), (more, "faint")]
        used += width
    return list(lines)
