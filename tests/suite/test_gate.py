"""What makes a run fail where not every failure does, and the file that says what is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.model.errors import UsageError
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.suite.gate import Gate, KnownFailures, gate_of
from testloom.suite.run_options import RunOptions

PASS, FAIL, SKIP = TestStatus.PASS, TestStatus.FAIL, TestStatus.SKIP


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def a_run(**statuses: TestStatus) -> Summary:
    run = RunInfo(
        run_id="r", suite="s", root="/", output_dir="/o", command=(), jobs=1, started_at=0.0
    )
    entries = [ResultEntry(name=n, test=n, status=status) for n, status in statuses.items()]
    return Summary(run=run, entries=entries, load=lambda _entry: ResultRecord(name="", status=""))


def gate(text: str | None, *, update: bool = False) -> Gate:
    if text is not None:
        Path("known.txt").write_text(text)
    options = RunOptions(fail_on="new", known_failures="known.txt", update_known_failures=update)
    found = gate_of(options, "out")
    assert found is not None
    return found


def settled(one: Gate, summary: Summary, *, whole: bool = True, ci: bool = False) -> str:
    return one.settle(summary, whole=whole, on_build_server=ci)


def test_where_every_failure_counts_there_is_no_gate() -> None:
    assert gate_of(RunOptions(), "out") is None
    assert gate_of(RunOptions(known_failures="not there"), "out") is None


def test_only_failures_that_are_not_listed_are_new() -> None:
    found = gate("a\n\n# b is no name here\n  c  \n").compared(a_run(a=FAIL, b=FAIL, c=PASS))

    assert [change.name for change in found.new] == ["b"]
    assert [change.name for change in found.still] == ["a"]
    assert [change.name for change in found.fixed] == ["c"]


def test_what_passes_is_taken_out_and_comments_stay() -> None:
    note = settled(gate("# why\na\nb\n\nc\nd\n"), a_run(a=PASS, b=FAIL, c=PASS, d=SKIP))

    assert Path("known.txt").read_text() == "# why\nb\n\nd\n"
    assert note == "known.txt: 2 known failures do not fail any more and were taken out"


def test_on_a_build_server_nothing_is_written() -> None:
    note = settled(gate("a\nb\n"), a_run(a=PASS, b=FAIL), ci=True)

    assert Path("known.txt").read_text() == "a\nb\n"
    assert note == "known.txt: 1 known failure does not fail any more: take out a"


def test_what_is_not_there_any_more_is_taken_out_only_if_all_tests_were_run() -> None:
    settled(gate("a\ngone\n"), a_run(a=FAIL), whole=False)
    assert Path("known.txt").read_text() == "a\ngone\n"

    settled(gate("a\ngone\n"), a_run(a=FAIL), whole=True)
    assert Path("known.txt").read_text() == "a\n"


def test_a_flaky_pass_does_not_count_as_mended() -> None:
    summary = a_run(a=FAIL)
    failed = summary.entries[0]
    flaky = ResultEntry(name="a", test="a", status=PASS, earlier=(failed,), attempt=2)
    settled(gate("a\n"), Summary(run=summary.run, entries=[flaky], load=summary.load))

    assert Path("known.txt").read_text() == "a\n"


def test_names_are_put_in_only_when_that_is_asked_for() -> None:
    settled(gate("a\n"), a_run(a=FAIL, b=FAIL))
    assert Path("known.txt").read_text() == "a\n"

    one = gate("# mine\na\n", update=True)
    summary = a_run(a=PASS, b=FAIL)
    assert one.compared(summary).new == ()
    assert settled(one, summary) == "known.txt: 1 put in, 1 taken out"
    assert Path("known.txt").read_text() == "# mine\nb\n"


def test_a_file_that_is_not_there_is_made_when_that_is_asked_for() -> None:
    with pytest.raises(UsageError) as error:
        gate(None)
    assert str(error.value) == (
        "known.txt: there is no such file; --update-known-failures makes one"
    )

    settled(gate(None, update=True), a_run(a=FAIL))
    assert Path("known.txt").read_text() == "a\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'a\n"b\n', "known.txt:2: '\"b' is no name; write it without quotes, or as a JSON text"),
        (b"\xff", "known.txt: is not UTF-8 text: invalid start byte"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(content: bytes, message: str) -> None:
    Path("known.txt").write_bytes(content)
    with pytest.raises(UsageError) as error:
        gate(None)
    assert str(error.value) == message


def test_a_file_that_cannot_be_written_does_no_harm() -> None:
    one = gate("a\n")
    os.unlink("known.txt")
    os.mkdir("known.txt")
    os.mkdir("known.txt/x")

    note = settled(one, a_run(a=PASS))
    assert note.startswith("known.txt: cannot be written: ")


def test_what_a_link_leads_to_is_written() -> None:
    Path("real.txt").write_text("a\n")
    Path("known.txt").symlink_to("real.txt")

    settled(gate(None), a_run(a=PASS))

    assert Path("known.txt").is_symlink()
    assert Path("real.txt").read_text() == ""


@given(st.sets(st.text(), max_size=6))
def test_any_name_can_be_written_and_read_again(names: set[str]) -> None:
    KnownFailures("any.txt").write(plus=names)

    assert KnownFailures.read("any.txt").names == names


def test_without_an_earlier_run_every_failure_is_new() -> None:
    found = gate_of(RunOptions(fail_on="new"), "out")

    assert found is not None
    assert [change.name for change in found.compared(a_run(a=FAIL)).new] == ["a"]
    assert found.note == (
        "there is no run to compare with, so every failure is new:"
        " out: holds no run; run the tests first"
    )
    assert settled(found, a_run(a=FAIL)) == ""


def test_a_run_that_is_named_has_to_be_there() -> None:
    with pytest.raises(UsageError, match="holds no run"):
        gate_of(RunOptions(fail_on="new", against="latest~1"), "out")
