"""``testloom compare A B``: what changed between two runs, as Markdown or JSON.

Exits with 1 if something fails that did not before, so that a script can act on it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from testloom.cli.stored import CommandParser, options_of
from testloom.journal.history_access import HistoryAccess
from testloom.journal.stored import stored_run
from testloom.model.compare import Change, Comparison, Noise, Seen, compare
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.model.summary import RunInfo, Summary
from testloom.processes.clock import iso
from testloom.suite.kept_history import place_of
from testloom.suite.run_options import RunOptions

NEW_FAILURES: Final = 1
_KINDS: Final = {
    "new": "New failures",
    "still": "Still failing",
    "fixed": "Fixed",
    "silenced": "Not failing any more, without a pass",
    "not_run": "Failed before, not run now",
    "slower": "Slower",
    "added": "New tests",
    "gone": "Tests that are gone",
}
_LISTED: Final = 200
"""Changes of one kind that are listed in Markdown."""
_USUAL_RUNS: Final = 20
"""Runs that tell how much the times of tests vary."""


def run(args: Sequence[str]) -> int:
    """Compare two runs; return the exit status."""
    asked = _parser().parse_args(list(args))
    options, _ = options_of(asked)
    before = stored_run(options.output_dir, asked.before)
    after = stored_run(options.output_dir, asked.after)
    times = _times(options, before.run)
    found = compare(
        before.entries,
        after.entries,
        against=before.run.run_id,
        usual=lambda name: times.get(name, ()),
        noise=Noise(ratio=asked.ratio),
    )
    if asked.json:
        sys.stdout.write(json.dumps(_as_json(before, after, found), indent=1) + "\n")
    else:
        sys.stdout.writelines(_markdown(before, after, found))
    return NEW_FAILURES if found.new else 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "compare",
        usage="testloom compare [A [B]] [--json] [--slower RATIO] [-o DIR]",
        description="Show what changed from run A to run B. Exits with 1 if there are new failures.",
        epilog="A run is latest, latest~1 for the one before it, or a part of its id.",
    )
    parser.add_argument("before", metavar="A", nargs="?", default="latest~1", help="latest~1")
    parser.add_argument("after", metavar="B", nargs="?", default="latest", help="latest")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--slower",
        dest="ratio",
        metavar="RATIO",
        type=_ratio,
        default=Noise().ratio,
        help="what takes at least RATIO times as long is slower (default: 1.5)",
    )
    parser.add_places(history=True)
    return parser


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = 0.0
    if not 1.0 <= ratio < float("inf"):
        raise UsageError(f"compare: --slower: {text!r} is no ratio; write 1.5, or more than that")
    return ratio


def _times(options: RunOptions, run: RunInfo) -> dict[str, list[float]]:
    """Return how long each name took in the runs before *run*, if the history has them."""
    place = place_of(options)
    if place is None:
        return {}
    access = HistoryAccess(place=place, suite=run.suite, output_dir=options.output_dir)
    recent = access.use(lambda store: store.recent(_USUAL_RUNS), before=run.started_at)
    if access.problem:
        print(f"testloom: {shown_line(access.problem)}", file=sys.stderr)
    return {
        name: [result.time_s for result in results if result.time_s is not None]
        for name, results in (recent or {}).items()
    }


# Markdown


def _markdown(before: Summary, after: Summary, found: Comparison) -> Iterator[str]:
    yield f"# {_code(before.run.run_id)} compared with {_code(after.run.run_id)}\n\n"
    yield "| run | started | commit | passed | failed | skipped | stopped |\n"
    yield "|---|---|---|---|---|---|---|\n"
    for summary in (before, after):
        run = summary.run
        cells = [_code(run.run_id), iso(run.started_at), _code(run.commit[:12])]
        cells += [str(n) for n in (summary.passed, summary.failed, summary.skipped)]
        yield f"| {' | '.join([*cells, _text(run.stopped)])} |\n"
    kinds = [(title, getattr(found, kind)) for kind, title in _KINDS.items()]
    if not any(changes for _, changes in kinds):
        yield "\nNothing changed.\n"
    for title, changes in kinds:
        if changes:
            yield f"\n## {title} ({len(changes)})\n\n"
            yield from map(_item, changes[:_LISTED])
            if len(changes) > _LISTED:
                yield f"- and {len(changes) - _LISTED} more\n"


def _item(change: Change) -> str:
    return f"- {_code(change.name)}: {_seen(change.before)} → {_seen(change.after)}\n"


def _seen(result: Seen | None) -> str:
    if result is None:
        return "none"
    facts = [result.reason] if result.reason else []
    facts += [f"{result.time_s:.2f} s"] if result.time_s is not None else []
    return result.status.name + (f" ({_text(', '.join(facts))})" if facts else "")


def _code(text: str) -> str:
    """Return *text* as code: fenced with more backticks than stand in a row within it."""
    text = shown_line(text).replace("|", "\\|")
    if not text:
        return ""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"{fence}{text}{fence}"


def _text(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#!])", r"\\\1", shown_line(text))


# JSON


def _as_json(before: Summary, after: Summary, found: Comparison) -> dict[str, Any]:
    kinds = {kind: [_changed(c) for c in getattr(found, kind)] for kind in _KINDS}
    return {"format": "testloom-comparison", "version": 1} | {
        "before": _run_facts(before),
        "after": _run_facts(after),
        **kinds,
    }


def _run_facts(summary: Summary) -> dict[str, Any]:
    run = summary.run
    facts = {"run_id": run.run_id, "started_at": run.started_at, "commit": run.commit}
    counts = {"passed": summary.passed, "failed": summary.failed, "skipped": summary.skipped}
    return {**facts, **counts, "stopped": run.stopped}


def _changed(change: Change) -> dict[str, Any]:
    return {
        "name": change.name,
        "before": _result_facts(change.before),
        "after": _result_facts(change.after),
    }


def _result_facts(result: Seen | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {"status": result.status.name, "reason": result.reason, "time_s": result.time_s}
