"""What a run leaves for people and machines: the console, and the reports asked for."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from testloom import reports
from testloom.console.base import Console
from testloom.console.choose import NoConsole, choose, reporter_for
from testloom.journal.archive import pack
from testloom.model.errors import UsageError
from testloom.model.rerun import Commands
from testloom.model.summary import RunInfo, Summary
from testloom.reports import Report, ReportRequest
from testloom.suite.run_options import RunOptions


class Reporting(msgspec.Struct, frozen=True):
    """The reports of one run, known to be writable."""

    requests: tuple[ReportRequest, ...]
    formats: Mapping[str, Report]
    is_quiet: bool = False
    step_summary: str = ""
    """The file that GitHub shows as the summary of a step; empty elsewhere."""
    archive: str | None = None
    """Where to leave the run as one file."""

    @classmethod
    def of(
        cls, options: RunOptions, output_dir: str, more_formats: Mapping[str, Report]
    ) -> Reporting:
        """Return what *options* ask for.

        Raises:
            UsageError: a format is not known, or a report could not be written.
        """
        formats = reports.Formats(more_formats)
        wanted = list(options.reports)
        if options.xunit_output:
            wanted.append(f"junit={options.xunit_output}")
        requests = tuple(reports.parse_request(text, formats) for text in wanted)
        reports.check_targets(requests, output_dir, formats)
        if options.archive is not None:
            check_archive(options.archive)
        is_quiet = options.verbosity < 0 and options.reporter == "auto"
        is_github = not is_quiet and reporter_for(options.reporter, os.environ) == "github"
        step_summary = os.environ.get("GITHUB_STEP_SUMMARY", "") if is_github else ""
        return cls(requests, formats, is_quiet, step_summary, options.archive)

    def console(self, namespace: Any, commands: Commands) -> Console | NoConsole:
        """Return the listener that tells people about the run."""
        if self.is_quiet:
            namespace = argparse.Namespace(**{**vars(namespace), "reporter": "minimal"})
        return choose(namespace, sys.stdout, sys.stderr, os.environ, commands, self._annotations)

    def write(self, summary: Summary) -> tuple[str, ...]:
        """Write the reports; return a line for each that could not be written."""
        return reports.write_reports(self.requests, summary, self.formats)

    def tell_server(self, summary: Summary) -> tuple[str, ...]:
        """Give the build server its summary, if it takes one; return what went wrong with that.

        Nobody has asked for it, so that does not make the run fail.
        """
        if not self.step_summary:
            return ()
        # Only now: most runs are at home.
        from testloom.reports.github import add_step_summary  # noqa: PLC0415 - see above

        try:
            add_step_summary(summary, self.step_summary)
        except OSError as error:
            why = error.strerror or str(error)
            return (f"{self.step_summary}: the summary for GitHub cannot be written: {why}",)
        return ()

    def write_archive(self, run: RunInfo, journal: str) -> tuple[str, ...]:
        """Leave *run*, which has ended, as one file; return a line if that could not be written."""
        if self.archive is None:
            return ()
        try:
            pack(journal, self.archive, run_id=run.run_id, suite=run.suite)
        except OSError as error:
            return (f"{self.archive}: the archive is not written: {error.strerror}",)
        return ()

    def with_notes(self, summary: Summary, notes: Sequence[str]) -> Summary:
        """Return *summary* with *notes* and with where the reports are."""
        where = [
            f"{request.format} report: "
            + _near(request.target(summary.run.output_dir, self.formats))
            for request in self.requests
        ]
        if self.archive is not None:
            where.append(f"archive: {self.archive}")
        return msgspec.structs.replace(summary, notes=(*notes, *where))

    def _annotations(self, summary: Summary) -> Iterator[str]:
        """Yield what GitHub is told at the end."""
        return self.formats["github"].write(summary)


def check_archive(path: str) -> None:
    """See that an archive can be written to *path*.

    Raises:
        UsageError: it can't.
    """
    directory = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UsageError(f"{path}: the archive cannot be written here: it is a directory")
    if not os.access(directory, os.W_OK):
        why = "no permission to write" if os.path.isdir(directory) else "no such directory"
        raise UsageError(f"{path}: the archive cannot be written here: {why}; name another file")


def _near(path: str) -> str:
    """Return *path* as one would type it from here."""
    if path == reports.registry.STDOUT:
        return path
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
