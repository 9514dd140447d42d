"""JUnit XML that Jenkins, GitLab, GitHub's actions, Buildkite, Datadog and Azure read well.

A result is one ``testcase``.  Its ``classname`` is the directory of the test in dots, its
``name`` the rest of the result's name.  ``file`` is relative to the top of the repository, where
there is one, so that readers can link to it.

FAIL and VERIFY are failures, ERROR is an error, SKIP, NOT_APPLICABLE and XFAIL are skipped; PASS
and XPASS are plain.  The body of a failure is the diff, or the end of the log.  Earlier attempts
at a test are ``flakyFailure`` if it passed in the end, else ``rerunFailure``.

There is no standard.  ``junit`` has what readers make something of; ``junit-strict`` only what
Jenkins' ``junit-10.xsd`` allows, because its xUnit plugin refuses everything else.
"""

from __future__ import annotations

import collections
import functools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.model.names import path_for, shown
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
        strict: leave out what Jenkins' ``junit-10.xsd`` does not have.
    """

    main_file: Final = ""

    def __init__(self, *, all_logs: bool = False, strict: bool = False) -> None:
        self._all_logs = all_logs
        self._strict = strict
        self.name = "junit-strict" if strict else "junit"
        self.default_file = f"{self.name}.xml"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        return self.write_with_files(summary, NOWHERE)

    def write_with_files(self, summary: Summary, files: FilesBeside) -> Iterator[str]:
        """Yield the document piece by piece; long logs go into *files*, too."""
        run = summary.run
        cases = _Cases(summary, files, strict=self._strict)
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        yield f"<testsuites{_totals(summary, strict=self._strict)}>\n"
        yield f" <testsuite{_totals(summary)}{attributes(hostname=run.host or None)}>\n"
        yield _run_properties(run)
        for entry in summary.entries:
            yield cases.case(entry, with_logs=self._all_logs or needs_details(entry))
        yield " </testsuite>\n</testsuites>\n"


class _Cases:
    """Makes the ``testcase`` elements of one document."""

    def __init__(self, summary: Summary, files: FilesBeside, *, strict: bool) -> None:
        self._summary = summary
        self._started_at = summary.run.started_at
        self._files = files
        self._strict = strict
        self._identities = Identities(summary.run.suite)
        self._sources = Sources(summary.run.root)

    def case(self, entry: ResultEntry, *, with_logs: bool) -> str:
        """Return the element of *entry*."""
        classname, name = self._identities.of(entry)
        details = details_of(self._summary, entry, None) if with_logs else Details()
        content = "".join(
            (
                "" if self._strict else self._properties(entry),
                _verdict(entry, details),
                *(self._attempt(entry, earlier) for earlier in entry.earlier),
                _output(details.log, self._attached(entry, details)),
            )
        )
        place = when = ""
        if not self._strict:
            place = self._place(entry)
            when = f' timestamp="{_instant(int(self._started_at + entry.started_s))}"'
        return (
            f'  <testcase classname="{attribute(classname)}" name="{attribute(name)}"'
            f"{place}{_time(entry.time_s)}{when}>\n{content}  </testcase>\n"
        )

    def _place(self, entry: ResultEntry) -> str:
        source = self._sources.of(entry)
        return f' file="{attribute(source)}" line="{entry.line}"' if source else ""

    def _properties(self, entry: ResultEntry) -> str:
        pairs = [("tag", tag) for tag in entry.tags]
        if entry.slot >= 0:
            pairs.append(("slot", str(entry.slot)))
        if entry.driver:
            pairs.append(("dd_tags[driver]", entry.driver))
        if entry.reason:
            pairs.append(("reason", entry.reason))
        if entry.earlier:
            pairs.append(("tries", entry.tries))
        pairs.extend(entry.info.items())
        return _property_list("   ", pairs)

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
        """Put what is too long for the document into files; return their paths."""
        paths = []
        for part in ("log", "diff", "expected", "out"):
            whole = getattr(details, part)
            if excerpt(whole) is not whole:
                path = self._files.add(f"{path_for(entry.name)}.{part}", whole)
                paths.append(self._sources.shortened(path))
        return [path for path in paths if path]


def _totals(summary: Summary, *, strict: bool = False) -> str:
    elements = collections.Counter(_ELEMENTS.get(entry.status) for entry in summary.entries)
    run = summary.run
    return (
        attributes(
            name=run.suite,
            tests=len(summary.entries),
            failures=elements["failure"],
            errors=elements["error"],
            skipped=None if strict else elements["skipped"],
        )
        + _time(run.duration_s)
        + attributes(timestamp=None if strict else _instant(int(run.started_at)))
    )


def _run_properties(run: RunInfo) -> str:
    pairs = [
        ("run-id", run.run_id),
        ("jobs", str(run.jobs)),
        ("platform", run.platform),
        ("commit", run.commit),
        ("branch", run.branch),
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


def _output(log: str, attached: Sequence[str]) -> str:
    if not log and not attached:
        return ""
    marks = "".join(f"[[ATTACHMENT|{text(path)}]]\n" for path in attached)
    body = _body(log)
    if marks and body and not body.endswith("\n"):
        body += "\n"
    return f"   <system-out>{body}{marks}</system-out>\n"


def _body(raw: str) -> str:
    # Escapes make text longer, hence the second cut.
    cut = excerpt(shown(excerpt(raw)))
    return text(_MARK.sub("[ [", cut) if "[[" in cut else cut)


def _time(seconds: float | None) -> str:
    return f' time="{seconds:.3f}"' if seconds is not None and math.isfinite(seconds) else ""


@functools.lru_cache(maxsize=1024)
def _instant(wall: int) -> str:
    return iso(wall)
