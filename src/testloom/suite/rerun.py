"""Which tests to run because of what became of them: those that failed, those that are new.

A test that a run did not get to the end of counts as failed: nobody knows that it would pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from testloom.journal.stored import stored_run
from testloom.model import reason
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.model.summary import Summary
from testloom.model.test import BrokenTest, ParsedTest
from testloom.suite.options_history import LATEST

_NOT_RUN = frozenset({reason.RUN_ABORTED, reason.INTERRUPTED})
_NAMED = 3
"""Tests that are named in a note."""


class LastFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The tests that failed in a run."""

    run_id: str = ""
    """Empty if there is no such run: then every test counts as one that failed."""
    tests: frozenset[str] = frozenset()
    note: str = ""
    """What people should know, in one line."""

    def wants(self, test: str) -> bool:
        return not self.run_id or test in self.tests


def last_failed(output_dir: str, reference: str) -> LastFailed:
    """Return what failed in the run that *reference* names.

    If that is just the last run, and there is none that can be read, everything counts as
    failed: tests are never left out because of what is not known.

    Raises:
        UsageError: *reference* names another run than just the last, and there is none.
    """
    try:
        summary = stored_run(output_dir, reference)
    except UsageError as error:
        if reference != LATEST:
            raise
        return LastFailed(note=f"nothing is known of the last run, so all tests are run: {error}")
    failed = frozenset(failed_tests(summary))
    run_id = summary.run.run_id
    if not failed:
        return LastFailed(run_id=run_id, note=f"no test failed in run {run_id}: nothing to run")
    idle = {e.test for e in summary.entries if e.reason in _NOT_RUN} & failed
    note = f"{len(idle)} of the tests had not been run to an end in run {run_id}" if idle else ""
    return LastFailed(run_id=run_id, tests=failed, note=note)


def failed_tests(summary: Summary) -> Iterable[str]:
    """Yield the tests of *summary* that failed or were not run to an end."""
    return (e.test for e in summary.entries if e.status.is_bad or e.reason in _NOT_RUN)


def chosen(
    last: LastFailed, tests: Sequence[ParsedTest], broken: Sequence[BrokenTest]
) -> tuple[list[ParsedTest], list[BrokenTest], tuple[str, ...]]:
    """Return those of *tests* and *broken* that *last* wants, and what people should know."""
    some = [test for test in tests if last.wants(test.test_name)]
    others = [one for one in broken if last.wants(one.test_name)]
    found = {test.test_name for test in some} | {one.test_name for one in others}
    gone = sorted(last.tests - found)
    notes = [last.note] if last.note else []
    if gone:
        notes.append(f"failed in run {last.run_id} and not there now: {_named(gone)}")
    return some, others, tuple(notes)


def _named(names: Collection[str]) -> str:
    listed = ", ".join(shown_line(name) for name in list(names)[:_NAMED])
    more = len(names) - _NAMED
    return f"{listed} and {more} more" if more > 0 else listed
