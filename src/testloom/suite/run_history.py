"""The history of a suite, as one run uses it: what was before it, and what it leaves.

A run is pending from its beginning, so that the next one keeps what it came to if it is killed.
Nothing here ends a run: what is wrong is one line, `RunHistory.problem`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

import msgspec

from testloom.journal.history import Kept
from testloom.journal.history_access import PENDING, HistoryAccess, StoredHistory
from testloom.journal.rundir import RunDir
from testloom.model.compare import Comparison
from testloom.model.history import Recap
from testloom.model.summary import Summary
from testloom.suite.kept_history import changes_since


class RunHistory:
    """What one run has to do with the history at *access*, of which *kept* is kept."""

    def __init__(self, access: HistoryAccess, kept: Kept) -> None:
        self._access = access
        self._kept = kept
        self._pending = ""
        self.recap = Recap()
        """What is known of the tests of the run; after `begin`."""

    @property
    def place(self) -> str:
        """Path of a file, or URL of a database."""
        return self._access.place

    @property
    def problem(self) -> str:
        """What is wrong with it, in one line; empty if nothing is known to be."""
        return self._access.problem

    def begin(self, run_dir: RunDir, tests: Collection[str]) -> Recap:
        """Mark the run in *run_dir* as pending; return what is known of *tests*."""
        path = os.path.join(run_dir.path, PENDING)
        with contextlib.suppress(OSError):  # whatever is wrong here, the journal will tell
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            self._pending = path
        self._access.take_pending(self._kept, but=run_dir.run_id)
        if not self._access.problem:  # to ask again would be to wait again
            self.recap = self._access.use(lambda store: store.recap(tests)) or Recap()
        return self.recap

    def seen_by(self, summary: Summary) -> Summary:
        """Return *summary* with the history before its run."""
        before = summary.run.started_at
        return msgspec.structs.replace(summary, history=StoredHistory(self._access, before=before))

    def changes(self, summary: Summary) -> Comparison | None:
        """Return what changed in the run of *summary*; None if there was none before it."""
        return changes_since(self.recap, summary)

    def keep(self, summary: Summary, exit_code: int) -> None:
        """Keep the run of *summary*; if that is not possible now, it stays pending."""
        if self._access.add(summary, exit_code=exit_code, kept=self._kept):
            with contextlib.suppress(OSError):
                os.unlink(self._pending)


def run_history(place: str | None, suite: str, output_dir: str, kept: Kept) -> RunHistory | None:
    """Return the history of *suite* at *place*, with runs in *output_dir*; None if none is kept."""
    if place is None:
        return None
    return RunHistory(HistoryAccess(place=place, suite=suite, output_dir=output_dir), kept)
