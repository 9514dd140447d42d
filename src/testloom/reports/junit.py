"""JUnit XML that Jenkins, GitLab, Azure, CircleCI, Buildkite and GitHub's actions read well.

A result is one ``testcase``.  Its ``classname`` is the directory of the test in dots, its
``name`` the rest of the result's name; the two together are unique in the document, because
readers drop or merge what looks like a duplicate.  ``file`` is relative to the top of the
repository, where there is one, so that readers can link to it.

FAIL and VERIFY are failures, ERROR is an error, SKIP, NOT_APPLICABLE and XFAIL are skipped; PASS
and XPASS are plain.  The body of a failure is the diff, or the end of the log.
"""

from __future__ import annotations

import collections
import functools
import math
import os
from collections.abc import Iterator, Sequence
from typing import Final

from testloom.model.names import shown
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes.clock import iso
from testloom.reports.details import Details, details_of, excerpt, needs_details
from testloom.reports.xml import attribute, attributes, text

_TAIL_LINES: Final = 20
"""Lines of a log that are the body of a failure without a diff."""
_ROOT_LEVELS: Final = 8
"""How deep below the suite's root names of tests may begin to be relative to."""
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


class JUnitReport:
    """The ``junit`` report; *all_logs* adds the logs of tests that passed."""

    name: Final = "junit"
    default_file: Final = "junit.xml"

    def __init__(self, *, all_logs: bool = False) -> None:
        self._all_logs = all_logs

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the document piece by piece."""
        run = summary.run
        totals = _totals(summary)
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        yield f"<testsuites{totals}>\n"
        yield f" <testsuite{totals}{attributes(hostname=run.host or None)}>\n"
        yield _run_properties(run)
        cases = _Cases(run)
        for entry in summary.entries:
            if self._all_logs or needs_details(entry):
                yield cases.case(entry, details_of(summary, entry))
            else:
                yield cases.case(entry, Details())
        yield " </testsuite>\n</testsuites>\n"


class _Cases:
    """Makes the ``testcase`` elements of one document."""

    def __init__(self, run: RunInfo) -> None:
        self._run = run
        self._identities = _Identities(run.suite)
        self._top, self._prefix = _repository(run.root)

    def case(self, entry: ResultEntry, details: Details) -> str:
        """Return the element of *entry*."""
        classname, name = self._identities.of(entry)
        content = "".join(
            (
                self._properties(entry),
                _verdict(entry, details),
                f"   <system-out>{_body(details.log)}</system-out>\n" if details.log else "",
            )
        )
        return (
            f'  <testcase classname="{attribute(classname)}" name="{attribute(name)}"'
            f"{self._place(entry)}{_time(entry.time_s)}"
            f' timestamp="{_instant(int(self._run.started_at + entry.started_s))}">\n'
            f"{content}  </testcase>\n"
        )

    def _place(self, entry: ResultEntry) -> str:
        if not entry.source:
            return ""
        if os.path.isabs(entry.source):
            path = entry.source.removeprefix(self._top)
        else:
            path = f"{self._prefix}{entry.source}"
        if ".." in path:
            path = os.path.normpath(path)
        return f' file="{attribute(path)}" line="{entry.line}"'

    def _properties(self, entry: ResultEntry) -> str:
        pairs = [("tag", tag) for tag in entry.tags]
        if entry.slot >= 0:
            pairs.append(("slot", str(entry.slot)))
        if entry.driver:
            pairs.append(("dd_tags[driver]", entry.driver))
        if entry.reason:
            pairs.append(("reason", entry.reason))
        pairs.extend(entry.info.items())
        return _property_list("   ", pairs)


class _Identities:
    """Gives each result of a document a ``classname`` and ``name`` that no other one has.

    The names of tests say which part of their directory matters: for ``tests/opt/dce/phi``, the
    test called ``opt__dce__phi`` (or ``opt/dce/phi``) is ``phi`` of class ``opt.dce``.
    """

    def __init__(self, suite: str) -> None:
        self._suite = _dotted(suite) or "tests"
        self._used: dict[tuple[str, str], int] = {}

    def of(self, entry: ResultEntry) -> tuple[str, str]:
        """Return class name and name of *entry*."""
        identity = self._plain(entry)
        if identity in self._used:
            identity = identity[0], entry.name
        before = self._used.get(identity, 0)
        self._used[identity] = before + 1
        while before:
            # The same name once more: it is numbered, and the number may be somebody's name too.
            numbered = identity[0], f"{identity[1]} #{before + 1}"
            if numbered not in self._used:
                self._used[numbered] = 1
                return numbered
            before += 1
        return identity

    def _plain(self, entry: ResultEntry) -> tuple[str, str]:
        if not entry.source:
            directory, _, name = entry.name.rpartition("/")
            return _dotted(directory) or self._suite, name or entry.name
        parent, _, leaf = os.path.dirname(entry.source).rpartition("/")
        prefixes, classname = _prefixes(parent)
        name = entry.name
        for prefix, matching in prefixes:
            if name.startswith(prefix) and name != prefix:
                classname, name = matching, name.removeprefix(prefix)
                break
        else:
            matching = ""
        for prefix in (f"{leaf}__", f"{leaf}/"):
            # One of several tests in the directory.
            if leaf and name.startswith(prefix) and name != prefix:
                name = name.removeprefix(prefix)
                classname = f"{matching}.{_dotted(leaf)}" if matching else _dotted(leaf)
                break
        return classname or self._suite, name


@functools.lru_cache(maxsize=4096)
def _prefixes(directory: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return how names of tests in *directory* may begin, each with its class; and its class."""
    parts = [part for part in directory.split("/") if part not in ("", ".", "..")]
    found = [
        (separator.join(parts[first:]) + separator, _dotted("/".join(parts[first:])))
        for first in range(min(len(parts), _ROOT_LEVELS))
        for separator in ("__", "/")
    ]
    return tuple(found), _dotted(directory)


def _dotted(path: str) -> str:
    """Return *path* as a class name, in which a dot stands for a directory and nothing else."""
    parts = (part for part in path.split("/") if part not in ("", ".", ".."))
    return ".".join(part.replace(".", "_") for part in parts)


def _totals(summary: Summary) -> str:
    elements = collections.Counter(_ELEMENTS.get(entry.status) for entry in summary.entries)
    run = summary.run
    return (
        attributes(
            name=run.suite,
            tests=len(summary.entries),
            failures=elements["failure"],
            errors=elements["error"],
            skipped=elements["skipped"],
        )
        + _time(run.duration_s)
        + attributes(timestamp=_instant(int(run.started_at)))
    )


def _run_properties(run: RunInfo) -> str:
    pairs = [("run-id", run.run_id), ("jobs", str(run.jobs)), ("platform", run.platform)]
    pairs.append(("stopped", run.stopped))
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
    message = entry.message or entry.reason or entry.status.name
    if element == "skipped":
        kind, body = _SKIP_TYPES[entry.status], text(message)
    else:
        family = entry.failure_reasons[0] if entry.failure_reasons else ""
        kind = family or entry.reason.partition(":")[0] or entry.status.name
        body = _body(details.diff or _last_lines(details.log)) or text(message)
    return f"   <{element}{attributes(type=kind, message=message)}>{body}</{element}>\n"


def _body(raw: str) -> str:
    # Escapes make text longer, hence the second cut.
    return text(excerpt(shown(raw)))


def _last_lines(log: str) -> str:
    lines = log.splitlines(keepends=True)
    return "".join(lines[-_TAIL_LINES:])


def _time(seconds: float | None) -> str:
    return f' time="{seconds:.3f}"' if seconds is not None and math.isfinite(seconds) else ""


@functools.lru_cache(maxsize=1024)
def _instant(wall: int) -> str:
    return iso(wall)


def _repository(root: str) -> tuple[str, str]:
    """Return the repository that holds *root*, and the path of *root* in it, each ending in /.

    Without a repository *root* itself is the top, and its path is empty.
    """
    top = root
    while not os.path.lexists(os.path.join(top, ".git")):
        above = os.path.dirname(top)
        if above == top:
            return os.path.join(root, ""), ""
        top = above
    prefix = os.path.relpath(root, top)
    return os.path.join(top, ""), "" if prefix == "." else f"{prefix}/"
