"""What becomes of a run whose history is no good: nothing, but for one line."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from testloom.journal import history_schema
from testloom.journal.format import PlannedTest
from testloom.journal.history import HistoryStore, Kept
from testloom.journal.history_access import PENDING, HistoryAccess, StoredHistory, past_run
from testloom.journal.history_database import Database, HistoryDamagedError
from testloom.journal.rundir import RunDir, open_run_dir
from testloom.journal.writer import JournalWriter
from testloom.model.history import PastResult
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes.clock import ManualClock, SystemClock

EVERYTHING = Kept(runs=None, days=None)


@pytest.fixture
def access(tmp_path: Path) -> HistoryAccess:
    return HistoryAccess(
        place=str(tmp_path / "history.db"),
        suite="s",
        output_dir=str(tmp_path / "out"),
        clock=ManualClock(wall=1000.0),
    )


def summary(run_id: str, started_at: float = 1.0, status: TestStatus = TestStatus.PASS) -> Summary:
    run = RunInfo(
        run_id=run_id,
        suite="s",
        root="/",
        output_dir="/o",
        command=(),
        jobs=1,
        started_at=started_at,
        commit="c0ffee",
    )
    entry = ResultEntry(name="t", test="t", status=status)
    return Summary(run=run, entries=[entry], load=lambda _entry: ResultRecord(name="t", status=""))


def a_journal(output_dir: str, started_at: float, *, pending: bool = True) -> str:
    """Leave what a run leaves; return its id."""
    with open_run_dir(output_dir, ManualClock(wall=started_at)) as run_dir:
        _write_journal(run_dir, started_at)
        if pending:
            Path(run_dir.path, PENDING).touch()
        return run_dir.run_id


def _write_journal(run_dir: RunDir, started_at: float) -> None:
    run = summary(run_dir.run_id, started_at).run
    journal = JournalWriter(run_dir.journal, SystemClock())
    journal.run_started(run, [PlannedTest("t"), PlannedTest("u")])
    journal.result(ResultEntry(name="t", test="t", status=TestStatus.PASS), b'{"name": "t"}')
    journal.close()


def known(access: HistoryAccess) -> list[str]:
    return [run.run_id for run in access.use(lambda store: store.runs()) or ()]


def test_asking_does_not_make_a_history(access: HistoryAccess) -> None:
    history = StoredHistory(access, before=9.0)

    assert (history.runs(), history.results("t"), history.recent()) == ((), (), {})
    assert not os.path.exists(access.place)
    assert access.problem == ""


def test_a_run_is_kept_and_found_by_later_ones(access: HistoryAccess) -> None:
    assert access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    assert access.add(summary("r2", 2.0), exit_code=0, kept=EVERYTHING)

    history = StoredHistory(access, before=2.0)
    assert [run.run_id for run in history.runs()] == ["r1"]
    assert history.runs()[0] == past_run(summary("r1"), 0)
    assert [r.run_id for r in history.results("t")] == ["r1"]
    assert list(history.recent()) == ["t"]


def test_the_directory_of_a_history_is_nobody_elses_business(tmp_path: Path) -> None:
    access = HistoryAccess(place=str(tmp_path / ".testloom" / "history.db"), suite="s")
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)

    assert sorted(os.listdir(tmp_path / ".testloom")) == [".gitignore", "history.db"]
    assert (tmp_path / ".testloom" / ".gitignore").read_text() == "*\n"


# What can be wrong with the file


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _header_flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def _page_overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xa5" * 4096
    path.write_bytes(data)


def _text(path: Path) -> None:
    path.write_text("this is no database\n" * 100)


def _short(path: Path) -> None:
    path.write_text("x")


def _done(*statements: str) -> Callable[[Path], None]:
    """Return what does these *statements* to a history."""

    def spoil(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return spoil


_DONE_TO_IT = {
    "trigger": ["CREATE TRIGGER bad AFTER INSERT ON runs BEGIN DELETE FROM tests; END"],
    "view": [
        "ALTER TABLE runs RENAME TO hidden",
        "CREATE VIEW runs AS SELECT load_extension('/tmp/x.so') AS id",
    ],
    "generated column": ["ALTER TABLE tests ADD COLUMN bomb TEXT AS (hex(zeroblob(1000000000)))"],
    "huge value": ["UPDATE runs SET host = zeroblob(50000000)"],
    "no version": ["PRAGMA user_version = 0"],
    "no unicode": ["UPDATE runs SET host = CAST(x'ff' AS TEXT)"],
}


def _hot_journal_of_nonsense(path: Path) -> None:
    _page_overwritten(path)
    Path(f"{path}-journal").write_bytes(b"nonsense" * 100)


@pytest.mark.parametrize(
    "spoil",
    [
        _truncated,
        _header_flipped,
        _page_overwritten,
        _text,
        _short,
        _hot_journal_of_nonsense,
        *(pytest.param(_done(*_DONE_TO_IT[name]), id=name) for name in _DONE_TO_IT),
    ],
)
def test_a_damaged_history_is_put_aside_and_made_again_from_journals(
    access: HistoryAccess, spoil: Callable[[Path], None]
) -> None:
    run_id = a_journal(access.output_dir, 1.0)
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    spoil(Path(access.place))
    spoilt = Path(access.place).read_bytes()

    assert known(access) == [run_id]
    assert access.add(summary("r2", 2.0), exit_code=0, kept=EVERYTHING)

    aside = f"{access.place}.damaged-1000"
    assert known(access) == [run_id, "r2"]
    assert Path(aside).read_bytes() == spoilt
    assert access.problem.startswith(f"{access.place}: the history ")
    assert access.problem.endswith(
        f"it is now {aside}, and the new one is made from journals: 1 run is in it"
    )
    assert "\n" not in access.problem


def test_what_is_damaged_again_as_soon_as_it_is_made_is_given_up(
    access: HistoryAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_journal(access.output_dir, 1.0)
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)

    def opened(place: str, *, create: bool, wait_s: float) -> Database | None:
        del create, wait_s
        raise HistoryDamagedError(f"{place}: the history is damaged")

    monkeypatch.setattr("testloom.journal.history_access.open_place", opened)

    assert known(access) == []
    assert not access.add(summary("r2"), exit_code=0, kept=EVERYTHING)
    assert access.problem == f"{access.place}: the history is damaged"
    assert os.path.exists(f"{access.place}.damaged-1000")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "PRAGMA user_version = 99",
            "was written by a newer testloom (version 99 of the history, this one knows 1)",
        ),
        ("PRAGMA application_id = 7", "is a database of another program"),
    ],
)
def test_what_is_newer_or_not_ours_is_left_as_it_is(
    access: HistoryAccess, statement: str, why: str
) -> None:
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    _done(statement)(Path(access.place))
    before = Path(access.place).read_bytes()

    assert known(access) == []
    assert not access.add(summary("r2"), exit_code=0, kept=EVERYTHING)
    assert access.problem.startswith(f"{access.place}: {why}")
    assert Path(access.place).read_bytes() == before
    assert os.listdir(os.path.dirname(access.place)) == ["history.db"]


def test_a_directory_in_its_place_is_left_as_it_is(access: HistoryAccess) -> None:
    os.mkdir(access.place)

    assert not access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    assert access.problem == f"{access.place}: is no file; name another place for the history"


def test_an_empty_file_becomes_a_history(access: HistoryAccess) -> None:
    Path(access.place).touch()

    assert access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    assert (known(access), access.problem) == (["r1"], "")


def test_a_write_ahead_log_of_nobody_does_no_harm(access: HistoryAccess) -> None:
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    Path(f"{access.place}-wal").write_bytes(b"stray" * 1000)

    assert access.add(summary("r2", 2.0), exit_code=0, kept=EVERYTHING)
    assert (known(access), access.problem) == (["r1", "r2"], "")


def test_a_directory_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    access = HistoryAccess(place="/proc/nowhere/history.db", suite="s", output_dir=str(tmp_path))

    assert not access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    assert access.problem == (
        "/proc/nowhere/history.db: the history cannot be used: No such file or directory"
    )


def test_only_the_first_problem_is_told(access: HistoryAccess) -> None:
    access.problem = "first"
    os.mkdir(access.place)

    assert known(access) == []
    assert access.problem == "first"


def test_a_history_in_postgresql_needs_psycopg(
    access: HistoryAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "testloom.journal.history_postgres", None)
    access.place = "postgresql://nowhere/x"

    assert known(access) == []
    assert access.problem.endswith("install testloom[postgres]")


def test_a_server_that_is_not_there_is_told_without_the_password(access: HistoryAccess) -> None:
    pytest.importorskip("psycopg")
    access.place = "postgresql://me:secret@127.0.0.1:1/x?password=secret"

    assert not access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    assert access.problem.startswith("postgresql://me@127.0.0.1:1/x?password=...: the history ")
    assert "secret" not in access.problem
    assert "\n" not in access.problem


# Others at the same time


@pytest.fixture
def holder(access: HistoryAccess) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the file and lets go when its input ends."""
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    code = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, access.place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate()


def test_while_another_process_holds_it_nothing_is_kept_and_everything_is_later(
    access: HistoryAccess, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testloom.journal.history_access.WRITE_WAIT_S", 0.05)
    run_id = a_journal(access.output_dir, 2.0)

    assert access.use(lambda store: store.runs(), wait_s=0.05) is None
    access.take_pending(EVERYTHING)
    assert access.problem == f"{access.place}: the history is in use by another process"
    assert os.path.exists(os.path.join(access.output_dir, run_id, PENDING))

    holder.communicate()
    later = HistoryAccess(place=access.place, suite="s", output_dir=access.output_dir)
    later.take_pending(EVERYTHING)
    assert (known(later), later.problem) == (["r1", run_id], "")
    assert not os.path.exists(os.path.join(access.output_dir, run_id, PENDING))


def test_pending_runs_are_kept_but_the_one_that_goes_on(access: HistoryAccess) -> None:
    killed = a_journal(access.output_dir, 1.0)
    a_journal(access.output_dir, 2.0, pending=False)
    goes_on = a_journal(access.output_dir, 3.0)

    access.take_pending(EVERYTHING, but=goes_on)

    assert known(access) == [killed]
    results = access.use(lambda store: store.results("u"))
    assert results == []  # it did not get to run, which says nothing about it


def test_a_pending_run_whose_journal_says_nothing_is_not_asked_for_again(
    access: HistoryAccess,
) -> None:
    run_id = a_journal(access.output_dir, 1.0)
    run_dir = Path(access.output_dir, run_id)
    (run_dir / "run.journal").write_text("nonsense")

    access.take_pending(EVERYTHING)

    assert (known(access), access.problem) == ([], "")
    assert not (run_dir / PENDING).exists()


# Versions


def test_an_older_history_is_brought_up_to_date_and_what_it_was_stays(
    access: HistoryAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    before = Path(access.place).read_bytes()
    more = (*history_schema.STEPS, ("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT ''",))
    monkeypatch.setattr(history_schema, "STEPS", more)
    monkeypatch.setattr(history_schema, "VERSION", 2)

    assert access.add(summary("r2", 2.0), exit_code=0, kept=EVERYTHING)

    assert (known(access), access.problem) == (["r1", "r2"], "")
    assert Path(f"{access.place}.v1").read_bytes() == before
    with sqlite3.connect(access.place) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT note FROM runs").fetchall() == [("",), ("",)]


def test_a_history_of_every_version_can_be_read(access: HistoryAccess) -> None:
    data = Path(__file__).with_name("data")
    versions = sorted(data.glob("history-v*.sql"))
    assert len(versions) == history_schema.VERSION
    for path in versions:
        access.place = f"{access.place}-{path.stem}"
        with sqlite3.connect(access.place) as connection:
            connection.executescript(path.read_text())

        assert known(access) == ["20261127-205008-0008c"]
        results = access.use(lambda store: store.results("parser/eof")) or []
        assert [(r.status, r.reason, r.time_s) for r in results] == [
            (TestStatus.FAIL, "diff", 0.25)
        ]
        assert access.problem == ""


# Killed at any moment


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_a_write_that_is_killed_at_any_moment_is_whole_or_not_there(access: HistoryAccess) -> None:
    access.add(summary("r1"), exit_code=0, kept=EVERYTHING)
    code = """
import sys
from testloom.journal.history import HistoryStore
from testloom.journal.history_sqlite import open_file
from testloom.model.history import PastRun
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry

entries = [ResultEntry(name=f"t{n}", test=f"t{n}", status=TestStatus.PASS) for n in range(3)]
database = open_file(sys.argv[1], create=True, timeout_s=5)
HistoryStore(database, "s").add(PastRun(run_id="r2", suite="s", started_at=2.0), entries)
"""
    before = Path(access.place).read_bytes()
    outcomes = []
    for nth in range(1, 100):
        Path(access.place).write_bytes(before)
        changes = "pwrite64,fdatasync,fsync,unlink,ftruncate"
        strace = [
            "strace",
            "-qq",
            "-o",
            os.devnull,
            "-P",
            access.place,
            "-P",
            f"{access.place}-journal",
        ]
        inject = f"inject={changes}:signal=KILL:when={nth}"
        ended = subprocess.run(
            [*strace, "-e", inject, sys.executable, "-c", code, access.place],
            timeout=60,
            check=False,
        )
        if ended.returncode == 1:
            pytest.skip("no process may be traced here")
        runs = known(access)
        results = [access.use(partial(_results, f"t{n}")) for n in range(3)]
        assert access.problem == ""
        assert [len(of_one or ()) for of_one in results] == [len(runs) - 1] * 3
        outcomes.append((ended.returncode, runs))
        if ended.returncode == 0:
            break

    assert outcomes[0] == (-9, ["r1"])
    assert outcomes[-1] == (0, ["r1", "r2"])
    assert len(outcomes) > 5


def _results(name: str, store: HistoryStore) -> list[PastResult]:
    return store.results(name)
