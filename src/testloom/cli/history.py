"""``testloom history``: ask what runs found out, for people or (``--json``) for programs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from testloom.cli.stored import CommandParser, options_of
from testloom.journal.history import HistoryStore
from testloom.journal.history_access import HistoryAccess
from testloom.model.errors import UsageError, nearest
from testloom.model.history import (
    PastResult,
    failing_since,
    flakiness,
    last_passed,
    usual_time_s,
)
from testloom.model.names import shown_line
from testloom.model.status import TestStatus
from testloom.processes.clock import iso
from testloom.suite.kept_history import place_of

Rows = list[dict[str, Any]]
_LAST: Final = {"runs": 20, "test": 50, "flaky": 50, "slowest": 10, "failing": 50}
"""How many runs are looked at, unless told otherwise."""
_SHOWN: Final = 20
"""Tests that are listed as the slowest."""
_MARKS: Final = {
    TestStatus.PASS: "v",
    TestStatus.FAIL: "x",
    TestStatus.ERROR: "E",
    TestStatus.XFAIL: "k",
    TestStatus.XPASS: "K",
    TestStatus.SKIP: "-",
    TestStatus.NOT_APPLICABLE: "-",
    TestStatus.VERIFY: "?",
}
_MARKS_SHOWN: Final = 20
_TRACK: Final = (
    "v passed, f passed when tried again, x failed, E error, k failed as expected,"
    " K passed unexpectedly, ? to be looked at, - not run"
)


class _Question(msgspec.Struct, frozen=True):
    """What can be asked."""

    answer: Callable[[HistoryStore, argparse.Namespace], Rows]
    columns: Mapping[str, str]
    """What to show people of a row: key -> heading."""
    none: str
    """What to tell people if there is nothing to show."""


def run(args: Sequence[str]) -> int:
    """Answer what *args* ask; return the exit status."""
    asked = _parser().parse_args(list(args))
    access = _access(asked)
    if asked.what == "rebuild":
        return _rebuild(access)
    question = _question(asked)
    rows = access.use(lambda store: question.answer(store, asked), branch=asked.branch)
    if access.problem:
        raise UsageError(access.problem)
    if rows is None:
        raise UsageError(f"{access.place}: there is no history yet; run the tests first")
    if asked.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    elif rows:
        _show(rows, question.columns)
    else:
        print(question.none)
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "history",
        usage="testloom history runs|flaky|slowest|failing [option...]\n"
        "       testloom history test NAME [option...]\n"
        "       testloom history rebuild",
        description="Show what earlier runs found out. 'rebuild' makes the history again from the"
        " journals in the output directory.",
        epilog=f"In the column 'last': {_TRACK}",
    )
    parser.add_argument("what", choices=(*_LAST, "rebuild"), metavar="WHAT", help="see above")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the name of a result")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    runs = ", ".join(f"{what} {number}" for what, number in _LAST.items())
    parser.add_argument("--last", metavar="N", type=_number, help=f"of the last N runs ({runs})")
    parser.add_argument("--branch", metavar="B", default="", help="only runs of this branch")
    suite = "of this suite, if there are several (default: that of the newest run)"
    parser.add_argument("--suite", metavar="NAME", help=suite)
    parser.add_places(history=True)
    return parser


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**6:
        raise UsageError(f"history: --last: {text!r} is no number of runs; write 20")
    return int(text)


def _access(asked: argparse.Namespace) -> HistoryAccess:
    options, _ = options_of(asked)
    place = place_of(options)
    if place is None:
        raise UsageError("history: none is kept here: --no-history is in force")
    output_dir = os.path.abspath(options.output_dir)
    access = HistoryAccess(place=place, suite="", output_dir=output_dir)
    known = access.use(lambda store: store.suites()) or []
    if asked.suite is not None and known and asked.suite not in known:
        hint = nearest(asked.suite, known) or f"; known: {', '.join(known)}"
        raise UsageError(f"history: --suite: no run is of suite {asked.suite!r}{hint}")
    access.suite = asked.suite or (known[0] if known else "")
    return access


def _rebuild(access: HistoryAccess) -> int:
    made = access.rebuild()
    if access.problem:
        raise UsageError(access.problem)
    print(f"{access.place}: {made} runs of {access.output_dir} are in it")
    return 0


def _question(asked: argparse.Namespace) -> _Question:
    if (asked.what == "test") != (asked.name is not None):
        what = "name a test" if asked.name is None else f"what is {asked.name!r} for?"
        raise UsageError(f"history: {asked.what}: {what}; see 'testloom history -h'")
    asked.last = asked.last or _LAST[asked.what]
    return _QUESTIONS[asked.what]


# The questions


def _runs(store: HistoryStore, asked: argparse.Namespace) -> Rows:
    return [msgspec.to_builtins(run) for run in store.runs(asked.last)]


def _test(store: HistoryStore, asked: argparse.Namespace) -> Rows:
    return [_facts(result) for result in store.results(asked.name, asked.last)]


def _flaky(store: HistoryStore, asked: argparse.Namespace) -> Rows:
    found: Rows = []
    for name in store.unsteady(asked.last):
        results = store.results(name, asked.last)
        told = flakiness(results)
        if told is not None:
            found.append(
                {
                    "name": name,
                    "rate": round(told.rate, 3),
                    "runs": told.runs,
                    "failures": told.failures,
                    "changes": told.changes,
                    "retried": told.retried,
                    "last": _track(results),
                }
            )
    return sorted(found, key=lambda row: (-row["rate"], row["name"]))


def _slowest(store: HistoryStore, asked: argparse.Namespace) -> Rows:
    found: Rows = []
    for name in store.slowest(asked.last, 2 * _SHOWN):
        results = store.results(name, asked.last)
        times = [result.time_s for result in results if result.time_s is not None]
        usual = usual_time_s(results)
        if usual is not None:
            found.append(
                {
                    "name": name,
                    "usual_s": round(usual, 3),
                    "fastest_s": round(min(times), 3),
                    "slowest_s": round(max(times), 3),
                    "runs": len(times),
                }
            )
    return sorted(found, key=lambda row: (-row["usual_s"], row["name"]))[:_SHOWN]


def _failing(store: HistoryStore, asked: argparse.Namespace) -> Rows:
    found: Rows = []
    for name in store.ever_bad(asked.last):
        results = store.results(name, asked.last)
        first = failing_since(results)
        if first is not None:
            passed = last_passed(results)
            found.append(
                {
                    "name": name,
                    "reason": next((r.reason for r in reversed(results) if r.ran), ""),
                    "since": first.run_id,
                    "since_commit": first.commit,
                    "passed_in": passed.run_id if passed else None,
                    "passed_commit": passed.commit if passed else None,
                    "last": _track(results),
                }
            )
    return found


def _facts(result: PastResult) -> dict[str, Any]:
    return {**msgspec.to_builtins(result), "status": result.status.name}


def _track(results: Sequence[PastResult]) -> str:
    """Return one letter for each of the last *results*."""
    newest = results[-_MARKS_SHOWN:]
    return "".join("f" if result.flaky else _MARKS[result.status] for result in newest)


_QUESTIONS: Final = {
    "runs": _Question(
        _runs,
        {
            "run_id": "run",
            "started_at": "started",
            "duration_s": "took",
            "passed": "passed",
            "failed": "failed",
            "skipped": "skipped",
            "commit": "commit",
            "branch": "branch",
            "host": "host",
            "stopped": "stopped",
        },
        "no run is known",
    ),
    "test": _Question(
        _test,
        {
            "run_id": "run",
            "started_at": "started",
            "status": "status",
            "reason": "reason",
            "time_s": "took",
            "cpu_s": "cpu",
            "memory_bytes": "memory",
            "slot": "slot",
            "flaky": "flaky",
            "commit": "commit",
            "host": "host",
        },
        "no result of this name is known",
    ),
    "flaky": _Question(
        _flaky,
        {"name": "test", "rate": "rate", "failures": "failed", "runs": "of", "last": "last"},
        "no test is flaky",
    ),
    "slowest": _Question(
        _slowest,
        {
            "name": "test",
            "usual_s": "usual",
            "fastest_s": "fastest",
            "slowest_s": "slowest",
            "runs": "runs",
        },
        "no test took any time",
    ),
    "failing": _Question(
        _failing,
        {
            "name": "test",
            "reason": "reason",
            "since": "since",
            "since_commit": "commit",
            "passed_in": "passed in",
            "last": "last",
        },
        "no test fails",
    ),
}


# For people


def _show(rows: Rows, columns: Mapping[str, str]) -> None:
    """Print *rows* as a table; columns in which nothing stands are left out."""
    texts = [{key: _text(key, row[key]) for key in columns} for row in rows]
    used = [key for key in columns if any(text[key] for text in texts)]
    table = [[columns[key] for key in used], *([text[key] for key in used] for text in texts)]
    widths = [max(len(line[at]) for line in table) for at in range(len(used))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _text(key: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if key == "started_at":
        return iso(value)
    if key.endswith("_s"):
        return f"{value:.2f} s"
    if key == "memory_bytes":
        return f"{value / 2**20:.0f} MB" if value else ""
    if key in {"commit", "since_commit"}:
        return str(value)[:12]
    return shown_line(str(value))
