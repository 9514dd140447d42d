"""GAIA's form of a run, and how files beside a report come and go."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from testloom.model.names import path_for
from testloom.model.status import FailureReason, TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports import ReportError, ReportRequest, write_report
from testloom.reports.beside import LIST, NOWHERE, FilesBeside
from testloom.reports.gaia import GaiaReport, word_for

MakeEntry = Callable[..., ResultEntry]
MakeSummary = Callable[..., Summary]


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != LIST}


def test_a_whole_report(tmp_path: Path, make_entry: MakeEntry, make_summary: MakeSummary) -> None:
    run = make_summary(
        make_entry("a/b", TestStatus.FAIL, failure_reasons=("DIFF",), message="no", place=0),
        make_entry("c", time_s=0.5),
        logs={"log": "log\n", "out_bytes": b"\xff", "info": {"k": "v", "a": "b"}, "msg": "no"},
    )
    target = tmp_path / "gaia"
    assert write_report(ReportRequest("gaia", str(target)), run) == f"{target}/results"
    stem = path_for("a/b")
    assert files(target) == {
        "results": b"a/b:DIFF:no\nc:OK:\n",
        f"{stem}.result": b"FAIL:no\n",
        f"{stem}.log": b"log\n",
        f"{stem}.out": b"\xff",
        f"{stem}.info": b"a:b\nk:v",
        "c.result": b"OK:no\n",
        "c.log": b"log\n",
        "c.out": b"\xff",
        "c.time": b"0.500000000",
        "c.info": b"a:b\nk:v",
    }


@pytest.mark.parametrize(
    ("status", "reasons", "word"),
    [
        (TestStatus.PASS, set(), "OK"),
        (TestStatus.FAIL, set(), "FAIL"),
        (TestStatus.FAIL, {FailureReason.DIFF, FailureReason.CRASH}, "CRASH"),
        (TestStatus.FAIL, {FailureReason.LEAK}, "FAIL"),
        (TestStatus.ERROR, {FailureReason.TIMEOUT}, "PROBLEM"),
        (TestStatus.SKIP, set(), "DEAD"),
        (TestStatus.XPASS, set(), "UOK"),
    ],
)
def test_words(status: TestStatus, reasons: set[FailureReason], word: str) -> None:
    assert word_for(status, reasons) == word


def test_results_that_are_gone_lose_their_files_and_nothing_else_is_touched(
    tmp_path: Path, make_entry: MakeEntry, make_summary: MakeSummary
) -> None:
    request = ReportRequest("gaia", str(tmp_path))
    (tmp_path / "mine.log").touch()
    write_report(request, make_summary(make_entry("a"), make_entry("b")))
    write_report(request, make_summary(make_entry("b")))
    assert set(files(tmp_path)) == {"mine.log", "results", "b.result", "b.log"}


def test_a_list_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    beside = FilesBeside(str(tmp_path / "d"))
    beside.add("x", "x")
    (tmp_path / "d" / LIST).write_text("../precious\n..\n/etc/passwd\n.git\n\n\xff")
    beside.tidy()
    assert (tmp_path / "precious").exists()
    assert set(os.listdir(tmp_path / "d")) == {"x", LIST}


def test_text_that_is_no_unicode_is_written_with_escapes(tmp_path: Path) -> None:
    beside = FilesBeside(str(tmp_path))
    assert Path(beside.add("x", "a\ud800\xe9")).read_bytes() == b"a\\ud800\xc3\xa9"


def test_without_a_directory_there_are_no_files() -> None:
    assert NOWHERE.add("x", "y") == ""
    NOWHERE.tidy()


def test_logs_that_cannot_be_read_do_not_spoil_the_report(
    tmp_path: Path, make_entry: MakeEntry, make_run: Callable[..., RunInfo]
) -> None:
    def load(_: ResultEntry) -> None:
        raise OSError(5, "Input/output error")

    run = Summary(run=make_run(), entries=[make_entry("a", place=0)], load=load)  # type: ignore[arg-type]  # it only raises
    write_report(ReportRequest("gaia", str(tmp_path)), run)
    assert b"lost: [Errno 5]" in files(tmp_path)["a.log"]


def test_a_report_that_cannot_be_written_names_itself(
    tmp_path: Path, make_entry: MakeEntry, make_summary: MakeSummary
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReportError, match="gaia report not written"):
        write_report(ReportRequest("gaia", f"{tmp_path}/file"), make_summary(make_entry("a")))


def test_on_its_own_it_is_the_list(make_entry: MakeEntry, make_summary: MakeSummary) -> None:
    assert "".join(GaiaReport().write(make_summary(make_entry("a\n:")))) == "a\\x0a::OK:\n"
