"""What of a run that was cut off has to run again: the table of `testloom.suite.resuming`."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import msgspec
import pytest

from testloom.journal.format import PlannedTest as JournalTest
from testloom.journal.reader import read, summary_of
from testloom.journal.writer import JournalWriter
from testloom.model.errors import UsageError
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock
from testloom.scheduling.graph import Graph
from testloom.suite.carrying import Resumed, known_tests, selecting_words
from testloom.suite.fingerprints import Fingerprints
from testloom.suite.planning import Plan, PlannedTest
from testloom.suite.resuming import Fate, Known, fates
from testloom.suite.run_options import RunOptions

RUN = RunInfo(run_id="r1", suite="s", root="/", output_dir="/o", command=(), jobs=1, started_at=0.0)


def results(*statuses: TestStatus) -> list[ResultEntry]:
    return [ResultEntry(name=f"t{n}", test="t", status=status) for n, status in enumerate(statuses)]


def known(*statuses: TestStatus, is_settled: bool = True, inputs: str = "1") -> Known:
    return Known(inputs=inputs, is_settled=is_settled, results=results(*statuses))


PASS, FAIL, SKIP = TestStatus.PASS, TestStatus.FAIL, TestStatus.SKIP


@pytest.mark.parametrize(
    ("old", "now", "fate"),
    [
        (known(PASS), "1", Fate.CARRIED),
        (known(PASS, TestStatus.XFAIL, TestStatus.XPASS, TestStatus.VERIFY), "1", Fate.CARRIED),
        (known(PASS, FAIL), "1", Fate.FAILED),
        (known(TestStatus.ERROR), "1", Fate.FAILED),
        (known(SKIP), "1", Fate.UNFINISHED),
        (known(PASS, SKIP), "1", Fate.UNFINISHED),
        (known(TestStatus.NOT_APPLICABLE), "1", Fate.UNFINISHED),
        (known(), "1", Fate.UNFINISHED),
        (known(PASS, is_settled=False), "1", Fate.UNFINISHED),
        (known(FAIL, is_settled=False), "1", Fate.UNFINISHED),
        (known(PASS), "2", Fate.CHANGED),
        (known(FAIL), "2", Fate.CHANGED),
        (known(PASS, inputs=""), "1", Fate.CHANGED),
        (known(PASS, inputs=""), "", Fate.CHANGED),
        (None, "1", Fate.ADDED),
    ],
)
def test_only_what_ran_to_its_end_well_and_is_unchanged_is_carried(
    old: Known | None, now: str, fate: Fate
) -> None:
    assert fates({"t": old} if old else {}, {"t": now}, {}) == {"t": fate}


def test_what_is_gone_or_renamed_is_no_part_of_the_new_run() -> None:
    old = {"gone": known(PASS), "old name": known(PASS), "t": known(PASS)}
    assert fates(old, {"new name": "1", "t": "1"}, {}) == {
        "new name": Fate.ADDED,
        "t": Fate.CARRIED,
    }


def test_what_follows_a_changed_test_runs_again_and_what_is_needed_for_it_does_too() -> None:
    # base -> edited -> after -> last    other -> last    alone
    follows = {"edited": ["base"], "after": ["edited"], "last": ["after", "other"]}
    names = ("base", "edited", "after", "other", "last", "alone")
    old = {name: known(PASS) for name in names}
    assert fates(old, dict.fromkeys(names, "1") | {"edited": "2"}, follows) == {
        "base": Fate.NEEDED,
        "edited": Fate.CHANGED,
        "after": Fate.CHANGED,
        "other": Fate.NEEDED,
        "last": Fate.CHANGED,
        "alone": Fate.CARRIED,
    }


def test_what_passed_after_a_test_that_failed_stays_unless_that_one_changed() -> None:
    follows = {"after": ["base"]}
    old = {"base": known(FAIL), "after": known(PASS)}
    found = fates(old, {"base": "1", "after": "1"}, follows)
    assert found == {"base": Fate.FAILED, "after": Fate.CARRIED}


class Old:
    """A journal of a run that was cut off, and the plan of the run that resumes it.

    ``a`` passed with two results, ``b`` failed twice, ``c`` failed once and was cut off in its
    second attempt, ``d`` was skipped, ``e`` was not reached.
    """

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "run.journal"
        self.ends: dict[str, int] = {}
        names = "abcde"
        writer = JournalWriter(str(self.path), ManualClock())
        writer.run_started(
            RUN, [JournalTest(name, inputs="1") for name in names], words=("--keyword=x",)
        )

        def write(name: str, status: TestStatus, *, attempt: int = 0, settles: bool = True) -> None:
            entry = ResultEntry(
                name=name, test=name[0], status=status, attempt=abs(attempt) or 1, max_attempts=2
            )
            record = ResultRecord(name=name, status=status.name, log=f"{name} {attempt}")
            data = msgspec.json.encode(record)
            if attempt < 0:
                writer.attempt(entry, data)
            else:
                writer.result(entry, data, settles=settles)
            writer.flush()
            self.ends[f"{name}{attempt}"] = self.path.stat().st_size

        write("a.1", PASS, settles=False)
        write("a", PASS)
        write("b", FAIL, attempt=-1)
        write("b", FAIL, attempt=2)
        write("c", FAIL, attempt=-1)
        write("d", SKIP)
        writer.fragment_started("c.run", "c", 0, attempt=2)
        writer.close()

    def resumed(self) -> Any:
        """Return the old run, without a directory to find it in."""
        resumed = Resumed.__new__(Resumed)
        resumed.journal = read(str(self.path))
        resumed.run_id = "r1"
        return resumed


def plan_of(names: str, inputs: str = "1") -> Plan:
    tests = {name: PlannedTest(name, "D", "", 1, (), left=1, inputs=inputs) for name in names}
    graph = Graph()
    graph.vertex_data = {f"{name}.run": None for name in names}
    graph.predecessors = {f"{name}.run": frozenset() for name in names}
    return Plan(graph, tests, {f"{name}.run": tests[name] for name in names}, [], {})


def test_a_run_that_is_resumed_gives_what_it_has(tmp_path: Path) -> None:
    plan = plan_of("abcdef")
    carry = Old(tmp_path).resumed().carry(plan)
    assert list(plan.owners) == ["b.run", "c.run", "d.run", "e.run", "f.run"]
    assert list(plan.graph.predecessors) == list(plan.owners)
    earlier = {name: [one.tries for one in test.earlier] for name, test in plan.tests.items()}
    assert earlier == {"a": [], "b": ["1/2", "2/2"], "c": ["1/2"], "d": [], "e": [], "f": []}
    assert carry.note == (
        "resumes r1: 1 of 6 tests carried over; 1 failed before, 3 not finished, 1 new"
    )


def test_what_is_carried_can_be_read_without_the_old_run(tmp_path: Path) -> None:
    plan = plan_of("abcde")
    old = Old(tmp_path)
    carry = old.resumed().carry(plan)
    new = tmp_path / "new.journal"
    writer = JournalWriter(str(new), ManualClock())
    info = msgspec.structs.replace(RUN, resumes="r1")
    writer.run_started(info, [JournalTest(name, inputs="1") for name in "abcde"])
    assert not read(str(new)).carried

    counting, earlier = carry.into(writer)
    writer.close()
    old.path.unlink()
    journal = read(str(new))
    assert journal.carried
    assert [entry.name for entry in counting] == ["a.1", "a"]
    assert {test: len(found) for test, found in earlier.items()} == {"b": 2, "c": 1}
    summary = summary_of(journal)
    assert [
        (e.name, e.status.name, summary.load(e).log, [summary.load(one).log for one in e.earlier])
        for e in summary.entries
        if e.test in "abc"
    ] == [
        ("a.1", "PASS", "a.1 0", []),
        ("a", "PASS", "a 0", []),
        ("b", "SKIP", "", ["b -1", "b 2"]),
        ("c", "SKIP", "", ["c -1"]),
    ]
    assert known_tests(journal)["a"].has_passed


@pytest.mark.slow
def test_wherever_the_journal_is_cut_off_no_test_passes_that_did_not_run(tmp_path: Path) -> None:
    old = Old(tmp_path)
    data = old.path.read_bytes()
    first_record = data.index(b"\n") + 1
    for cut in range(len(data) + 1):
        old.path.write_bytes(data[:cut])
        if cut < first_record:
            assert read(str(old.path)).run is None
            continue
        plan = plan_of("abcde")
        carry = old.resumed().carry(plan)
        carried = {name for name, fate in carry.fates.items() if fate is Fate.CARRIED}
        assert carried == ({"a"} if cut >= old.ends["a0"] else set())
        failed = {name for name, fate in carry.fates.items() if fate is Fate.FAILED}
        assert failed == ({"b"} if cut >= old.ends["b2"] else set())
        assert set(plan.owners) == {f"{name}.run" for name in set("abcde") - carried}


def test_a_run_that_was_killed_while_it_took_over_is_passed_over(tmp_path: Path) -> None:
    for run_id, resumes in (("20260101-000000-00000", ""), ("20260101-000000-00001", "000-00000")):
        run_dir = tmp_path / run_id
        run_dir.mkdir()
        (run_dir / ".testloom-out").touch()
        writer = JournalWriter(str(run_dir / "run.journal"), ManualClock())
        writer.run_started(msgspec.structs.replace(RUN, run_id=run_id, resumes=resumes), [])
        writer.close()
    assert Resumed(str(tmp_path), "latest").run_id == "20260101-000000-00000"


def test_what_holds_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    run_dir = tmp_path / "20260101-000000-00000"
    run_dir.mkdir()
    (run_dir / ".testloom-out").touch()
    (run_dir / "run.journal").write_bytes(b"")
    with pytest.raises(
        UsageError, match=r"holds no run, so none can be resumed; start a new one, or name"
    ):
        Resumed(str(tmp_path), "latest")


def test_the_selection_of_the_old_run_counts_unless_there_is_another(tmp_path: Path) -> None:
    resumed = Old(tmp_path).resumed()
    assert resumed.selection(RunOptions()) == ("--keyword=x",)
    options = RunOptions(keyword="y", tags="smoke", exclude=("z*",), paths=("-a", "b"))
    assert resumed.selection(options) == ()
    assert selecting_words(options) == (
        *("--exclude=z*", "--keyword=y", "--tags=smoke"),
        *("--", "-a", "b"),
    )


def touch(path: Path) -> None:
    path.write_text(path.read_text())


def test_a_fingerprint_changes_with_any_file_below_and_with_the_driver(tmp_path: Path) -> None:
    test = tmp_path / "t"
    (test / "sub" / "deep").mkdir(parents=True)
    (test / "test.yaml").write_text("")
    (test / "sub" / "deep" / "data").write_text("x")
    (tmp_path / "other").mkdir()
    driver, other = types.new_class("D"), types.new_class("E")

    def now(cls: type = driver) -> str:
        return Fingerprints().of(str(test), cls)

    seen = [now(), now(other)]
    touch(test / "sub" / "deep" / "data")
    seen.append(now())
    (test / "sub" / "new").mkdir()
    seen.append(now())
    (test / "sub" / "deep" / "data").rename(test / "sub" / "deep" / "date")
    seen.append(now())
    (test / "link").symlink_to("nowhere")
    seen.append(now())
    assert len(set(seen)) == len(seen)
    (tmp_path / "other" / "file").touch()
    assert now() == seen[-1]


def test_what_a_run_writes_does_not_change_fingerprints_nor_does_what_is_not_there(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    before = Fingerprints([str(out)]).of(str(tmp_path), str)
    out.mkdir()
    (out / "x").touch()
    assert Fingerprints([str(out)]).of(str(tmp_path), str) == before != ""
    assert Fingerprints().of(str(tmp_path / "gone"), str) == ""
