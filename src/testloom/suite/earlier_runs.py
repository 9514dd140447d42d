"""What a run takes from the runs before it, and what it leaves to those after it.

In the order in which a run asks::

    earlier = EarlierRuns(options, suite)        # before the run has a directory of its own
    earlier.choose(tests, broken)                # --lf
    earlier.begin(run_dir, plan, info)           # which order, how long it will take
    earlier.judged(summary)                      # what is new, what is fixed
    earlier.keep(summary, exit_code)             # into the history

Nothing here ends a run: what is wrong with a history is a line in `notes`.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from testloom.journal.rundir import RunDir
from testloom.model.compare import Comparison
from testloom.model.expectation import NOTHING_EXPECTED, Expectation
from testloom.model.history import PastResult, Recap
from testloom.model.summary import RunInfo, Summary
from testloom.model.test import BrokenTest, ParsedTest
from testloom.scheduling.order import Order, ordered, shuffled
from testloom.suite import rerun
from testloom.suite.gate import gate_of
from testloom.suite.kept_history import kept, place_of
from testloom.suite.options_history import LATEST
from testloom.suite.planning import Plan
from testloom.suite.run_history import run_history
from testloom.suite.run_options import RunOptions


class EarlierRuns:
    """The runs before one run, for those who need to know of them.

    Raises:
        UsageError: the options name a run or a file that is not there.
    """

    def __init__(
        self, options: RunOptions, suite: str, *, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._options = options
        self._output_dir = os.path.abspath(options.output_dir)
        self._on_build_server = bool(environ.get("CI"))
        self._gate = gate_of(options, self._output_dir)
        self._last: rerun.LastFailed | None = None
        if options.last_failed is not None:
            self._last = rerun.last_failed(self._output_dir, options.last_failed)
        self._history = run_history(place_of(options), suite, self._output_dir, kept(options))
        self._failed: frozenset[str] = frozenset()
        if options.failed_first and self._history is None:
            self._failed = rerun.last_failed(self._output_dir, LATEST).tests
        self.nothing_to_do = self._last is not None and bool(
            self._last.run_id and not self._last.tests
        )
        """Whether only what failed is to be run, and nothing did."""
        self._notes = [self._gate.note] if self._gate and self._gate.note else []

    @property
    def notes(self) -> list[str]:
        """What people should know of this, one line each."""
        problem = self._history.problem if self._history else ""
        return [*self._notes, *([problem] if problem else [])]

    @property
    def history_dir(self) -> str | None:
        """A directory that holds nothing but what we keep, if there is one."""
        directory = os.path.dirname(self._history.place) if self._history else ""
        return directory if os.path.basename(directory) == ".testloom" else None

    @property
    def latest(self) -> Mapping[str, PastResult]:
        """How each name was when it ran last, as far as it is known; after `begin`."""
        return self._recap.latest

    def pinned(self, options: RunOptions) -> RunOptions:
        """Return *options* so that they mean the same when other runs have come since."""
        run_id = self._last.run_id if self._last else ""
        return msgspec.structs.replace(options, last_failed=run_id or None)

    def choose(
        self, tests: list[ParsedTest], broken: list[BrokenTest]
    ) -> tuple[list[ParsedTest], list[BrokenTest]]:
        """Return those of *tests* and *broken* that shall be run."""
        if self._last is None:
            return tests, broken
        tests, broken, notes = rerun.chosen(self._last, tests, broken)
        self._notes += notes
        return tests, broken

    # -- before ---------------------------------------------------------------------------------

    def begin(self, run_dir: RunDir, plan: Plan, info: RunInfo) -> tuple[Order, Expectation]:
        """Return in which order to run *plan*, and what to expect of it."""
        tests = list(plan.places)
        if self._history is not None:
            self._history.begin(run_dir, tests)
        urgent = self._urgent(tests)
        usual = self._recap.usual_s
        if not urgent and not usual and info.seed is None:
            return Order(), NOTHING_EXPECTED
        owners = {uid: owner.name for uid, owner in plan.owners.items()}
        graph = plan.graph.predecessors
        is_strict = self._options.order == "slowest-first"
        order = ordered(
            graph, owners, usual_s=usual, urgent=urgent, jobs=info.jobs, is_strict=is_strict
        )
        expected = _expected(order, owners, usual)
        if info.seed is not None:
            order = Order(priorities=shuffled(graph, owners, seed=info.seed, urgent=urgent))
        elif self._options.order == "given":
            order = ordered(graph, owners, usual_s={}, urgent=urgent)
        return order, expected

    def _urgent(self, tests: Iterable[str]) -> set[str]:
        """Return the tests that come first."""
        found = set(self._failed)
        is_auto = self._options.order == "auto" and self._options.seed is None
        if self._options.failed_first or is_auto:
            found |= {past.test for past in self._recap.latest.values() if past.status.is_bad}
        if self._options.new_first and self._recap.against:
            known = {past.test for past in self._recap.latest.values()}
            found |= {test for test in tests if test not in known}
        return found

    @property
    def _recap(self) -> Recap:
        return self._history.recap if self._history else Recap()

    # -- after ----------------------------------------------------------------------------------

    def judged(self, summary: Summary) -> Summary:
        """Return *summary* with what changed, and with the history to look at."""
        changes = self._changes(summary)
        notes = (*summary.notes, *self.notes)
        if self._history is not None:
            summary = self._history.seen_by(summary)
        return msgspec.structs.replace(summary, changes=changes, notes=notes)

    def _changes(self, summary: Summary) -> Comparison | None:
        if self._gate is not None:
            return self._gate.compared(summary)
        return self._history.changes(summary) if self._history else None

    def has_failed(self, summary: Summary) -> bool:
        """Tell whether the run of *summary* fails because of its tests."""
        if self._gate is not None and summary.changes is not None:
            return bool(summary.changes.new)
        return bool(summary.failed)

    def keep(self, summary: Summary, exit_code: int) -> Sequence[str]:
        """Keep the run; return what people should know of that, one line each."""
        told = set(self.notes)
        if self._gate is not None:
            note = self._gate.settle(
                summary,
                whole=self._options.is_whole and not summary.run.stopped,
                on_build_server=self._on_build_server,
            )
            self._notes += [note] if note else []
        if self._history is not None:
            self._history.keep(summary, exit_code)
        return [note for note in self.notes if note not in told]


def _expected(order: Order, owners: Mapping[str, str], usual_s: Mapping[str, float]) -> Expectation:
    """Return what to expect of the tests of a run: nothing, if most of them are not known."""
    tests = dict.fromkeys(owners.values())
    known = [usual_s[test] for test in tests if test in usual_s]
    if 2 * len(known) < len(tests) or not known:
        return NOTHING_EXPECTED
    ordinary = statistics.median(known)
    paths: dict[str, float] = {}
    for uid, path in order.paths_s.items():
        test = owners[uid]
        if path > paths.get(test, 0.0):
            paths[test] = path
    usual = {test: usual_s.get(test, ordinary) for test in tests}
    return Expectation(tests_s=usual, paths_s=paths)
