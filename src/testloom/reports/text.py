"""The run as plain text, for people: counts, what is new and what needs a look, and its logs.

Control characters are shown as escapes, so the file can be sent to a terminal.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Final

from testloom.model.log import truncated
from testloom.model.names import shown, shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.details import Details, details_of
from testloom.reports.sections import sections_of

_RULE: Final = "-" * 79 + "\n"
_LOG_LINES: Final = 200
"""Lines shown of the head and of the tail of a log."""


class TextReport:
    """The ``text`` report."""

    name: Final = "text"
    default_file: Final = "report.txt"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the report piece by piece."""
        sections = sections_of(summary)
        yield _headline(summary)
        yield "".join(_counts(summary))
        for section in sections:
            yield f"\n{section.title} ({len(section.entries)})\n"
            yield from map(_line, section.entries)
        if summary.notes:
            yield "\nNotes\n"
            yield from (f"  {shown_line(note)}\n" for note in summary.notes)
        for section in sections:
            if section.with_logs:
                yield from (_log(entry, details_of(summary, entry)) for entry in section.entries)
        yield f"\n{summary.last_line}\n"


def _headline(summary: Summary) -> str:
    run = summary.run
    stopped = f"stopped: {shown_line(run.stopped)}\n" if run.stopped else ""
    return (
        f"{shown_line(run.suite)}: {len(summary.entries)} results in {run.duration_s:.1f} s"
        f" (run {shown_line(run.run_id)}, {run.jobs} at a time)\n{stopped}\n"
    )


def _counts(summary: Summary) -> Iterator[str]:
    families: dict[TestStatus, collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    for entry in summary.entries:
        if entry.failure_reasons:
            families[entry.status].update(entry.failure_reasons)
    for status, count in summary.counts.items():
        yield f"  {status.name:<14} {count:>7}{_families(families[status])}\n"


def _families(found: collections.Counter[str]) -> str:
    if not found:
        return ""
    return ", of these " + ", ".join(f"{found[name]} {shown_line(name)}" for name in sorted(found))


def _line(entry: ResultEntry) -> str:
    message = entry.message or entry.reason
    tries = f" ({entry.tries})" if entry.earlier else ""
    return f"  {shown_line(entry.name)}{tries}{f': {shown_line(message)}' if message else ''}\n"


def _log(entry: ResultEntry, details: Details) -> str:
    where = f"{shown_line(entry.source)}:{entry.line}\n" if entry.source else ""
    body = shown(truncated(details.diff or details.log, _LOG_LINES)) or "(no log)"
    end = "" if body.endswith("\n") else "\n"
    return f"\n{_RULE}{entry.status.name} {_line(entry).lstrip()}{where}{_RULE}{body}{end}"
