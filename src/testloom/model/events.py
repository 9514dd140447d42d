"""What a run tells those who listen to it: consoles, notifiers, plugins.

All calls come from the main thread, in the order in which things happen, and after what they
tell is in the journal.  Instants (`now`, `due`) are seconds on a clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from testloom.model.result import ResultRecord
from testloom.model.summary import ResultEntry, RunInfo, Summary

Load = Callable[[ResultEntry], ResultRecord]


class RunListener(Protocol):
    """Someone who is told about a run while it goes on."""

    def run_started(self, run: RunInfo, *, tests: int, fragments: int, now: float) -> None:
        """The graph is made; the first fragment is about to start."""

    def fragment_started(self, uid: str, test: str, name: str, slot: int, now: float) -> None:
        """Fragment *name* of *test* runs in *slot*."""

    def fragment_ended(self, uid: str, test: str, slot: int, now: float) -> None:
        """The fragment in *slot* ended; its results have been told before."""

    def result_added(self, entry: ResultEntry, load: Load) -> None:
        """A result is final; ``load(entry)`` gives it with its logs (reads the disk)."""

    def attempt_added(self, entry: ResultEntry, load: Load) -> None:
        """A result that does not count, because its test is going to run again."""

    def said(self, line: str) -> None:
        """Something people should know that is not a result: one line, safe to show."""

    def stopping(self, why: str, running: int) -> None:
        """Nothing new will start; *running* fragments are being ended."""

    def state(self, lines: Sequence[str]) -> None:
        """What the run is doing now, because somebody has asked; safe to show."""

    def pausing(self) -> None:
        """The run is about to be stopped, as by Ctrl-Z."""

    def resumed(self, now: float) -> None:
        """The run goes on."""

    def refresh(self, now: float) -> float | None:
        """Show what changed; return the instant at which to be called again, None for never."""

    def run_ended(self, summary: Summary) -> None:
        """Everything has ended and the reports are written."""


class Silent:
    """A listener that does nothing: a base for those that want only some of the calls."""

    def run_started(self, run: RunInfo, *, tests: int, fragments: int, now: float) -> None:
        """Do nothing."""

    def fragment_started(self, uid: str, test: str, name: str, slot: int, now: float) -> None:
        """Do nothing."""

    def fragment_ended(self, uid: str, test: str, slot: int, now: float) -> None:
        """Do nothing."""

    def result_added(self, entry: ResultEntry, load: Load) -> None:
        """Do nothing."""

    def attempt_added(self, entry: ResultEntry, load: Load) -> None:
        """Do nothing."""

    def said(self, line: str) -> None:
        """Do nothing."""

    def stopping(self, why: str, running: int) -> None:
        """Do nothing."""

    def state(self, lines: Sequence[str]) -> None:
        """Do nothing."""

    def pausing(self) -> None:
        """Do nothing."""

    def resumed(self, now: float) -> None:
        """Do nothing."""

    def refresh(self, now: float) -> float | None:  # noqa: ARG002 - the interface's argument
        """Never ask to be called again."""
        return None

    def run_ended(self, summary: Summary) -> None:
        """Do nothing."""
