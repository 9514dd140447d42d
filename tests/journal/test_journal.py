"""What is written to a journal is what is read from it, wherever it is cut off."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.fuzzing import trying

from testloom.journal.format import (
    HEADER_SIZE,
    FragmentEnd,
    FragmentStart,
    JournalError,
    PlannedTest,
)
from testloom.journal.reader import Journal, read, summary_of
from testloom.journal.writer import JournalWriter
from testloom.model.errors import UsageError
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock

RUN = RunInfo(
    run_id="r1",
    suite="calc",
    root="/calc",
    output_dir="/calc/out",
    command=("./run-tests", "-j2"),
    jobs=2,
    started_at=1000.0,
    host="h",
    platform="p",
    selected=3,
)
TESTS = (
    PlannedTest("a", "a/test.yaml", 1, "diff", ("smoke",)),
    PlannedTest("b", "b/test.yaml", 7, "diff"),
    PlannedTest("é\n", "c"),
)


def entry_of(test: PlannedTest, status: TestStatus = TestStatus.PASS) -> ResultEntry:
    return ResultEntry(
        name=test.name,
        test=test.name,
        status=status,
        message="why",
        reason="diff",
        failure_reasons=("DIFF",),
        time_s=0.5,
        cpu_s=0.25,
        slot=1,
        started_s=0.125,
        driver=test.driver,
        source=test.source,
        line=test.line,
        tags=test.tags,
        info={"k": "v"},
    )


def record_of(entry: ResultEntry, log: str = "some log\n") -> ResultRecord:
    return ResultRecord(
        name=entry.name,
        status=entry.status.name,
        msg="why",
        log=log,
        out_bytes=b"\xff",
        processes=[{"cmd": ["x"], "status": 1}],
    )


def placed(entry: ResultEntry, place: int) -> ResultEntry:
    return msgspec.structs.replace(entry, place=place)


def write(path: Path, *, log: str = "some log\n") -> list[ResultEntry]:
    """Write a run of three tests, of which the last is still running; return the entries."""
    clock = ManualClock(now=50.0)
    writer = JournalWriter(str(path), clock)
    clock.advance(1.0)
    writer.run_started(RUN, TESTS)
    entries = []
    for uid, test in zip(("u1", "u2"), TESTS, strict=False):
        writer.fragment_started(uid, test.name, 1)
        clock.advance(0.5)
        entry = entry_of(test)
        place = writer.result(entry, msgspec.json.encode(record_of(entry, log)))
        entries.append(placed(entry, place))
        writer.fragment_ended(uid, 1, "Returned", 0.5, 0.25)
    writer.fragment_started("u3", TESTS[2].name, 2, attempt=2)
    writer.run_ended(duration_s=1.5, stopped="enough", exit_code=2)
    writer.close()
    return entries


def test_a_journal_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    entries = write(path)
    assert read(str(path)) == Journal(
        path=str(path),
        run=msgspec.structs.replace(RUN, duration_s=1.5, stopped="enough"),
        tests=list(TESTS),
        entries=entries,
        attempts={},
        settled=set(),
        words=(),
        carried=True,
        ends=[
            FragmentEnd(t=0.5, uid="u1", slot=1, end="Returned", wall_s=0.5, cpu_s=0.25),
            FragmentEnd(t=1.0, uid="u2", slot=1, end="Returned", wall_s=0.5, cpu_s=0.25),
        ],
        running=(FragmentStart(t=1.0, uid="u3", test="é\n", slot=2, attempt=2),),
        dropped_bytes=0,
        skipped=0,
        complete=True,
        exit_code=2,
        last_t=1.0,
    )


def test_the_whole_file_is_checksummed_lines_of_json(tmp_path: Path) -> None:
    write(tmp_path / "run.journal")
    kinds = []
    for line in (tmp_path / "run.journal").read_bytes().splitlines(keepends=True):
        header, data = line[:HEADER_SIZE], line[HEADER_SIZE:-1]
        assert header == b"%010d %08x " % (len(data), zlib.crc32(data))
        kinds.append(msgspec.json.decode(data)["type"])
    assert kinds == [
        "run-start",
        "tests",
        "fragment-start",
        "result",
        "fragment-end",
        "fragment-start",
        "result",
        "fragment-end",
        "fragment-start",
        "run-end",
    ]


def test_a_record_is_stored_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    entry = entry_of(TESTS[0])
    writer = JournalWriter(str(path), ManualClock())
    odd = b'{ "status":"PASS", "name":"a", "later": [1, 2],\n "log": "\\u0041" }'
    place = writer.result(entry, odd)
    assert odd in path.read_bytes()
    assert writer.load(placed(entry, place)) == ResultRecord(name="a", status="PASS", log="A")
    writer.close()


@pytest.mark.parametrize("log", ["", "x" * 15_000, "x" * 17_000, "x" * 300_000])
def test_results_are_loaded_by_their_place(tmp_path: Path, log: str) -> None:
    path = tmp_path / "run.journal"
    entries = write(path, log=log)
    summary = summary_of(read(str(path)))
    assert [summary.load(entry) for entry in summary.entries] == [
        record_of(entry, log) for entry in entries
    ]


def test_a_summary_of_a_complete_run_is_the_run(tmp_path: Path) -> None:
    entries = write(tmp_path / "run.journal")
    summary = summary_of(read(str(tmp_path / "run.journal")))
    assert (summary.run.duration_s, summary.run.stopped) == (1.5, "enough")
    assert (summary.entries, summary.notes) == (entries, [])


def test_a_result_is_in_the_file_at_once_and_fragments_come_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer = JournalWriter(str(path), ManualClock())
    writer.run_started(RUN, TESTS)
    before = path.stat().st_size
    writer.fragment_started("u1", "a", 1)
    assert path.stat().st_size == before
    writer.result(entry_of(TESTS[0]), b"{}")
    assert path.read_bytes()[before:].count(b"\n") == 2
    writer.fragment_ended("u1", 1, "Returned", 0.5, 0.25)
    written = path.stat().st_size
    writer.flush()
    assert path.stat().st_size > written
    writer.close()


def test_many_fragments_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer = JournalWriter(str(path), ManualClock())
    writer.run_started(RUN, TESTS)
    for number in range(2000):
        writer.fragment_started(f"u{number}", "a", 1)
    assert path.stat().st_size > 100_000
    writer.close()
    assert len(read(str(path)).running) == 2000


def test_more_tests_than_fit_a_record(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    many = [PlannedTest(f"t{number}") for number in range(2500)]
    writer = JournalWriter(str(path), ManualClock())
    writer.run_started(RUN, many)
    writer.close()
    assert read(str(path)).tests == many


def test_a_journal_cut_off_anywhere_keeps_every_whole_record(tmp_path: Path) -> None:
    whole = tmp_path / "run.journal"
    entries = write(whole)
    data = whole.read_bytes()
    ends = [0]
    for line in data.splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    cut_off = tmp_path / "cut.journal"
    for size in range(len(data) + 1):
        cut_off.write_bytes(data[:size])
        journal = read(str(cut_off))
        kept = max(end for end in ends if end <= size)
        assert journal.dropped_bytes == size - kept
        assert journal.entries == [entry for entry in entries if entry.place < kept]
        assert journal.complete is (size == len(data))
        if journal.run is None:
            assert kept == 0
            with pytest.raises(UsageError):
                summary_of(journal)
        else:
            summary = summary_of(journal)
            for entry in journal.entries:
                assert summary.load(entry).name == entry.name
            named = {entry.name for entry in summary.entries}
            assert named == {test.name for test in journal.tests} or journal.complete


@trying()
@given(data=st.data())
def test_a_damaged_byte_costs_what_follows_it_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "run.journal"
    entries = write(path)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    journal = read(str(path))
    before = bytes(content[:at]).rfind(b"\n") + 1
    assert journal.entries == [entry for entry in entries if entry.place < before]
    assert journal.dropped_bytes == len(content) - before


def test_a_checksum_in_capitals_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    write(path)
    first, rest = path.read_bytes().split(b" ", 1)
    checksum, rest = rest.split(b" ", 1)
    assert checksum != checksum.upper(), "write something else: the first has no letters"
    path.write_bytes(b" ".join([first, checksum.upper(), rest]))
    assert read(str(path)).dropped_bytes == path.stat().st_size


def test_a_killed_run_accounts_for_every_test(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer = JournalWriter(str(path), clock := ManualClock())
    writer.run_started(RUN, TESTS)
    clock.advance(2.0)
    place = writer.result(entry_of(TESTS[0]), msgspec.json.encode(record_of(entry_of(TESTS[0]))))
    writer.fragment_started("u2", "b", 3)
    writer.flush()
    with path.open("ab") as file:
        file.write(b"0000000100 torn")
    journal = read(str(path))
    summary = summary_of(journal)
    running = ResultEntry(
        name="b",
        test="b",
        status=TestStatus.SKIP,
        message="the run ended before the test did",
        reason="interrupted",
        failure_reasons=("NOT_RUN",),
        slot=3,
        started_s=2.0,
        driver="diff",
        source="b/test.yaml",
        line=7,
    )
    waiting = ResultEntry(
        name="é\n",
        test="é\n",
        status=TestStatus.SKIP,
        message="the run ended before the test",
        reason="run-aborted",
        failure_reasons=("NOT_RUN",),
        source="c",
    )
    assert summary.entries == [placed(entry_of(TESTS[0]), place), running, waiting]
    assert (summary.run.duration_s, summary.run.stopped) == (2.0, "the run did not end by itself")
    assert summary.notes == [
        f"{path}: dropped 15 bytes after the last record",
        "the run did not end by itself: 2 tests have no result",
    ]
    assert summary.load(running) == ResultRecord(
        name="b",
        status="SKIP",
        msg="the run ended before the test did",
        reason="interrupted",
        failure_reasons=["NOT_RUN"],
    )
    writer.close()


def line_of(record: object) -> bytes:
    data = msgspec.json.encode(record)
    return b"%010d %08x %b\n" % (len(data), zlib.crc32(data), data)


def test_kinds_of_records_from_later_versions_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    entries = write(path)
    later = line_of({"type": "omen", "t": 9.0})
    path.write_bytes(path.read_bytes() + later)
    journal = read(str(path))
    assert (journal.entries, journal.skipped, journal.complete) == (entries, 1, True)
    assert summary_of(journal).notes == [f"{path}: skipped 1 records of unknown kinds"]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    path.write_bytes(line_of({"type": "run-start", "format": 3, "run": "changed"}))
    with pytest.raises(UsageError) as caught:
        read(str(path))
    assert str(caught.value) == (
        f"{path}: was written by a newer testloom (journal format 3, this one reads up to 2);"
        " upgrade testloom"
    )


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(UsageError) as caught:
        read(str(missing))
    assert str(caught.value) == (
        f"{missing}: the journal cannot be read: No such file or directory; name a run that exists"
    )
    other = tmp_path / "other"
    other.write_text("root:x:0:0\n" * 9)
    with pytest.raises(UsageError) as caught:
        summary_of(read(str(other)))
    assert str(caught.value) == (
        f"{other}: holds no run (99 bytes make no sense); give the journal of a run"
    )
    foreign = tmp_path / "foreign"
    foreign.write_bytes(line_of({"type": "news"}))
    with pytest.raises(UsageError) as caught:
        read(str(foreign))
    assert str(caught.value) == (
        f"{foreign}: is not a journal of testloom; give the journal of a run"
    )


def test_a_result_that_cannot_be_found_again_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    entries = write(path)
    summary = summary_of(read(str(path)))
    content = bytearray(path.read_bytes())
    content[entries[1].place + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalError) as caught:
        summary.load(entries[1])
    assert str(caught.value) == f"{path}: the result of 'b' is damaged"
    path.unlink()
    with pytest.raises(JournalError) as caught:
        summary.load(entries[0])
    assert str(caught.value) == f"{path}: cannot be opened: No such file or directory"


any_text = st.text(st.characters(codec=None), max_size=20)


@trying()
@given(any_text, any_text)
def test_text_that_is_not_unicode_is_escaped(
    tmp_path_factory: pytest.TempPathFactory, name: str, path: str
) -> None:
    journal = str(tmp_path_factory.mktemp("text") / "run.journal")
    writer = JournalWriter(journal, ManualClock())
    run = msgspec.structs.replace(RUN, root=path, command=(path,))
    test = PlannedTest(name, path, 1, "", (name,))
    writer.run_started(run, [test])
    entry = msgspec.structs.replace(entry_of(test), info={name: path})
    place = writer.result(entry, b"{}")
    writer.close()
    known, where = (text.encode("utf-8", "backslashreplace").decode() for text in (name, path))
    found = read(journal)
    kept = PlannedTest(known, where, 1, "", (known,))
    assert found.run is not None
    assert (found.run.root, found.run.command, found.tests) == (where, (where,), [kept])
    expected = msgspec.structs.replace(entry_of(kept), info={known: where}, place=place)
    assert found.entries == [expected]


def write_attempts(path: Path) -> None:
    """Write a run in which `a` passes at the second attempt and `b` is cut off in its second."""
    writer = JournalWriter(str(path), ManualClock())
    writer.run_started(RUN, TESTS[:2])
    for test in TESTS[:2]:
        failed = msgspec.structs.replace(entry_of(test, TestStatus.FAIL), max_attempts=3)
        writer.attempt(failed, msgspec.json.encode(record_of(failed, "first\n")))
    passed = msgspec.structs.replace(entry_of(TESTS[0]), attempt=2, max_attempts=3)
    writer.result(passed, msgspec.json.encode(record_of(passed, "second\n")), settles=True)
    writer.fragment_started("u2", "b", 0, attempt=2)
    writer.close()


def check_attempts(path: Path) -> None:
    summary = summary_of(read(str(path)))
    assert [
        (e.name, e.status.name, e.tries, [(one.status.name, one.tries) for one in e.earlier])
        for e in summary.entries
    ] == [
        ("a", "PASS", "2/3", [("FAIL", "1/3")]),
        ("b", "SKIP", "2/3", [("FAIL", "1/3")]),
    ]
    first = summary.entries[0]
    assert [summary.load(e).log for e in (*first.earlier, first)] == ["first\n", "second\n"]
    assert [entry.is_flaky for entry in summary.entries] == [True, False]
    assert (summary.flaky, summary.failed) == (1, 0)


def test_every_attempt_at_a_test_can_be_loaded(tmp_path: Path) -> None:
    write_attempts(tmp_path / "run.journal")
    check_attempts(tmp_path / "run.journal")


def test_the_journal_of_version_2_can_still_be_read() -> None:
    """The file was written by `write_attempts` when the format was made; it never changes."""
    check_attempts(Path(__file__).parent / "data" / "v2.journal")


def test_the_journal_of_version_1_can_still_be_read() -> None:
    """The file was written when the format was made; it never changes."""
    path = str(Path(__file__).parent / "data" / "v1.journal")
    journal = read(path)
    entries = [placed(entry_of(TESTS[0]), 0), placed(entry_of(TESTS[1]), 0)]
    assert [placed(entry, 0) for entry in journal.entries] == entries
    assert (journal.run, journal.tests, journal.complete, journal.exit_code) == (
        msgspec.structs.replace(RUN, duration_s=1.5, stopped="enough"),
        list(TESTS),
        True,
        2,
    )
    assert [summary_of(journal).load(entry) for entry in journal.entries] == [
        record_of(entry) for entry in entries
    ]
