"""The run as plain text, for people: counts, what needs a look, and its logs.

Control characters are shown as escapes, so the file can be sent to a terminal.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.model.log import truncated
from testloom.model.names import shown, shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.details import Details, details_of

_RULE: Final = "-" * 79 + "\n"
_LOG_LINES: Final = 200
"""Lines shown of the head and of the tail of a log."""
_SECTIONS: Final = {
    TestStatus.FAIL: "Failures",
    TestStatus.ERROR: "Errors",
    TestStatus.XPASS: "Passed unexpectedly",
    TestStatus.VERIFY: "To be looked at by a person",
    TestStatus.XFAIL: "Expected failures",
    TestStatus.SKIP: "Skipped",
    TestStatus.NOT_APPLICABLE: "Not applicable",
}
"""The sections of results, in the order in which people want them."""
_WITH_LOGS: Final = (TestStatus.FAIL, TestStatus.ERROR, TestStatus.XPASS, TestStatus.VERIFY)


class TextReport:
    """The ``text`` report."""

    name: Final = "text"
    default_file: Final = "report.txt"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the report piece by piece."""
        sections: dict[TestStatus, list[ResultEntry]] = collections.defaultdict(list)
        for entry in summary.entries:
            sections[entry.status].append(entry)
        yield _headline(summary)
        yield "".join(_counts(sections))
        for status, title in _SECTIONS.items():
            if sections[status]:
                yield f"\n{title} ({len(sections[status])})\n"
                yield from map(_line, sections[status])
        if summary.notes:
            yield "\nNotes\n"
            yield from (f"  {shown_line(note)}\n" for note in summary.notes)
        for status in _WITH_LOGS:
            for entry in sections[status]:
                yield _log(entry, details_of(summary, entry))
        yield f"\n{summary.last_line}\n"


def _headline(summary: Summary) -> str:
    run = summary.run
    stopped = f"stopped: {shown_line(run.stopped)}\n" if run.stopped else ""
    return (
        f"{shown_line(run.suite)}: {len(summary.entries)} results in {run.duration_s:.1f} s"
        f" (run {shown_line(run.run_id)}, {run.jobs} at a time)\n{stopped}\n"
    )


def _counts(sections: dict[TestStatus, list[ResultEntry]]) -> Iterator[str]:
    for status in TestStatus:
        entries = sections.get(status)
        if entries:
            yield f"  {status.name:<14} {len(entries):>7}{_families(entries)}\n"


def _families(entries: Sequence[ResultEntry]) -> str:
    found = collections.Counter(family for entry in entries for family in entry.failure_reasons)
    if not found:
        return ""
    return ", of these " + ", ".join(f"{found[name]} {shown_line(name)}" for name in sorted(found))


def _line(entry: ResultEntry) -> str:
    message = entry.message or entry.reason
    return f"  {shown_line(entry.name)}{f': {shown_line(message)}' if message else ''}\n"


def _log(entry: ResultEntry, details: Details) -> str:
    where = f"{shown_line(entry.source)}:{entry.line}\n" if entry.source else ""
    body = shown(truncated(details.diff or details.log, _LOG_LINES)) or "(no log)"
    end = "" if body.endswith("\n") else "\n"
    return f"\n{_RULE}{entry.status.name} {_line(entry).lstrip()}{where}{_RULE}{body}{end}"
