"""The history: what is kept of every run, and the questions that it answers.

The same queries run on every kind of database (see `history_database`).  All of them ask about
one suite; with *before*, only about runs that started earlier, so that a run can be looked at
as it was when it ended.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from testloom.journal.history_database import (
    Database,
    Row,
    Values,
    plain_count,
    plain_number,
    plain_text,
)
from testloom.model import reason
from testloom.model.history import PastResult, PastRun, Recap
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry

_STATUSES: Final = {status.value: status for status in TestStatus}
_RUN: Final = (
    "run_id, suite, started_at, duration_s, commit_id, branch, host, platform, jobs, selected,"
    " passed, failed, skipped, stopped, exit_code"
)
_RESULT: Final = "status, reason, time_s, cpu_s, memory_bytes, slot, flaky"
_EARLIER: Final = "suite = :suite AND started_at < :before"
_NEWEST: Final = "ORDER BY started_at DESC, id DESC LIMIT :last"
_BAD: Final = f"({TestStatus.FAIL.value}, {TestStatus.ERROR.value})"
_IDLE: Final = f"({TestStatus.SKIP.value}, {TestStatus.NOT_APPLICABLE.value})"
_USUAL: Final = 5
"""Results of a test that its usual time is made of."""
_MOST_RUNS: Final = 50
"""Runs that are looked through for them."""
_MOST_PARTS: Final = 500
"""Results of one test besides its own that are looked at."""
_FEW: Final = 50
"""Tests that are asked for one by one."""
_FORGOTTEN: Final = 20
"""Names that no run has any more are removed with every so many-th run."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; None for no limit."""

    runs: int | None = 200
    days: float | None = 90


class HistoryStore:
    """The history of one suite in an open database.

    Every method may raise a `HistoryError`.
    """

    def __init__(
        self, database: Database, suite: str, *, before: float = math.inf, branch: str = ""
    ) -> None:
        self._database = database
        self._suite = plain_text(suite)
        self._before = before if before < math.inf else 1e300
        self._branch = plain_text(branch)

    # -- writing --------------------------------------------------------------------------------

    def add(self, run: PastRun, entries: Iterable[ResultEntry], *, resumes: str = "") -> None:
        """Keep *run*, whichever suite it is of; if it is kept already, this takes its place.

        What it has taken over from the run *resumes* is not kept there any more: nothing happened
        twice.
        """
        results = [e for e in entries if e.reason != reason.RUN_ABORTED]  # they say nothing
        names = {name: plain_text(name) for e in results for name in (e.name, e.test)}
        database, suite, host = self._database, plain_text(run.suite), plain_text(run.host)
        key: dict[str, Any] = {"run_id": run.run_id, "suite": suite, "host": host}
        with database.changing():
            same = "SELECT id FROM runs WHERE suite = :suite AND run_id = :run_id AND host = :host"
            for (old,) in database.rows(same, key):
                self._forget(old)
            columns = _RUN.replace(", ", ", :").replace(" ", "")
            ((number,),) = database.rows(
                f"INSERT INTO runs ({_RUN}) VALUES (:{columns}) RETURNING id",  # noqa: S608 - constants
                _run_values(run) | key,
            )
            # In order, so that two runs that add the same names never wait for each other.
            database.change_many(
                "INSERT INTO tests (name) VALUES (:name) ON CONFLICT (name) DO NOTHING",
                [{"name": name} for name in sorted({*names.values()})],
            )
            database.change_many(_ADD_RESULT, (_result_values(number, e, names) for e in results))
            if resumes:
                self._take_over(suite, resumes, results)

    def _take_over(self, suite: str, run_id: str, results: Iterable[ResultEntry]) -> None:
        """Forget those *results* of the run *run_id* that another one has: same test, same time.

        What ran again is not forgotten: that it failed at first is something that happened.
        """
        of_run = "SELECT id FROM runs WHERE suite = :suite AND run_id = :run_id"
        for (old,) in self._database.rows(of_run, {"suite": suite, "run_id": run_id}):
            self._database.change_many(
                "DELETE FROM results WHERE run = :run AND status = :status AND time_s = :time_s"
                " AND test = (SELECT id FROM tests WHERE name = :name)",
                (
                    {
                        "run": old,
                        "name": plain_text(entry.name),
                        "status": entry.status.value,
                        "time_s": time_s,
                    }
                    for entry in results
                    if (time_s := plain_number(entry.time_s)) is not None
                ),
            )

    def prune(self, kept: Kept, now: float) -> None:
        """Forget the runs that are more or older than *kept* says; the newest one stays."""
        since = -1.0 if kept.days is None else now - kept.days * 24 * 3600.0
        old = self._database.rows(
            "SELECT id, started_at FROM runs WHERE suite = :suite"
            " ORDER BY started_at DESC, id DESC LIMIT 1000000 OFFSET 1",
            {"suite": self._suite},
        )
        most = len(old) if kept.runs is None else max(0, kept.runs - 1)
        for at, (number, started_at) in enumerate(old):
            if at >= most or started_at < since:
                with self._database.changing():  # one at a time: others may be waiting
                    self._forget(number)
                    if number % _FORGOTTEN == 0:
                        self._forget_names()

    def _forget(self, number: int) -> None:
        self._database.rows("DELETE FROM results WHERE run = :run", {"run": number})
        self._database.rows("DELETE FROM runs WHERE id = :run", {"run": number})

    def _forget_names(self) -> None:
        self._database.rows(
            "DELETE FROM tests WHERE id NOT IN (SELECT test FROM results)"
            " AND id NOT IN (SELECT parent FROM results WHERE parent IS NOT NULL)"
        )

    # -- questions ------------------------------------------------------------------------------

    def runs(self, last: int = 20) -> list[PastRun]:
        """Return the *last* runs, the newest at the end."""
        query = f"SELECT {_RUN} FROM runs WHERE {self._which} {_NEWEST}"  # noqa: S608 - constants
        return [_run_of(row) for row in reversed(self._database.rows(query, self._asked(last)))]

    def results(self, name: str, last: int = 50) -> list[PastResult]:
        """Return the results of *name* in the *last* runs that had one, the newest at the end."""
        query = f"""
            SELECT r.run_id, r.started_at, r.commit_id, r.host, p.name, {_of("x")}
            FROM runs r JOIN results x ON x.run = r.id JOIN tests t ON t.id = x.test
            LEFT JOIN tests p ON p.id = x.parent
            WHERE {self._which} AND t.name = :name
            ORDER BY r.started_at DESC, r.id DESC LIMIT :last
        """  # noqa: S608 - constants
        rows = self._database.rows(query, self._asked(last) | {"name": plain_text(name)})
        found = [_result_of(name, row[:4], row[4], row[5:]) for row in reversed(rows)]
        return [result for result in found if result is not None]

    def recent(self, last: int = 20) -> dict[str, list[PastResult]]:
        """Return, by name, all results of the *last* runs, each list with the newest at the end."""
        found: dict[str, list[PastResult]] = {}
        for number, run in reversed(self._newest(last)):
            for result in self._results_of(number, run):
                found.setdefault(result.name, []).append(result)
        return found

    def recap(self, tests: Collection[str]) -> Recap:
        """Return what is known of *tests* now: how their results were last, how long they take.

        Runs of a few tests only must not hide what is known of the others, so as many runs are
        looked through as that takes, within reason.
        """
        newest = self._newest(_MOST_RUNS)
        latest: dict[str, PastResult] = {}
        times = _Times()
        wanted = frozenset(map(plain_text, tests))
        for result in self._for_recap(newest, tests):
            if result.test not in wanted:
                continue
            if result.reason not in (reason.RUN_ABORTED, reason.INTERRUPTED):
                latest.setdefault(result.name, result)
            times.add(result)
        return Recap(
            against=newest[0][1][0] if newest else "", latest=latest, usual_s=times.medians()
        )

    def _for_recap(
        self, newest: Sequence[tuple[int, Row]], tests: Collection[str]
    ) -> Iterator[PastResult]:
        """Yield results of *tests*, the newest first."""
        if len(tests) <= _FEW:
            for test in tests:
                yield from self._of_test(test)
            return
        left = _USUAL * len(tests)
        for number, run in newest:
            for result in self._results_of(number, run):
                left -= 1
                yield result
            if left <= 0:
                break

    def unsteady(self, last: int) -> list[str]:
        """Return the names that both passed and failed in the *last* runs, or were flaky."""
        bad = f"MAX(CASE WHEN x.status IN {_BAD} THEN 1 ELSE 0 END)"
        good = f"MAX(CASE WHEN x.status IN {_BAD} OR x.status IN {_IDLE} THEN 0 ELSE 1 END)"
        return self._names(f"{bad} + {good} = 2 OR MAX(x.flaky) <> ''", last)

    def ever_bad(self, last: int) -> list[str]:
        """Return the names that failed in any of the *last* runs."""
        return self._names(f"MAX(CASE WHEN x.status IN {_BAD} THEN 1 ELSE 0 END) = 1", last)

    def slowest(self, last: int, most: int) -> list[str]:
        """Return the *most* names that took longest in the *last* runs, on average."""
        return self._names("MAX(x.time_s) > 0", last, order="AVG(x.time_s) DESC", most=most)

    def suites(self) -> list[str]:
        """Return the names of all suites that have a run here, the one of the newest run first."""
        found = self._database.rows(
            "SELECT suite FROM runs GROUP BY suite ORDER BY MAX(started_at) DESC"
        )
        return [str(suite) for (suite,) in found]

    # -- how they are answered ------------------------------------------------------------------

    @property
    def _which(self) -> str:
        """The condition on the runs that are looked at."""
        return f"{_EARLIER} AND branch = :branch" if self._branch else _EARLIER

    def _asked(self, last: int) -> dict[str, Any]:
        asked: dict[str, Any] = {"suite": self._suite, "before": self._before, "last": last}
        return asked | ({"branch": self._branch} if self._branch else {})

    def _newest(self, last: int) -> Sequence[tuple[int, Row]]:
        """Return number and facts of the *last* runs, the newest first."""
        query = f"""
            SELECT id, run_id, started_at, commit_id, host
            FROM runs WHERE {self._which} {_NEWEST}
        """  # noqa: S608 - constants
        return [(row[0], row[1:]) for row in self._database.rows(query, self._asked(last))]

    def _results_of(self, number: int, run: Row) -> Iterator[PastResult]:
        """Yield the results of a run."""
        query = f"""
            SELECT t.name, p.name, {_of("x")}
            FROM results x JOIN tests t ON t.id = x.test LEFT JOIN tests p ON p.id = x.parent
            WHERE x.run = :run
        """  # noqa: S608 - constants
        for name, parent, *rest in self._database.rows(query, {"run": number}):
            result = _result_of(name, run, parent, rest)
            if result is not None:
                yield result

    def _of_test(self, test: str) -> Iterator[PastResult]:
        """Yield the last results of *test*, its own and the others it has, the newest first."""
        for which, most in (("t.name = :name", 2 * _USUAL), ("p.name = :name", _MOST_PARTS)):
            query = f"""
                SELECT r.run_id, r.started_at, r.commit_id, r.host, t.name, p.name, {_of("x")}
                FROM results x JOIN tests t ON t.id = x.test JOIN runs r ON r.id = x.run
                LEFT JOIN tests p ON p.id = x.parent
                WHERE {which} AND {self._which} ORDER BY r.started_at DESC, r.id DESC LIMIT :last
            """  # noqa: S608 - constants
            for row in self._database.rows(query, self._asked(most) | {"name": plain_text(test)}):
                result = _result_of(row[4], row[:4], row[5], row[6:])
                if result is not None:
                    yield result

    def _names(self, having: str, last: int, *, order: str = "t.name", most: int = -1) -> list[str]:
        limit = f" LIMIT {most}" if most >= 0 else ""
        query = f"""
            SELECT t.name FROM results x JOIN tests t ON t.id = x.test
            WHERE x.run IN (SELECT id FROM runs WHERE {self._which} {_NEWEST})
            GROUP BY t.id, t.name HAVING {having} ORDER BY {order}{limit}
        """  # noqa: S608 - constants
        return [str(name) for (name,) in self._database.rows(query, self._asked(last))]


class _Times:
    """How long tests took, from results that come with the newest first, run by run."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}
        self._seen_in: dict[str, str] = {}

    def add(self, result: PastResult) -> None:
        spent, test = result.time_s, result.test
        if spent is None or not result.ran:
            return
        times = self._times.setdefault(test, [])
        if self._seen_in.get(test) == result.run_id:
            # A test's own result has the time of the whole, any other that of a part.
            times[-1] = max(times[-1], spent)
        elif len(times) < _USUAL:
            times.append(spent)
            self._seen_in[test] = result.run_id

    def medians(self) -> dict[str, float]:
        return {test: statistics.median(times) for test, times in self._times.items()}


def _of(table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in _RESULT.split(", "))


_ADD_RESULT: Final = f"""
    INSERT INTO results (run, test, parent, {_RESULT})
    SELECT :run, t.id, (SELECT p.id FROM tests p WHERE p.name = :parent),
           {":" + _RESULT.replace(", ", ", :")}
    FROM tests t WHERE t.name = :name
"""  # noqa: S608 - constants


def _run_values(run: PastRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "suite": plain_text(run.suite),
        "started_at": plain_number(run.started_at) or 0.0,
        "duration_s": plain_number(run.duration_s) or 0.0,
        "commit_id": plain_text(run.commit),
        "branch": plain_text(run.branch),
        "host": plain_text(run.host),
        "platform": plain_text(run.platform),
        "jobs": plain_count(run.jobs),
        "selected": plain_count(run.selected),
        "passed": plain_count(run.passed),
        "failed": plain_count(run.failed),
        "skipped": plain_count(run.skipped),
        "stopped": plain_text(run.stopped),
        "exit_code": run.exit_code,
    }


def _run_of(row: Row) -> PastRun:
    names = [name.removesuffix("_id") if name == "commit_id" else name for name in _RUN.split(", ")]
    return PastRun(**dict(zip(names, row, strict=True)))


def _result_values(number: int, entry: ResultEntry, names: Mapping[str, str]) -> Values:
    """Return the row of *entry* in run *number*; *names* are those of tests, as they are kept."""
    return {
        "run": number,
        "name": names[entry.name],
        "parent": None if entry.test == entry.name else names[entry.test],
        "status": entry.status.value,
        "reason": plain_text(entry.reason),
        "time_s": plain_number(entry.time_s),
        "cpu_s": plain_number(entry.cpu_s),
        "memory_bytes": plain_count(entry.memory_bytes),
        "slot": plain_count(entry.slot),
        "flaky": entry.tries if entry.is_flaky else "",
    }


def _result_of(name: str, run: Row, parent: str | None, rest: Sequence[Any]) -> PastResult | None:
    """Return the result in a row; None if it makes no sense."""
    run_id, started_at, commit, host = run
    status, why, time_s, cpu_s, memory_bytes, slot, flaky = rest
    if status not in _STATUSES:
        return None
    return PastResult(
        name=name,
        test=parent or name,
        run_id=run_id,
        started_at=started_at,
        status=_STATUSES[status],
        reason=why,
        time_s=time_s,
        cpu_s=cpu_s,
        memory_bytes=memory_bytes,
        slot=slot,
        commit=commit,
        host=host,
        flaky=flaky,
    )
