"""JUnit XML that Jenkins, GitLab, GitHub's actions, Buildkite, Datadog and Azure read well.

A result is one ``testcase``.  Its ``classname`` is the directory of the test in dots, its
``name`` the rest of the result's name.  Its file is relative to the top of the repository, where
there is one, so that readers can link to it.

FAIL and VERIFY are failures, ERROR is an error, SKIP, NOT_APPLICABLE and XFAIL are skipped; PASS
and XPASS are plain.  The body of a failure is the diff, or the end of the log.  Earlier attempts
at a test are ``flakyFailure`` if it passed in the end, else ``rerunFailure``.

There is no standard.  Every reader takes ``junit``: it is valid by Jenkins' ``junit-10.xsd``,
whose xUnit plugin refuses everything else.  ``junit-full`` has attributes and properties of cases
besides, which some readers look for; ``junit`` tells the same in ``group`` and in the log.
"""

from __future__ import annotations

import collections
import functools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.model.names import path_for, shown, shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes.clock import iso
from testloom.reports.beside import NOWHERE, FilesBeside
from testloom.reports.details import Details, details_of, excerpt, last_lines, needs_details
from testloom.reports.junit_names import Identities
from testloom.reports.sources import Sources
from testloom.reports.xml import attribute, attributes, text

_SKIP_TYPES: Final = {
    TestStatus.SKIP: "skip",
    TestStatus.NOT_APPLICABLE: "not-applicable",
    TestStatus.XFAIL: "xfail",
}
_ELEMENTS: Final = {
    TestStatus.FAIL: "failure",
    TestStatus.VERIFY: "failure",
    TestStatus.ERROR: "error",
    **dict.fromkeys(_SKIP_TYPES, "skipped"),
}
_MARK: Final = re.compile(r"\[\[(?=(?:ATTACHMENT|PROPERTY)\|)", re.IGNORECASE)
"""What readers obey in a log: a test must not be able to name files of the machine."""


class JUnitReport:
    """The ``junit`` report.

    Args:
        all_logs: add the logs of tests that passed.
        full: use what Jenkins' ``junit-10.xsd`` does not have: ``junit-full``.
    """

    main_file: Final = ""

    def __init__(self, *, all_logs: bool = False, full: bool = False) -> None:
        self._all_logs = all_logs
        self._full = full
        self.name = "junit-full" if full else "junit"
        self.default_file = f"{self.name}.xml"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        return self.write_with_files(summary, NOWHERE)

    def write_with_files(self, summary: Summary, files: FilesBeside) -> Iterator[str]:
        """Yield the document piece by piece; long logs go into *files*, too."""
        run = summary.run
        cases = _Cases(summary, files, full=self._full)
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        yield f"<testsuites{_totals(summary, full=self._full)}>\n"
        yield f" <testsuite{_totals(summary, full=True)}{attributes(hostname=run.host or None)}>\n"
        yield _run_properties(run)
        for entry in summary.entries:
            yield cases.case(entry, with_logs=self._all_logs or needs_details(entry))
        yield " </testsuite>\n</testsuites>\n"


class _Cases:
    """Makes the ``testcase`` elements of one document."""

    def __init__(self, summary: Summary, files: FilesBeside, *, full: bool) -> None:
        self._summary = summary
        self._started_at = summary.run.started_at
        self._files = files
        self._full = full
        self._identities = Identities(summary.run.suite)
        self._sources = Sources(summary.run.root)

    def case(self, entry: ResultEntry, *, with_logs: bool) -> str:
        """Return the element of *entry*."""
        classname, name = self._identities.of(entry)
        details = details_of(self._summary, entry, None) if with_logs else Details()
        marks = self._attached(entry, details)
        properties = ""
        if self._full:
            more = f"{self._place(entry)}{_time(entry.time_s)}{self._timestamp(entry)}"
            properties = _property_list("   ", _facts(entry, driver="dd_tags[driver]"))
        else:
            more = f"{_time(entry.time_s)}{_group(entry)}"
            if with_logs:
                marks = [*self._told_in_marks(entry), *marks]
        content = "".join(
            (
                properties,
                _verdict(entry, details),
                *(self._attempt(entry, earlier) for earlier in entry.earlier),
                _output(details.log, marks),
            )
        )
        return (
            f'  <testcase classname="{attribute(classname)}" name="{attribute(name)}"'
            f"{more}>\n{content}  </testcase>\n"
        )

    def _place(self, entry: ResultEntry) -> str:
        source = self._sources.of(entry)
        return f' file="{attribute(source)}" line="{entry.line}"' if source else ""

    def _timestamp(self, entry: ResultEntry) -> str:
        return f' timestamp="{_instant(int(self._started_at + entry.started_s))}"'

    def _told_in_marks(self, entry: ResultEntry) -> Iterator[str]:
        """Yield what stands in attributes and properties of the case where there are such."""
        source = self._sources.of(entry)
        place = [("file", source), ("line", str(entry.line))] if source else []
        for name, value in (*place, *_facts(entry)):
            # No value ends its mark or begins another one.
            pair = shown_line(f"{name}={value}").replace("[", "(").replace("]", ")")
            yield f"[[PROPERTY|{pair}]]"

    def _attempt(self, entry: ResultEntry, earlier: ResultEntry) -> str:
        """Return the element of an *earlier* attempt at the test of *entry*."""
        element = "Error" if earlier.status is TestStatus.ERROR else "Failure"
        element = f"{'flaky' if entry.is_flaky else 'rerun'}{element}"
        details = details_of(self._summary, earlier)
        what = attributes(type=_kind(earlier), message=_message(earlier))
        return (
            f"   <{element}{what}>"
            f"<stackTrace>{_reason_body(earlier, details)}</stackTrace>"
            f"<system-out>{_body(details.log)}</system-out></{element}>\n"
        )

    def _attached(self, entry: ResultEntry, details: Details) -> list[str]:
        """Put what is too long for the document into files; return marks that name them."""
        paths = []
        for part in ("log", "diff", "expected", "out"):
            whole = getattr(details, part)
            if excerpt(whole) is not whole:
                path = self._files.add(f"{path_for(entry.name)}.{part}", whole)
                paths.append(self._sources.shortened(path))
        return [f"[[ATTACHMENT|{path}]]" for path in paths if path]


def _facts(entry: ResultEntry, *, driver: str = "driver") -> list[tuple[str, str]]:
    """Return what else is known of *entry* as properties, that of its driver called *driver*."""
    pairs = [("tag", tag) for tag in entry.tags]
    if entry.slot >= 0:
        pairs.append(("slot", str(entry.slot)))
    if entry.driver:
        pairs.append((driver, entry.driver))
    if entry.reason:
        pairs.append(("reason", entry.reason))
    if entry.earlier:
        pairs.append(("tries", entry.tries))
    return [*pairs, *entry.info.items()]


def _group(entry: ResultEntry) -> str:
    return attributes(group=" ".join(entry.tags) if entry.tags else None)


def _totals(summary: Summary, *, full: bool) -> str:
    elements = collections.Counter(_ELEMENTS.get(entry.status) for entry in summary.entries)
    run = summary.run
    return (
        attributes(
            name=run.suite,
            tests=len(summary.entries),
            failures=elements["failure"],
            errors=elements["error"],
            skipped=elements["skipped"] if full else None,
        )
        + _time(run.duration_s)
        + attributes(timestamp=_instant(int(run.started_at)) if full else None)
    )


def _run_properties(run: RunInfo) -> str:
    pairs = [
        ("run-id", run.run_id),
        ("jobs", str(run.jobs)),
        ("platform", run.platform),
        ("commit", run.commit),
        ("branch", run.branch),
        ("shard", run.shard),
        ("stopped", run.stopped),
    ]
    return _property_list("  ", [pair for pair in pairs if pair[1]])


def _property_list(indent: str, pairs: Sequence[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    items = "".join(f"<property{attributes(name=name, value=value)}/>" for name, value in pairs)
    return f"{indent}<properties>{items}</properties>\n"


def _verdict(entry: ResultEntry, details: Details) -> str:
    """Return the element that says what is special about *entry*; nothing for a plain PASS."""
    element = _ELEMENTS.get(entry.status)
    if element is None:
        return ""
    message = _message(entry)
    if element == "skipped":
        kind, body = _SKIP_TYPES[entry.status], text(message)
    else:
        kind, body = _kind(entry), _reason_body(entry, details)
    return f"   <{element}{attributes(type=kind, message=message)}>{body}</{element}>\n"


def _message(entry: ResultEntry) -> str:
    return entry.message or entry.reason or entry.status.name


def _kind(entry: ResultEntry) -> str:
    family = entry.failure_reasons[0] if entry.failure_reasons else ""
    return family or entry.reason.partition(":")[0] or entry.status.name


def _reason_body(entry: ResultEntry, details: Details) -> str:
    return _body(details.diff or last_lines(details.log)) or text(_message(entry))


def _output(log: str, marks: Sequence[str]) -> str:
    """Return the log, with *marks* for readers below it, a line each."""
    if not log and not marks:
        return ""
    body = _body(log)
    if marks and body and not body.endswith("\n"):
        body += "\n"
    return f"   <system-out>{body}{''.join(text(mark) + chr(10) for mark in marks)}</system-out>\n"


def _body(raw: str) -> str:
    # Escapes make text longer, hence the second cut.
    cut = excerpt(shown(excerpt(raw)))
    return text(_MARK.sub("[ [", cut) if "[[" in cut else cut)


def _time(seconds: float | None) -> str:
    return f' time="{seconds:.3f}"' if seconds is not None and math.isfinite(seconds) else ""


@functools.lru_cache(maxsize=1024)
def _instant(wall: int) -> str:
    return iso(wall)
