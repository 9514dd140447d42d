"""``testloom report``: write reports of a run that is over, or was cut off, from its journal."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from testloom.journal.reader import read, summary_of
from testloom.journal.rundir import JOURNAL, LATEST, find_run
from testloom.model.errors import UsageError
from testloom.model.summary import Summary
from testloom.reports.registry import (
    BUILT_IN,
    STDOUT,
    ReportError,
    check_targets,
    parse_request,
    write_report,
)
from testloom.suite.config import find_config
from testloom.suite.options import build_parser, read_command_line

NOT_WRITTEN: Final = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"report: {message.removeprefix('argument ')}; see 'testloom report -h'")


def report(args: Sequence[str]) -> int:
    """Write the reports that *args* ask for; return the exit status."""
    asked = _parser().parse_args(list(args))
    if not asked.reports:
        raise UsageError(f"report: name a format: {', '.join(sorted(BUILT_IN))}")
    requests = [parse_request(text) for text in asked.reports]
    output_dir = os.path.abspath(_output_dir(asked))
    run_dir = find_run(output_dir, asked.run)
    summary = _summary(run_dir)
    check_targets(requests, run_dir)
    problems = 0
    for request in requests:
        try:
            path = write_report(request, summary)
        except ReportError as error:
            problems += 1
            print(f"testloom: {error}", file=sys.stderr)
        else:
            if path != STDOUT:  # what is there may be read by a program
                print(f"{request.format}: {os.path.relpath(path)}", file=sys.stderr)
    return NOT_WRITTEN if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="testloom report",
        usage="testloom report FORMAT[=PATH]... [--run RUN] [-o DIR]",
        description="Write reports of a run from what it left in its output directory.",
        epilog="RUN is latest, latest~1 for the one before it, or a part of a run's name.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "reports",
        nargs="*",
        metavar="FORMAT[=PATH]",
        help=f"{', '.join(sorted(BUILT_IN))}; PATH '-' is the standard output",
    )
    parser.add_argument("--run", metavar="RUN", default=LATEST, help="which run (default: latest)")
    parser.add_argument("-o", "--output-dir", metavar="DIR", help="the output directory of the run")
    parser.add_argument("-c", "--config", metavar="FILE", help="use this testloom.toml")
    parser.add_argument("-P", "--profile", metavar="NAME", help="use this profile's settings")
    return parser


def _output_dir(asked: argparse.Namespace) -> str:
    """Return where a run with the same options would have left its results."""
    same = [
        f"--{name.replace('_', '-')}={value}"
        for name in ("output_dir", "config", "profile")
        if (value := getattr(asked, name)) is not None
    ]
    config = None if asked.config else find_config(".")
    return read_command_line(build_parser("testloom"), same, config=config).options.output_dir


def _summary(run_dir: str) -> Summary:
    summary = summary_of(read(os.path.join(run_dir, JOURNAL)))
    for note in summary.notes:
        print(f"testloom: {note}", file=sys.stderr)
    # The directory may have been moved, or come from another machine.
    return dataclasses.replace(summary, run=dataclasses.replace(summary.run, output_dir=run_dir))
