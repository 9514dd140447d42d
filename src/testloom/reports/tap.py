"""TAP, the Test Anything Protocol, for ``prove``, Automake and whoever else reads it.

Everything in it follows TAP 14: a line for each result, and below those that are not a plain
PASS a block that is YAML as well as the YAMLish of older readers.  ``tap14`` says so in its
first line.  ``tap`` says 13, which readers of TAP 14 take as well: the ``prove`` that many have
installed knows no 14 and calls such a run a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from testloom.model.names import shown, shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.details import details_of, last_lines, needs_details

_OK: Final = frozenset(
    {TestStatus.PASS, TestStatus.XPASS, TestStatus.SKIP, TestStatus.NOT_APPLICABLE}
)
_DIRECTIVES: Final = {
    TestStatus.SKIP: "SKIP",
    TestStatus.NOT_APPLICABLE: "SKIP",
    TestStatus.XFAIL: "TODO",
    TestStatus.XPASS: "TODO",
    TestStatus.VERIFY: "TODO",
}
"""What makes readers not count a line, and what is said where the result says nothing."""
_WHY: Final = {
    TestStatus.XFAIL: "known to fail",
    TestStatus.XPASS: "known to fail, but passed",
    TestStatus.VERIFY: "a person has to look at it",
}


class TapReport:
    """The ``tap`` report, or with *version* 14 ``tap14``."""

    def __init__(self, *, version: int = 13) -> None:
        self._version = version
        self.name = "tap" if version == 13 else f"tap{version}"
        self.default_file = f"results.{self.name}"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        run = summary.run
        yield f"TAP version {self._version}\n1..{len(summary.entries)}\n"
        yield f"# {shown_line(run.suite)}, run {shown_line(run.run_id)}\n"
        for number, entry in enumerate(summary.entries, 1):
            yield _line(number, entry)
            if entry.earlier:
                yield f"# attempt {entry.tries}\n"
            if needs_details(entry):
                yield "".join(_block(summary, entry))
        if run.stopped:
            yield f"Bail out! {shown_line(run.stopped)}\n"


def _line(number: int, entry: ResultEntry) -> str:
    verdict = "ok" if entry.status in _OK else "not ok"
    line = f"{verdict} {number} - {_escaped(entry.name)}"
    directive = _DIRECTIVES.get(entry.status)
    if directive:
        why = entry.message or _WHY.get(entry.status) or entry.reason
        line += f" # {directive} {_escaped(why)}"
    return line.rstrip() + "\n"


def _block(summary: Summary, entry: ResultEntry) -> Iterator[str]:
    """Yield what is known of a result as YAML."""
    yield "  ---\n"
    yield f"  status: {entry.status.name}\n"
    if entry.message:
        yield f"  message: {_quoted(entry.message)}\n"
    if entry.reason:
        yield f"  reason: {_quoted(entry.reason)}\n"
    if entry.source:
        yield f"  file: {_quoted(entry.source)}\n  line: {entry.line}\n"
    if entry.time_s is not None:
        yield f"  duration_ms: {entry.time_s * 1000:.1f}\n"
    details = details_of(summary, entry)
    for part, content in (("diff", details.diff), ("log", last_lines(details.log))):
        if content:
            yield f"  {part}: {_lines(content)}\n"
    yield "  ...\n"


def _escaped(text: str) -> str:
    """Return *text* as it may stand in the line of a result."""
    return shown_line(text).replace("\\", "\\\\").replace("#", "\\#")


def _lines(content: str) -> str:
    """Return *content* as YAML in the lines that it has, or quoted where that is not possible."""
    lines = shown(content.rstrip("\n")).split("\n")
    if lines[0][:1] in (" ", "\t", ""):
        return _quoted(content)  # the first line says how deep all are; YAMLish has no other way
    return "\n    ".join(("|", *lines))


def _quoted(text: str) -> str:
    """Return *text* in double quotes, as YAML and YAMLish understand them."""
    escaped = shown(text.rstrip("\n")).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '"'
