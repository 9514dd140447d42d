"""How a run gets at its history, and what happens when that is not to be had: never anything bad.

A run is not harmed by its history.  Whatever is wrong with it is told once, in one line, and:

=====================================  ==========================================================
what is wrong                          what is done
=====================================  ==========================================================
damaged, or none of ours               put aside as ``NAME.damaged-TIME``; a new one is made
                                       from the journals in the output directory
written by a newer testloom            left as it is; this run is not kept
in use for longer than we wait         this run is kept later: it is *pending*
not to be reached, no space, ...       the same
=====================================  ==========================================================

A run is pending while the file `PENDING` is in its directory: from its beginning, so that the
results of a run that was killed are kept, too, by the next one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from testloom.journal import rundir
from testloom.journal.history import HistoryStore, Kept
from testloom.journal.history_database import (
    Database,
    HistoryDamagedError,
    HistoryError,
)
from testloom.journal.reader import Journal, read, summary_of
from testloom.model.errors import UsageError
from testloom.model.history import PastResult, PastRun
from testloom.model.summary import Summary
from testloom.processes.clock import Clock, SystemClock

PENDING: Final = "history-pending"
"""The file in the directory of a run that says that the history does not have it yet."""
READ_WAIT_S: Final = 1.0
WRITE_WAIT_S: Final = 4.0
"""How long to wait for others: a run never waits for more than both together."""
_URL: Final = re.compile(r"postgres(?:ql)?://")

T = TypeVar("T")


class HistoryAccess(msgspec.Struct, kw_only=True):
    """The way of a run, or of a command, to the history of its suite.

    Nothing is opened before it is needed, and nothing stays open.
    """

    place: str
    """Path of a file, or URL of a PostgreSQL database."""
    suite: str
    output_dir: str = ""
    """Where the journals are from which a history can be made again."""
    clock: Clock = msgspec.field(default_factory=SystemClock)
    problem: str = ""
    """What is wrong, in one line; empty if nothing is known to be."""
    _has_put_aside: bool = False

    def use(
        self,
        action: Callable[[HistoryStore], T],
        *,
        create: bool = False,
        wait_s: float = READ_WAIT_S,
        before: float = float("inf"),
        branch: str = "",
    ) -> T | None:
        """Return what *action* makes of the history; None if there is none, or it is no good.

        What is wrong then is in `problem`.  A damaged history is replaced, and *action* called
        again.
        """
        for is_last in (False, True):
            try:
                with self._open(create=create, wait_s=wait_s) as database:
                    if database is None:
                        return None
                    store = HistoryStore(database, self.suite, before=before, branch=branch)
                    return action(store)
            except HistoryDamagedError as error:
                if is_last or self._has_put_aside:  # it would be the same again
                    self._say(str(error))
                    return None
                self._put_aside(error)
            except HistoryError as error:
                self._say(str(error))
                return None
        return None

    def add(self, summary: Summary, *, exit_code: int | None, kept: Kept) -> bool:
        """Keep a run, and forget what is too old; tell whether that was possible."""
        run = past_run(summary, exit_code)

        def action(store: HistoryStore) -> bool:
            store.add(run, summary.entries, resumes=summary.run.resumes)
            store.prune(kept, self.clock.wall())
            return True

        return bool(self.use(action, create=True, wait_s=WRITE_WAIT_S))

    def take_pending(self, kept: Kept, *, but: str = "") -> None:
        """Keep the runs in the output directory that are pending, except that of the id *but*."""
        waiting = [
            run
            for run in rundir.runs(self.output_dir)
            if run != but and os.path.exists(os.path.join(self.output_dir, run, PENDING))
        ]
        if not waiting or not self.use(lambda _store: True, create=True):
            return  # journals are not read for nothing
        for run in waiting:
            path = os.path.join(self.output_dir, run)
            found = _read(path)
            if found is None or self.add(found[0], exit_code=found[1], kept=kept):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(path, PENDING))
            elif self.problem:
                return

    def rebuild(self) -> int:
        """Keep every run of the output directory again; return how many there are."""
        runs = rundir.runs(self.output_dir)
        return sum(self._import(run) for run in runs)

    def _import(self, run: str) -> bool:
        found = _read(os.path.join(self.output_dir, run))
        if found is None:
            return False
        return self.add(found[0], exit_code=found[1], kept=Kept(runs=None, days=None))

    @contextlib.contextmanager
    def _open(self, *, create: bool, wait_s: float) -> Iterator[Database | None]:
        database = open_place(self.place, create=create, wait_s=wait_s)
        if database is None:
            yield None
            return
        with contextlib.closing(database):
            yield database

    def _put_aside(self, error: HistoryError) -> None:
        self._has_put_aside = True
        stamp = int(self.clock.wall())
        aside = f"{self.place}.damaged-{stamp}"
        try:
            os.replace(self.place, aside)
            for rest in ("-journal", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.place + rest, aside + rest)
        except OSError as second:
            self._say(f"{error}; it cannot be put aside: {second.strerror}")
            return
        made = self.rebuild()
        runs = "1 run is" if made == 1 else f"{made} runs are"
        self._say(
            f"{error}; it is now {aside}, and the new one is made from journals: {runs} in it"
        )

    def _say(self, problem: str) -> None:
        self.problem = self.problem or problem


class StoredHistory:
    """A `testloom.model.history.History`: reads when it is asked, and only the runs before one."""

    def __init__(self, access: HistoryAccess, *, before: float) -> None:
        self._access = access
        self._before = before

    def runs(self, last: int = 20) -> Sequence[PastRun]:
        return self._ask(lambda store: store.runs(last)) or ()

    def results(self, name: str, last: int = 50) -> Sequence[PastResult]:
        return self._ask(lambda store: store.results(name, last)) or ()

    def recent(self, last: int = 20) -> Mapping[str, Sequence[PastResult]]:
        return self._ask(lambda store: store.recent(last)) or {}

    def _ask(self, question: Callable[[HistoryStore], T]) -> T | None:
        return self._access.use(question, before=self._before)


def is_url(place: str) -> bool:
    """Tell whether *place* is a database elsewhere, not a file."""
    return bool(_URL.match(place))


def open_place(place: str, *, create: bool, wait_s: float) -> Database | None:
    """Open the history at *place*; None if there is none and *create* is not set.

    Raises:
        HistoryError: it cannot be used.
    """
    # Only now: each takes as long to import as a small test takes to run.
    if is_url(place):
        try:
            postgres = importlib.import_module("testloom.journal.history_postgres")
        except ImportError as error:
            raise HistoryError(
                f"the history is in PostgreSQL, and psycopg is not there ({error}):"
                " install testloom[postgres]"
            ) from error
        found: Database | None = postgres.open_database(place, create=create, timeout_s=wait_s)
    else:
        sqlite = importlib.import_module("testloom.journal.history_sqlite")
        found = sqlite.open_file(place, create=create, timeout_s=wait_s)
    return found


def past_run(summary: Summary, exit_code: int | None) -> PastRun:
    """Return what is kept of the run of *summary* as a whole."""
    run = summary.run
    return PastRun(
        run_id=run.run_id,
        suite=run.suite,
        started_at=run.started_at,
        duration_s=run.duration_s,
        commit=run.commit,
        branch=run.branch,
        host=run.host,
        platform=run.platform,
        jobs=run.jobs,
        selected=run.selected,
        passed=summary.passed,
        failed=summary.failed,
        skipped=summary.skipped,
        stopped=run.stopped,
        exit_code=exit_code,
    )


def _read(path: str) -> tuple[Summary, int | None] | None:
    """Return the run in the directory *path*; None if its journal does not say."""
    try:
        journal: Journal = read(os.path.join(path, rundir.JOURNAL))
        return summary_of(journal), journal.exit_code
    except UsageError:
        return None
