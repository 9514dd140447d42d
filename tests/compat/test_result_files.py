"""Files of results are written beside the run, and are all there afterwards."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.compat.e3_modules.result_files import ResultFiles
from testloom.compat.e3_modules.results import TestResult, TestStatus
from testloom.journal.writer import JournalWriter
from testloom.model import records
from testloom.model.result import TestResult as NativeResult
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock
from testloom.processes.scribe import Scribe

RUN = RunInfo(run_id="r", suite="s", root="/r", output_dir="/o", command=(), jobs=1, started_at=0)
ENV = {"test_name": "t"}
Add = Callable[..., str]

pytestmark = pytest.mark.usefixtures("nothing_is_left", "in_time")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(str(tmp_path / "run.journal"), ManualClock())
    writer.run_started(RUN, [])
    yield writer
    writer.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def files(tmp_path: Path, journal: JournalWriter, clock: ManualClock) -> ResultFiles:
    (tmp_path / "new").mkdir()
    return ResultFiles(str(tmp_path / "new"), journal, {"t": ENV}, clock)


@pytest.fixture
def add(journal: JournalWriter, files: ResultFiles) -> Add:
    """Write a result to the journal, then have its file written."""

    def adding(msg: str = "", *, at_once: bool = False) -> str:
        result = NativeResult("same name", ENV, TestStatus.PASS, msg)
        entry = ResultEntry(name="same name", test="t", status=TestStatus.PASS)
        place = journal.result(entry, records.encode(result))
        return files.add(
            ResultEntry(name="same name", test="t", status=TestStatus.PASS, place=place),
            TestResult("same name", ENV, TestStatus.PASS, msg),
            at_once=at_once,
        )

    return adding


def test_n3_each_result_has_a_file_of_its_own(tmp_path: Path, files: ResultFiles, add: Add) -> None:
    with files:
        names = [add(str(number)) for number in range(200)]

    found = [TestResult.load(str(tmp_path / "new" / name)) for name in names]
    assert [one.msg for one in found] == [str(number) for number in range(200)]
    assert all(one.env == ENV for one in found)
    assert files.problem == ""


def test_n3_a_file_that_is_wanted_at_once_is_there(
    tmp_path: Path, files: ResultFiles, add: Add
) -> None:
    with files:
        assert (tmp_path / "new" / add(at_once=True)).is_file()


def test_n3_a_result_waits_for_others_only_for_a_moment(
    files: ResultFiles, add: Add, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    def note(_scribe: Scribe, message: bytes) -> bool:
        sent.append(message)
        return True

    monkeypatch.setattr(Scribe, "send", note)
    with files:
        add()
        assert len(sent) == 1
        add()
        add()
        assert len(sent) == 1
        clock.advance(1.0)
        add()
        assert len(sent) == 2
        add()
        files.send()
        assert len(sent) == 3
        for _ in range(40):
            add()
        assert len(sent) == 5


def test_n3_what_a_dead_process_did_not_write_the_run_writes(
    tmp_path: Path, files: ResultFiles, add: Add
) -> None:
    with files:
        names = [add("before")]
        assert files.writer_pid is not None
        os.kill(files.writer_pid, signal.SIGKILL)
        os.waitid(os.P_PID, files.writer_pid, os.WEXITED | os.WNOWAIT)
        names += [add("after") for _ in range(50)]

    found = [TestResult.load(str(tmp_path / "new" / name)).msg for name in names]
    assert found == ["before", *["after"] * 50]
    assert files.problem == ""


def test_n3_the_first_file_that_cannot_be_written_is_told(
    tmp_path: Path, files: ResultFiles, add: Add
) -> None:
    (tmp_path / "new").rmdir()
    with files:
        names = [add() for _ in range(3)]

    assert files.problem == f"{names[0]}: cannot be written: No such file or directory"


def test_n3_a_file_of_which_only_a_part_fits_is_told(files: ResultFiles, add: Add) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with files:
        name = add()
        assert files.writer_pid is not None
        resource.prlimit(files.writer_pid, resource.RLIMIT_FSIZE, (40, hard))
        other = add()

    assert files.problem.endswith(": cannot be written: File too large")
    assert files.problem.startswith((name, other))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == soft
