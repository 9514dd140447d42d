"""A run that goes on with one that was cut off: reads that one, and takes over what it can.

`testloom.suite.resuming` decides about each test.  The new run is one of its own, with a journal
that needs no other: the results that are carried are copied to its beginning, and only when that
is complete does anything run.  A run that was killed before that knows nothing that the one which
it resumes does not, so that one is resumed in its place.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec

from testloom.journal import format as form
from testloom.journal.reader import Journal, read
from testloom.journal.rundir import JOURNAL, find_run
from testloom.journal.writer import JournalWriter
from testloom.model.errors import UsageError
from testloom.model.summary import ResultEntry
from testloom.suite.planning import Plan, followed_tests
from testloom.suite.resuming import Fate, Known, fates
from testloom.suite.run_options import RunOptions

_WITH_EARLIER: Final = frozenset({Fate.FAILED, Fate.UNFINISHED})
_TOLD: Final = (Fate.FAILED, Fate.UNFINISHED, Fate.CHANGED, Fate.ADDED, Fate.NEEDED)


class Carry(msgspec.Struct, frozen=True):
    """What a new run takes over."""

    journal: str
    """The journal of the run that is resumed."""
    fates: Mapping[str, Fate]
    """The tests of the new run, and what becomes of each."""
    note: str
    """What people should know about it, in one line."""

    def into(
        self, journal: JournalWriter, counted: Callable[[form.Result], None] | None = None
    ) -> tuple[list[ResultEntry], dict[str, list[ResultEntry]]]:
        """Copy results to *journal*; return those that count, and others by their tests.

        *counted* is called with each of the first, as it was kept.

        Raises:
            JournalError: *journal* cannot be written.
            OSError: the old one cannot be read any more.
        """
        counting: list[ResultEntry] = []
        earlier: dict[str, list[ResultEntry]] = {}
        with open(self.journal, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for _, data in form.records_in(file, size):
                old = form.decode_whole(data)
                fate = None if old is None else self.fates.get(old.test)
                if old is None or fate is None:
                    continue
                counts = fate is Fate.CARRIED and isinstance(old, form.Result)
                if counts or self._is_earlier(old, fate):
                    entry = journal.carry(old, counts=counts)
                    if counts:
                        counting.append(entry)
                        if counted is not None and isinstance(old, form.Result):
                            counted(old)
                    else:
                        earlier.setdefault(entry.test, []).append(entry)
        journal.carried(sum(fate is Fate.CARRIED for fate in self.fates.values()))
        return counting, earlier

    @staticmethod
    def _is_earlier(old: form.Result | form.Attempt, fate: Fate) -> bool:
        """Tell whether *old* is a result of an attempt that does not count, and is to be kept."""
        if isinstance(old, form.Attempt):
            return fate is Fate.CARRIED or fate in _WITH_EARLIER
        return fate is Fate.FAILED


class Resumed:
    """The run that is resumed.

    Raises:
        UsageError: there is no such run.
    """

    def __init__(self, output_dir: str, reference: str) -> None:
        path = find_run(output_dir, reference)
        self.journal = _read(path)
        while not self.journal.carried and self.journal.run is not None:
            # It was killed before it had taken over what it needs.
            path = find_run(output_dir, self.journal.run.resumes)
            self.journal = _read(path)
        assert self.journal.run is not None
        self.run_id = self.journal.run.run_id

    def selection(self, options: RunOptions) -> tuple[str, ...]:
        """Return the words that select tests, if *options* leave it to the run that is resumed."""
        return () if selecting_words(options) else tuple(self.journal.words)

    def carry(self, plan: Plan) -> Carry:
        """Take what need not run out of *plan*; return what to carry in its place."""
        inputs = {name: test.inputs for name, test in plan.tests.items()}
        known = known_tests(self.journal)
        decided = fates(known, inputs, followed_tests(plan))
        gone = [uid for uid, owner in plan.owners.items() if decided[owner.name] is Fate.CARRIED]
        plan.graph.remove(gone)
        for uid in gone:
            owner = plan.owners.pop(uid)
            owner.left, owner.results = 0, 1
        for name, fate in decided.items():
            if fate in _WITH_EARLIER and (earlier := self._earlier(name, fate, known[name])):
                plan.tests[name].earlier = earlier
        return self._carry(decided, known)

    def decide(self, inputs: Mapping[str, str], follows: Mapping[str, Collection[str]]) -> Carry:
        """Return what to carry of tests with the fingerprints *inputs*; see `fates`."""
        known = known_tests(self.journal)
        return self._carry(fates(known, inputs, follows), known)

    def _carry(self, decided: Mapping[str, Fate], known: Mapping[str, Known]) -> Carry:
        return Carry(self.journal.path, decided, _told(self.run_id, decided, known))

    def _earlier(self, name: str, fate: Fate, known: Known) -> tuple[ResultEntry, ...]:
        tried = tuple(self.journal.attempts.get(name, ()))
        return (*tried, *known.results) if fate is Fate.FAILED else tried


def known_tests(journal: Journal) -> dict[str, Known]:
    """Return what *journal* knows about each of its tests."""
    results: dict[str, list[ResultEntry]] = {}
    for entry in journal.entries:
        results.setdefault(entry.test, []).append(entry)
    return {
        test.name: Known(
            inputs=test.inputs,
            is_settled=test.name in journal.settled,
            results=results.get(test.name, ()),
        )
        for test in journal.tests
    }


def selecting_words(options: RunOptions, *, paths: bool = True) -> tuple[str, ...]:
    """Return the words of a command line that select the same tests as *options*.

    Without *paths*, those words are left out.
    """
    words = [f"--exclude={glob}" for glob in options.exclude]
    if options.keyword:
        words.append(f"--keyword={options.keyword}")
    if options.tags:
        words.append(f"--tags={options.tags}")
    if options.shard is not None:
        words.append(f"--shard={options.shard}")
    if options.shard_times is not None:
        words.append(f"--shard-times={options.shard_times}")
    if options.last_failed:
        words.append(f"--last-failed={options.last_failed}")
    return (*words, *(["--", *options.paths] if paths and options.paths else ()))


def _read(run_dir: str) -> Journal:
    path = os.path.join(run_dir, JOURNAL)
    journal = read(path)
    if journal.run is None:
        raise UsageError(
            f"{path}: holds no run, so none can be resumed; start a new one, or name"
            " another with --resume-run"
        )
    return journal


def _told(run_id: str, decided: Mapping[str, Fate], known: Mapping[str, Known]) -> str:
    counts = collections.Counter(decided.values())
    reasons = [f"{counts[fate]} {fate.value}" for fate in _TOLD if counts[fate]]
    gone = sum(name not in decided for name in known)
    if gone:
        reasons.append(f"{gone} of that run not here any more or not selected")
    line = f"resumes {run_id}: {counts[Fate.CARRIED]} of {len(decided)} tests carried over"
    return f"{line}; {', '.join(reasons)}" if reasons else line
