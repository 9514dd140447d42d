"""What a history keeps and answers: the same on every kind of database."""

from __future__ import annotations

import contextlib
import importlib
import math
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from testloom.journal.history import HistoryStore, Kept
from testloom.journal.history_access import open_place
from testloom.journal.history_database import Database, HistoryError, HistoryLockedError
from testloom.model import reason
from testloom.model.history import PastResult, PastRun
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry

PASS, FAIL, SKIP = TestStatus.PASS, TestStatus.FAIL, TestStatus.SKIP


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a history may be made that is not there yet."""
    if request.param == "sqlite":
        yield str(tmp_path / ".testloom" / "history.db")
        return
    url = request.getfixturevalue("postgres")
    yield url
    psycopg = importlib.import_module("psycopg")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS testloom CASCADE")


@contextlib.contextmanager
def opened(place: str, *, wait_s: float = 20.0) -> Iterator[Database]:
    database = open_place(place, create=True, wait_s=wait_s)
    assert database is not None
    with contextlib.closing(database):
        yield database


def a_run(number: int, *, suite: str = "s", branch: str = "main") -> PastRun:
    return PastRun(
        run_id=f"r{number}",
        suite=suite,
        started_at=float(number),
        duration_s=1.5,
        commit="c0ffee",
        branch=branch,
        host="here",
        platform="linux",
        jobs=2,
        selected=3,
        passed=2,
        failed=1,
        skipped=0,
        exit_code=1,
    )


def a_result(
    name: str,
    status: TestStatus = PASS,
    time_s: float | None = 1.0,
    *,
    test: str = "",
    why: str = "",
) -> ResultEntry:
    return ResultEntry(
        name=name,
        test=test or name,
        status=status,
        reason=why,
        time_s=time_s,
        cpu_s=0.5,
        memory_bytes=2**40,
        slot=3,
    )


def names(results: list[PastResult]) -> list[str]:
    return [result.run_id for result in results]


def test_what_is_kept_comes_back(place: str) -> None:
    stopped = PastRun(run_id="r2", suite="s", started_at=2.0, stopped="SIGINT received")
    with opened(place) as database:
        assert database.is_new
        HistoryStore(database, "s").add(a_run(1), [a_result("t", FAIL, why="diff")])
    with opened(place) as database:
        assert not database.is_new
        store = HistoryStore(database, "s")
        store.add(stopped, [])

        assert store.runs() == [a_run(1), stopped]
        assert store.results("t") == [
            PastResult(
                name="t",
                test="t",
                run_id="r1",
                started_at=1.0,
                status=FAIL,
                reason="diff",
                time_s=1.0,
                cpu_s=0.5,
                memory_bytes=2**40,
                slot=3,
                commit="c0ffee",
                host="here",
            )
        ]


def test_results_come_in_the_order_of_time_and_only_the_last_ones(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        for number in (3, 1, 4, 2):
            store.add(a_run(number), [a_result("t"), a_result("u")] if number < 4 else [])

        assert names(store.results("t", last=2)) == ["r2", "r3"]
        assert [run.run_id for run in store.runs(last=3)] == ["r2", "r3", "r4"]
        recent = store.recent(last=3)
        assert {name: names(results) for name, results in recent.items()} == {
            "t": ["r2", "r3"],
            "u": ["r2", "r3"],
        }


def test_a_run_sees_only_those_before_it_and_only_of_its_suite_and_branch(place: str) -> None:
    with opened(place) as database:
        HistoryStore(database, "any").add(a_run(1, suite="other"), [a_result("t")])
        for number, branch in ((1, "main"), (2, "side"), (3, "main")):
            HistoryStore(database, "s").add(a_run(number, branch=branch), [a_result("t")])

        assert names(HistoryStore(database, "s", before=3.0).results("t")) == ["r1", "r2"]
        assert names(HistoryStore(database, "s", branch="side").results("t")) == ["r2"]
        assert HistoryStore(database, "s").suites() == ["s", "other"]


def test_keeping_a_run_again_takes_the_place_of_what_was_kept(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        store.add(a_run(1), [a_result("t", FAIL), a_result("gone")])
        store.add(a_run(1), [a_result("t")])

        assert [r.status for r in store.results("t")] == [PASS]
        assert store.results("gone") == []
        assert store.runs() == [a_run(1)]


def test_what_a_run_has_taken_over_from_another_counts_once(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        failed = a_result("failed", FAIL, 0.25)
        store.add(a_run(1), [a_result("same", time_s=0.1), failed, a_result("edited", time_s=0.3)])
        store.add(
            a_run(2),
            [
                a_result("same", time_s=0.1),
                msgspec.structs.replace(a_result("failed"), earlier=(failed,)),
                a_result("edited", time_s=0.4),
                a_result("new", SKIP, None),
            ],
            resumes="r1",
        )

        assert {name: names(store.results(name)) for name in ("same", "failed", "edited")} == {
            "same": ["r2"],
            "failed": ["r1", "r2"],
            "edited": ["r1", "r2"],
        }
        assert [run.run_id for run in store.runs()] == ["r1", "r2"]


def test_any_name_and_any_value_can_be_kept(place: str) -> None:
    odd = [
        "",
        "it's; DROP TABLE runs --",
        "\0nul",
        "half \ud800",
        "byte \udcff",
        "é" * 5000,
        ":run %s",
    ]
    entries = [
        ResultEntry(
            name=name,
            test=name,
            status=PASS,
            reason=name,
            time_s=math.nan if at % 2 else math.inf,
            memory_bytes=2**80,
            slot=-(2**80),
        )
        for at, name in enumerate(odd)
    ]
    run = PastRun(run_id="r", suite="s\0", started_at=1.0, commit="\ud800", host="\0")
    with opened(place) as database:
        store = HistoryStore(database, "s\0")
        store.add(run, entries)
        found = [store.results(name) for name in odd]

    assert [[(r.name, r.time_s, r.memory_bytes) for r in of_one] for of_one in found] == [
        [(name, None, 2**63 - 1)] for name in odd
    ]


def test_names_that_are_long_and_differ_at_their_ends_stay_apart(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        store.add(a_run(1), [a_result("x" * 600 + "1"), a_result("x" * 600 + "2", FAIL)])

        assert [r.status for r in store.results("x" * 600 + "1")] == [PASS]


def test_tests_that_did_not_get_to_run_are_not_kept(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        store.add(a_run(1), [a_result("t", SKIP, why=reason.RUN_ABORTED)])

        assert store.results("t") == []


def test_old_runs_are_forgotten_by_number_and_by_age_but_never_the_newest(place: str) -> None:
    day = 24 * 3600
    with opened(place) as database:
        store = HistoryStore(database, "s")
        other = HistoryStore(database, "other")
        other.add(a_run(0, suite="other"), [a_result("t")])
        for number in range(5):
            store.add(a_run(number * day), [a_result("t")])

        store.prune(Kept(runs=3, days=None), now=0.0)
        assert names(store.results("t")) == [f"r{number * day}" for number in (2, 3, 4)]
        store.prune(Kept(runs=None, days=1.5), now=5.0 * day)
        assert names(store.results("t")) == [f"r{4 * day}"]
        store.prune(Kept(runs=0, days=1.0), now=9.0 * day)
        assert names(store.results("t")) == [f"r{4 * day}"]
        assert names(other.results("t")) == ["r0"]


def test_names_that_no_run_has_any_more_are_forgotten_in_the_end(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        for number in range(25):
            store.add(a_run(number), [a_result("t"), a_result(f"n{number}", test="t")])
            store.prune(Kept(runs=1), now=0.0)

        kept = {name for (name,) in database.rows("SELECT name FROM tests")}
        assert {"t", "n24"} <= kept
        assert "n3" not in kept


@pytest.mark.parametrize("tests", [["t", "u"], ["t", "u", *(f"x{n}" for n in range(60))]])
def test_what_is_known_before_a_run_is_the_latest_result_and_the_usual_time(
    place: str, tests: list[str]
) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        for number, spent in enumerate((9.0, 1.0, 2.0, 3.0, 4.0, 5.0)):
            status = FAIL if number == 5 else PASS
            store.add(a_run(number), [a_result("t", status, spent), a_result("u", SKIP, 0.0)])
        # A run of a single test, and one that was stopped, hide nothing.
        store.add(a_run(6), [a_result("u.part", FAIL, 7.0, test="u")])
        store.add(a_run(7), [a_result("t", SKIP, None, why=reason.INTERRUPTED)])
        recap = store.recap(tests)

    latest = {name: (r.run_id, r.status) for name, r in recap.latest.items()}
    assert recap.against == "r7"
    assert latest == {"t": ("r5", FAIL), "u": ("r5", SKIP), "u.part": ("r6", FAIL)}
    assert recap.usual_s == {"t": 3.0, "u": 7.0}


def test_of_a_new_suite_nothing_is_known(place: str) -> None:
    with opened(place) as database:
        recap = HistoryStore(database, "s").recap(["t"])

    assert (recap.against, recap.latest, recap.usual_s) == ("", {}, {})


def test_names_are_found_by_what_they_did(place: str) -> None:
    flaky = a_result("retried")
    flaky = ResultEntry(
        **{name: getattr(flaky, name) for name in flaky.__struct_fields__}
        | {"earlier": (a_result("retried", FAIL),), "attempt": 2, "max_attempts": 3}
    )
    with opened(place) as database:
        store = HistoryStore(database, "s")
        for number in range(3):
            alternates = FAIL if number % 2 else PASS
            results = [
                a_result("alternates", alternates),
                a_result("steady", time_s=9.0),
                a_result("broken", FAIL, time_s=5.0),
                a_result("skipped", SKIP if number % 2 else FAIL, time_s=None),
            ]
            store.add(a_run(number), [*results, flaky] if number == 1 else results)

        assert store.unsteady(last=20) == ["alternates", "retried"]
        assert store.unsteady(last=1) == []
        assert store.ever_bad(last=20) == ["alternates", "broken", "skipped"]
        assert store.slowest(last=20, most=2) == ["steady", "broken"]
        assert [r.flaky for r in store.results("retried")] == ["2/3"]


def test_a_change_that_fails_half_way_leaves_nothing(place: str) -> None:
    with opened(place) as database:
        store = HistoryStore(database, "s")
        store.add(a_run(1), [a_result("t")])
        with pytest.raises(HistoryError):
            store.add(a_run(2), [a_result("u"), a_result("u")])

        assert store.runs() == [a_run(1)]
        assert store.results("u") == []


def test_a_newer_history_is_refused(place: str) -> None:
    with opened(place) as database:
        if "://" in place:
            database.rows("INSERT INTO version VALUES (99)")
        else:
            database.rows("PRAGMA user_version = 99")

    with pytest.raises(HistoryError, match="newer testloom"), opened(place):
        pass


def test_whoever_waits_too_long_is_told_so(place: str) -> None:
    with opened(place) as one, opened(place, wait_s=0.05) as other:
        lock = "LOCK TABLE runs" if "://" in place else "SELECT 1"
        with one.changing():
            one.rows(lock)
            with pytest.raises(HistoryLockedError, match="in use"):
                HistoryStore(other, "s").add(a_run(1), [])


@pytest.mark.slow
def test_several_may_write_at_the_same_time(place: str) -> None:
    def write(writer: int) -> None:
        with opened(place) as database:
            store = HistoryStore(database, "s")
            for number in range(20):
                run = a_run(100 * writer + number)
                store.add(run, [a_result(f"t{n}") for n in range(writer, writer + 10)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    with opened(place) as database:
        store = HistoryStore(database, "s")
        assert len(store.runs(last=1000)) == 80
        assert sum(map(len, store.recent(last=1000).values())) == 800


@pytest.mark.slow
def test_eight_processes_may_write_at_the_same_time(place: str) -> None:
    """``TESTLOOM_APPENDS`` in the environment asks for more runs of each."""
    times = int(os.environ.get("TESTLOOM_APPENDS", "10"))

    def write(writer: int) -> None:
        for number in range(times):
            with opened(place) as database:
                store = HistoryStore(database, "s")
                store.add(a_run(1000 * writer + number), [a_result("t")])

    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write, args=(writer,)) for writer in range(8)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0] * 8
    with opened(place) as database:
        assert len(HistoryStore(database, "s").runs(last=10000)) == 8 * times
    if "://" not in place:
        with contextlib.closing(sqlite3.connect(place)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_history_may_lie_in_a_directory_whose_name_is_no_text(tmp_path: Path) -> None:
    place = str(tmp_path / "caf\udce9" / "history.db")
    with opened(place) as database:
        HistoryStore(database, "s").add(a_run(1), [])
    assert os.path.isfile(place)
