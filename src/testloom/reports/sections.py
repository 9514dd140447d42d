"""The results of a run in the groups, and in the order, in which people want them.

Where it is known what each test did before, failures are told apart as e3-testsuite does: new,
already detected, fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from testloom.model.compare import Change, Comparison
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the results."""

    title: str
    entries: Sequence[ResultEntry]
    with_logs: bool = False
    """Whether people will want to see why."""


_REST: Final = {
    TestStatus.XPASS: "Passed unexpectedly",
    TestStatus.VERIFY: "To be looked at by a person",
    TestStatus.XFAIL: "Expected failures",
    TestStatus.SKIP: "Skipped",
    TestStatus.NOT_APPLICABLE: "Not applicable",
}
_WITH_LOGS: Final = (TestStatus.XPASS, TestStatus.VERIFY)


def sections_of(summary: Summary) -> list[Section]:
    """Return the sections of *summary* that have something in them; a plain PASS is in none."""
    by_status: dict[TestStatus, list[ResultEntry]] = {status: [] for status in TestStatus}
    for entry in summary.entries:
        by_status[entry.status].append(entry)
    bad = [entry for entry in summary.entries if entry.status.is_bad]
    found = [
        *(_failures(bad, by_status) if summary.changes is None else _changed(bad, summary)),
        Section(title="Flaky", entries=[e for e in summary.entries if e.is_flaky]),
    ]
    for status, title in _REST.items():
        with_logs = status in _WITH_LOGS
        found.append(Section(title=title, entries=by_status[status], with_logs=with_logs))
    return [section for section in found if section.entries]


def new_first(summary: Summary) -> list[ResultEntry]:
    """Return the failures and errors of *summary*: those first that were not there before."""
    bad = [entry for entry in summary.entries if entry.status.is_bad]
    new = summary.changes.new_names if summary.changes else frozenset()
    return sorted(bad, key=lambda entry: entry.name not in new)


def _failures(
    bad: Iterable[ResultEntry], by_status: dict[TestStatus, list[ResultEntry]]
) -> list[Section]:
    del bad
    return [
        Section(title="Failures", entries=by_status[TestStatus.FAIL], with_logs=True),
        Section(title="Errors", entries=by_status[TestStatus.ERROR], with_logs=True),
    ]


def _changed(bad: Sequence[ResultEntry], summary: Summary) -> list[Section]:
    changes = summary.changes or Comparison()
    new = changes.new_names
    entries = {entry.name: entry for entry in summary.entries}

    def of(found: Iterable[Change]) -> list[ResultEntry]:
        return [entries[change.name] for change in found if change.name in entries]

    old = [entry for entry in bad if entry.name not in new]
    return [
        Section(title="New failures", entries=[e for e in bad if e.name in new], with_logs=True),
        Section(title="Already detected failures", entries=old, with_logs=True),
        Section(title="Fixed", entries=of(changes.fixed)),
        Section(title="Failed before, not counted any more", entries=of(changes.silenced)),
    ]
