"""``testloom report``: write reports of a run that is over, or was cut off, from its journal."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from testloom.cli.stored import CommandParser, options_of
from testloom.cli.suites import project_suite
from testloom.journal.archive import is_archive
from testloom.journal.reader import read, summary_of
from testloom.journal.rundir import JOURNAL, find_run
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.model.summary import Summary
from testloom.reports.registry import (
    BUILT_IN,
    STDOUT,
    Formats,
    Report,
    ReportError,
    check_targets,
    parse_request,
    write_report,
)
from testloom.suite.config import Config
from testloom.suite.kept_history import with_history
from testloom.suite.plugins import project_plugins, report_formats

NOT_WRITTEN: Final = 3


def report(args: Sequence[str]) -> int:
    """Write the reports that *args* ask for; return the exit status."""
    asked = _parser().parse_args(list(args))
    options, config = options_of(asked)
    formats = _formats(asked, config)
    if not asked.reports:
        raise UsageError(f"report: name a format: {', '.join(sorted(formats))}")
    requests = [parse_request(text, formats) for text in asked.reports]
    run_dir = find_run(os.path.abspath(options.output_dir), asked.run)
    # Where an archive has been unpacked to goes away with this process.
    home = os.path.dirname(os.path.abspath(asked.run)) if is_archive(asked.run) else run_dir
    summary = with_history(_summary(run_dir, home), options)
    for note in summary.notes:
        print(f"testloom: {shown_line(note)}", file=sys.stderr)
    check_targets(requests, home, formats)
    problems = 0
    for request in requests:
        try:
            path = write_report(request, summary, formats)
        except ReportError as error:
            problems += 1
            print(f"testloom: {shown_line(str(error))}", file=sys.stderr)
        else:
            if path != STDOUT:  # what is there may be read by a program
                print(f"{request.format}: {os.path.relpath(path)}", file=sys.stderr)
    return NOT_WRITTEN if problems else 0


def _parser() -> CommandParser:
    parser = CommandParser(
        "report",
        usage="testloom report FORMAT[=PATH]... [--run RUN] [-o DIR]",
        description="Write reports of a run from what it left in its output directory.",
        epilog="RUN is latest, latest~1 for the one before it, a part of a run's name, or an"
        " archive (.zip).",
    )
    parser.add_argument(
        "reports",
        nargs="*",
        metavar="FORMAT[=PATH]",
        help=f"{', '.join(sorted(BUILT_IN))}, or one of a plugin; PATH '-' is the standard output",
    )
    parser.add_run()
    parser.add_places(history=True)
    return parser


def _summary(run_dir: str, home: str) -> Summary:
    summary = summary_of(read(os.path.join(run_dir, JOURNAL)))
    # The directory may have been moved, or come from another machine.
    return msgspec.structs.replace(
        summary, run=msgspec.structs.replace(summary.run, output_dir=home)
    )


def _formats(asked: argparse.Namespace, config: Config | None) -> Mapping[str, Report]:
    """Return the formats that there are: those of plugins, too, and of the suite if need be."""
    more = report_formats(project_plugins(config))
    formats = Formats(more)
    names = {text.partition("=")[0] for text in asked.reports}
    if names <= formats.keys() or config is None or config.suite is None:
        return formats
    # Only a suite that has such a format itself is worth to be imported for it.
    plugins = getattr(project_suite(config), "plugins", ())
    return Formats({**more, **report_formats(project_plugins(config, plugins))})
