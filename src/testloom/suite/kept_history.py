"""Where the history of a suite is, and what it says about a run that is over.

Apart from `earlier_runs`, so that commands which only look need nothing of what runs tests.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from testloom.journal.history import Kept
from testloom.journal.history_access import HistoryAccess, StoredHistory
from testloom.model.compare import Comparison, compare
from testloom.model.history import Recap
from testloom.model.summary import Summary
from testloom.suite.options_history import NO_HISTORY
from testloom.suite.run_options import RunOptions

FILE: Final = "history.db"
"""The name of the history in the output directory, where there is no project to keep it for."""


def place_of(options: RunOptions) -> str | None:
    """Return where the history is kept; None if it is not."""
    if options.history == NO_HISTORY:
        return None
    if "://" in options.history:
        return options.history
    return os.path.abspath(options.history or os.path.join(options.output_dir, FILE))


def kept(options: RunOptions) -> Kept:
    """Return how much of the history is kept."""
    return Kept(runs=options.keep_runs or None, days=options.keep_days or None)


def changes_since(recap: Recap, summary: Summary) -> Comparison | None:
    """Return what changed in the run of *summary*; None if there was none before it."""
    if not recap.against:
        return None
    return compare(recap.latest.values(), summary.entries, against=recap.against)


def with_history(summary: Summary, options: RunOptions) -> Summary:
    """Return *summary*, of a run that is over, with what was known when it began."""
    place, began = place_of(options), summary.run.started_at
    if place is None:
        return summary
    access = HistoryAccess(place=place, suite=summary.run.suite, output_dir=options.output_dir)
    tests = list(dict.fromkeys(entry.test for entry in summary.entries))
    recap = access.use(lambda store: store.recap(tests), before=began) or Recap()
    problem = [access.problem] if access.problem else []
    return msgspec.structs.replace(
        summary,
        history=StoredHistory(access, before=began),
        changes=changes_since(recap, summary),
        notes=(*summary.notes, *problem),
    )
