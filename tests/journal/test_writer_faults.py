"""What the writer does when the disk does not do its part."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testloom.journal.format import JournalError
from testloom.journal.reader import read
from testloom.journal.writer import RESERVE, JournalWriter
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock

RUN = RunInfo(run_id="r", suite="s", root="/r", output_dir="/o", command=(), jobs=1, started_at=0)
RECORD = b'{"name":"a","status":"PASS","log":"%b"}' % (b"x" * 1000)


def entry(name: str = "a", place: int = -1) -> ResultEntry:
    return ResultEntry(name=name, test=name, status=TestStatus.PASS, place=place)


def started(path: Path) -> JournalWriter:
    writer = JournalWriter(str(path), ManualClock())
    writer.run_started(RUN, [])
    return writer


@pytest.fixture
def _small_files() -> Iterator[None]:
    """Let no file of this process grow beyond 10,000 bytes: a write stops half-way there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("_small_files")
def test_a_record_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer = started(path)
    places: list[int] = []

    def fill() -> None:
        while True:
            places.append(writer.result(entry(), RECORD))

    with pytest.raises(JournalError) as caught:
        fill()
    assert str(caught.value) == f"{path}: cannot be written: File too large"
    assert caught.value.place == -1
    small = writer.result(entry("b"), b'{"name":"b","status":"PASS"}')
    writer.close()
    journal = read(str(path))
    assert journal.entries == [*(entry(place=place) for place in places), entry("b", small)]
    assert journal.dropped_bytes == 0


FULL_DISK = """
import msgspec, os, sys
from testloom.journal.format import JournalError
from testloom.journal.reader import read
from testloom.journal.writer import RESERVE, JournalWriter
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock

path = sys.argv[1] + "/run.journal"
run = RunInfo(run_id="r", suite="s", root="/", output_dir="/", command=(), jobs=1, started_at=0)
writer = JournalWriter(path, ManualClock())
writer.run_started(run, [])
places, errors = [], []
while not errors:
    entry = ResultEntry(name=f"t{len(places)}", test="t", status=TestStatus.PASS)
    writer.fragment_started(f"u{len(places)}", "t", 1)
    try:
        place = writer.result(entry, b'{"name":"a","status":"PASS","log":"%b"}' % (b"x" * 1000))
    except JournalError as error:
        errors.append(str(error))
        place = error.place
    places.append(place)
assert errors == [path + ": results disk full"], errors
assert places[-1] > places[-2], places[-2:]
assert not os.path.exists(sys.argv[1] + "/" + RESERVE)
for number in range(100):  # those that still run
    entry = ResultEntry(name=f"t{len(places)}", test="t", status=TestStatus.PASS)
    places.append(writer.result(entry, b'{"name":"a","status":"PASS"}'))
writer.run_ended(duration_s=1.0, stopped=errors[0], exit_code=3)
writer.close()
journal = read(path)
assert [entry.place for entry in journal.entries] == places
assert journal.complete and journal.dropped_bytes == 0, journal.dropped_bytes
print(len(places) > 500, journal.exit_code)
"""


def can_mount() -> bool:
    probe = ["unshare", "-rm", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs a mount namespace of its own")
def test_a_full_disk_is_told_once_and_the_tail_of_the_run_still_fits(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    argv = ["unshare", "-rm", "sh", "-ec", mounted, "sh", str(tmp_path), sys.executable, FULL_DISK]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "True 3\n")


def test_the_reserve_is_there_while_the_journal_is_open(tmp_path: Path) -> None:
    writer = started(tmp_path / "run.journal")
    assert (tmp_path / RESERVE).stat().st_blocks > 0
    writer.close()
    writer.close()
    assert os.listdir(tmp_path) == ["run.journal"]


def test_a_journal_in_no_directory_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(JournalError) as caught:
        JournalWriter(f"{tmp_path}/no/run.journal", ManualClock())
    assert (
        str(caught.value)
        == f"{tmp_path}/no/run.journal: cannot be opened: No such file or directory"
    )


def test_a_deleted_journal_is_noticed_and_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer = started(path)
    writer.sync()
    path.unlink()
    place = writer.result(entry(), b'{"name":"a","status":"PASS","log":"hello"}')
    for act in (writer.sync, writer.sync):
        with pytest.raises(JournalError) as caught:
            act()
        assert str(caught.value) == f"{path}: was deleted while the run was going on"
    loaded = writer.load(entry(place=place))
    assert loaded == ResultRecord(name="a", status="PASS", log="hello")
    fd = writer.fileno()
    with pytest.raises(JournalError):
        writer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_children_of_exec_do_not_get_the_journal(tmp_path: Path) -> None:
    writer = started(tmp_path / "run.journal")
    assert not os.get_inheritable(writer.fileno())
    writer.close()
