"""``testloom show``: all that is known of one test; ``testloom replay``: a whole run once more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.cli.stored import CommandParser, named, options_of, output_dir_of, root_of
from testloom.console.choose import REPORTERS, choose, place_for
from testloom.console.failure import render_result
from testloom.console.spans import Line, render
from testloom.console.text import exact_duration
from testloom.journal.rundir import LATEST
from testloom.journal.stored import stored_run
from testloom.model import kept
from testloom.model.names import path_for, shown_line
from testloom.model.result import ResultRecord
from testloom.model.summary import ResultEntry, Summary
from testloom.suite.baselines import with_pending
from testloom.suite.commands import tool_commands

_MIB: Final = 1 << 20
_PAST: Final = 10
"""Results of earlier runs that are shown."""


def show(args: Sequence[str]) -> int:
    """Show what is known of a test; return the exit status."""
    parser = CommandParser(
        "show",
        usage="testloom show TEST [--run RUN] [-o DIR]",
        description="Show all that is known of a test: its result, difference, log, programs.",
    )
    parser.add_test("the name of a test or of a result")
    asked = parser.parse_args(list(args))
    summary = stored_run(output_dir_of(asked), asked.run)
    place = place_for(asked, sys.stdout, sys.stderr, os.environ, tool_commands())
    names = {name for entry in summary.entries for name in (entry.name, entry.test)}
    wanted = named(asked.test, names, f"run {summary.run.run_id} has no result of")
    for entry in summary.entries:
        if wanted.isdisjoint((entry.name, entry.test)):
            continue
        record = summary.load(entry) if entry.place >= 0 else None
        lines = render_result(entry, record, look=place.look, most=None)
        sys.stdout.write(render([*lines, *_more(summary, entry, record)], color=place.color))
    return 0


def replay(args: Sequence[str]) -> int:
    """Show a run as it was shown when it ran; return the exit status."""
    parser = CommandParser(
        "replay",
        usage="testloom replay [RUN] [--reporter NAME] [-o DIR]",
        description="Show a run again: each failure, and the summary.",
    )
    parser.add_argument("run", metavar="RUN", nargs="?", default=LATEST, help="default: latest")
    reporters = [name for name in REPORTERS if name not in {"auto", "live", "none"}]
    parser.add_argument("--reporter", choices=reporters, default="lines", help="how to show it")
    parser.add_places()
    asked = parser.parse_args(list(args))
    options, config = options_of(asked)
    summary = stored_run(os.path.abspath(options.output_dir), asked.run)
    summary = with_pending(summary, root_of(config))
    console = choose(asked, sys.stdout, sys.stderr, os.environ, tool_commands())
    console.run_started(summary.run, tests=summary.run.selected, fragments=0, now=0.0)
    for entry in summary.entries:
        console.result_added(entry, summary.load)
    console.run_ended(summary)
    console.close()
    return 0


def _more(summary: Summary, entry: ResultEntry, record: ResultRecord | None) -> Iterator[Line]:
    """Yield what a failure block leaves out: earlier attempts, programs, the past, files."""
    for earlier in entry.earlier:
        yield _row("attempt", f"{earlier.tries}  {earlier.status.name}  {earlier.message}")
    for process in record.processes if record is not None else ():
        facts = [f"status {process.get('status')}"]
        if isinstance(spent := process.get("wall_s"), int | float):
            facts.append(exact_duration(spent))
        if isinstance(memory := process.get("max_rss_bytes"), int) and memory:
            facts.append(f"{memory / _MIB:.0f} MiB")
        words = process.get("cmd")
        command = " ".join(map(str, words)) if isinstance(words, list) else str(words)
        yield _row("program", f"{command}   {', '.join(facts)}")
        yield _row("in", str(process.get("cwd")))
    for name, value in entry.info.items():
        yield _row(name, value)
    for past in summary.history.results(entry.name, _PAST):
        yield _row("before", f"{past.status.name}  {past.run_id}  {past.commit}".rstrip())
    folder = os.path.join(summary.run.output_dir, kept.FOLDER, path_for(entry.test))
    if os.path.exists(script := os.path.join(folder, kept.SCRIPT)):
        yield _row("repro", f"sh {os.path.relpath(script)}")


def _row(name: str, text: str) -> Line:
    return [(f"   {shown_line(name) + ':':<9}", "faint"), (shown_line(text), "")]
