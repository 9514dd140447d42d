"""The journal of a run that cannot be written: at its beginning, and at its end."""

from __future__ import annotations

from typing import Any

import pytest

from testloom.journal.format import JournalError
from testloom.suite.preparing import written_to_the_end
from testloom.suite.run import RunOutcome


class FullJournal:
    def run_ended(self, **_: Any) -> None:
        raise JournalError("run.journal", "results disk full")


@pytest.mark.parametrize(
    ("broken_down", "lines"),
    [
        ("", ("the results cannot be kept: run.journal: results disk full",)),
        ("the results cannot be kept: run.journal: results disk full", ()),
    ],
)
def test_an_end_that_cannot_be_written_is_told_once(broken_down: str, lines: tuple[str]) -> None:
    outcome = RunOutcome(entries=[], duration_s=1.0, broken_down=broken_down)
    journal: Any = FullJournal()
    assert written_to_the_end(journal, outcome, 0) == lines
