"""What a run leaves for people and machines: the console, and the reports asked for."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from testloom import reports
from testloom.console.base import Console
from testloom.console.choose import NoConsole, choose
from testloom.model.summary import Summary
from testloom.reports import Report, ReportRequest
from testloom.suite.run_options import RunOptions


@dataclasses.dataclass(frozen=True, slots=True)
class Reporting:
    """The reports of one run, known to be writable."""

    requests: tuple[ReportRequest, ...]
    formats: Mapping[str, Report]

    @classmethod
    def of(
        cls, options: RunOptions, output_dir: str, more_formats: Mapping[str, Report]
    ) -> Reporting:
        """Return what *options* ask for.

        Raises:
            UsageError: a format is not known, or a report could not be written.
        """
        formats = {**reports.BUILT_IN, **more_formats}
        wanted = list(options.reports)
        if options.xunit_output:
            wanted.append(f"junit={options.xunit_output}")
        requests = tuple(reports.parse_request(text, formats) for text in wanted)
        reports.check_targets(requests, output_dir, formats)
        return cls(requests, formats)

    def console(self, namespace: Any, program: str) -> Console | NoConsole:
        """Return the listener that tells people about the run."""
        return choose(namespace, sys.stdout, sys.stderr, os.environ, program)

    def write(self, summary: Summary) -> tuple[str, ...]:
        """Write the reports; return a line for each that could not be written."""
        return reports.write_reports(self.requests, summary, self.formats)

    def with_notes(self, summary: Summary, notes: Sequence[str]) -> Summary:
        """Return *summary* with *notes* and with where the reports are."""
        where = [
            f"{request.format} report: {request.target(summary.run.output_dir, self.formats)}"
            for request in self.requests
        ]
        return dataclasses.replace(summary, notes=(*notes, *where))
