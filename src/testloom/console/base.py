"""What all consoles have in common: what is shown of a failure, and how the run ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TextIO

import msgspec

from testloom.console.failure import attempt_line, flaky_line, one_line, render_result
from testloom.console.look import Look
from testloom.console.progress import Progress, Running, header
from testloom.console.slow import SLOW_S, SlowWatch
from testloom.console.spans import Line, render
from testloom.console.summary import SLOWEST, render_summary
from testloom.console.text import counted
from testloom.console.writer import Writer
from testloom.model import reason
from testloom.model.events import Load, Silent
from testloom.model.expectation import Expectation
from testloom.model.history import PastResult
from testloom.model.names import shown_line
from testloom.model.result import ResultRecord
from testloom.model.summary import ResultEntry, RunInfo, Summary

MOST_BLOCKS: Final = 50
"""Failures of a run that are shown in full."""
_ENDED_BY_US: Final = frozenset({reason.RUN_ABORTED, reason.INTERRUPTED})

Annotations = Callable[[Summary], Iterable[str]]
"""What GitHub is to be told of a run: commands, each with its line end."""


def no_annotations(_summary: Summary) -> Iterable[str]:
    """Tell GitHub nothing."""
    return ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a console shows things, and how."""

    out: Writer
    err: TextIO | None = None
    """Where to say that writing to `out` failed."""
    color: bool = False
    look: Look = Look()
    durations: int = SLOWEST
    """How many of the slowest tests to name at the end."""
    slow_s: float = SLOW_S
    """After how long to say of a fragment that it still runs."""
    workflow_commands: bool = False
    """Whether the reader obeys lines such as ``::error::``, as GitHub's runner does."""
    annotations: Annotations = no_annotations
    """What such a reader is told at the end."""


class Console(Silent):
    """A listener that tells people about a run; its subclasses differ in what and when."""

    takes_keys = False
    """Whether keys that are pressed meanwhile mean something."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.look = place.look
        self.progress = Progress()
        self._slow = SlowWatch(place.slow_s)
        self._latest: Mapping[str, PastResult] = {}
        self._blocks = 0
        self._resume_word = ""

    def expect(self, expected: Expectation, latest: Mapping[str, PastResult]) -> None:
        """Take note of what earlier runs say about this one, before it begins.

        *latest* is how each name was when it ran last.
        """
        self.progress.expect(expected)
        self._latest = latest

    @property
    def reader_has_left(self) -> bool:
        """Tell whether it is broken because its reader has gone away, as `head` does."""
        return self.place.out.has_left

    @property
    def broken(self) -> bool:
        """Tell whether nobody reads the console any more: the run need not go on."""
        return self.place.out.broken

    def close(self) -> None:
        """Leave the place as others may use it; the run may go on, or have failed in the middle."""

    def show(self, lines: Iterable[Line]) -> None:
        """Show *lines*, below everything shown before."""
        self.place.out.write(render(lines, color=self.place.color))

    def run_started(self, run: RunInfo, *, tests: int, fragments: int, now: float) -> None:  # noqa: ARG002 - the interface's argument
        self.progress.begin(run, tests, now)
        self.stop_commands()
        self.show_header(run)

    def show_header(self, run: RunInfo) -> None:
        """Show how the run begins."""
        self.show([[(header(run, self.progress.tests), "faint")]])

    def fragment_started(self, uid: str, test: str, name: str, slot: int, now: float) -> None:
        self.progress.start(slot, Running(uid, test, name, now))

    def fragment_ended(self, uid: str, test: str, slot: int, now: float) -> None:  # noqa: ARG002 - the interface's arguments
        self.progress.end(slot, uid)

    def result_added(self, entry: ResultEntry, load: Load) -> None:
        self.progress.add(entry)
        if entry.status.is_bad and entry.reason not in _ENDED_BY_US:
            self.show_failure(entry, load)
        elif entry.is_flaky:
            self.show([flaky_line(entry, self.look)])

    def attempt_added(self, entry: ResultEntry, load: Load) -> None:  # noqa: ARG002 - the interface's argument
        if entry.status.is_bad:
            self.show([attempt_line(entry, self.look)])

    def said(self, line: str) -> None:
        self.show([[(shown_line(line), "")]])

    def state(self, lines: Sequence[str]) -> None:
        """Tell it on standard error: what is read from our output is not the answer to a signal."""
        Writer(self.place.err).write("".join(f"{line}\n" for line in lines))

    def refresh(self, now: float) -> float | None:
        """Say what still runs, where that is worth a line."""
        for line in self._slow.lines(self.progress.running, now):
            self.show([[(line, "slow")]])
        return self._slow.due(now)

    def stopping(self, why: str, running: int) -> None:
        rest = f"; ending {counted(running, 'running fragment')}" if running else ""
        self.show([[("stopping: ", "slow"), (shown_line(why) + rest, "")]])

    def run_ended(self, summary: Summary) -> None:
        self.show(self.summary_lines(summary))
        self.resume_commands()
        self.show_end(summary)
        self.show([[(summary.last_line, "")]])
        self._tell_broken()

    def summary_lines(self, summary: Summary) -> list[Line]:
        """Return what is shown at the end of the run, before the last line."""
        return render_summary(summary, look=self.look, durations=self.place.durations)

    def show_failure(self, entry: ResultEntry, load: Load) -> None:
        """Show a failure as soon as it is there."""
        self.show(self.failure_lines(entry, load))

    def show_end(self, summary: Summary) -> None:
        """Show what comes between the summary and the last line: nothing, for most readers."""

    def stop_commands(self) -> None:
        """Where the reader obeys commands: let it obey none, as what a test prints may be one."""
        if self.place.workflow_commands:
            self._resume_word = os.urandom(16).hex()
            self.show([[(f"::stop-commands::{self._resume_word}", "")]])

    def resume_commands(self) -> None:
        """Undo `stop_commands`."""
        if self._resume_word:
            self.show([[(f"::{self._resume_word}::", "")]])
            self._resume_word = ""

    def failure_lines(self, entry: ResultEntry, load: Load) -> list[Line]:
        """Return a failure: the first ones in full, then in a line each."""
        if entry.reason == reason.DEPENDENCY_FAILED or self._blocks > MOST_BLOCKS:
            return [one_line(entry, self.look)]
        self._blocks += 1
        if self._blocks > MOST_BLOCKS:
            note = f"{MOST_BLOCKS} failures were shown in full; here is one line for each of the others"
            return [[(note, "faint")], one_line(entry, self.look)]
        past = self._latest.get(entry.name)
        return render_result(entry, loaded(entry, load), look=self.look, past=past)

    def _tell_broken(self) -> None:
        if self.broken:
            Writer(self.place.err).write(
                f"{self.look.commands.program}: cannot write to the standard output: {self.place.out.why}\n"
            )


def loaded(entry: ResultEntry, load: Load) -> ResultRecord | None:
    """Return the record of *entry*; None if it cannot be read, which must not end the run."""
    try:
        return load(entry)
    except Exception:  # noqa: BLE001 - whatever is wrong with the disk, the entry can be shown
        return None
