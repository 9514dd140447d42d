"""A walk that has to wait for the disk is helped by a process that reads the same ahead of it."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from testloom.processes import read_ahead
from testloom.processes.read_ahead import ReadAhead

TESTS = 100

pytestmark = pytest.mark.usefixtures("nothing_is_left", "in_time")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(TESTS):
        directory = tmp_path / f"g{number % 3}" / f"t{number:02}"
        directory.mkdir(parents=True)
        (directory / "test.yaml").write_text("x")
        (directory / "large").write_text("y")
    (tmp_path / "no" / "t").mkdir(parents=True)
    (tmp_path / "no" / "t" / "test.yaml").touch()
    os.mkfifo(tmp_path / "g0" / "test.yaml")
    return tmp_path


class Seen:
    """What is read, and by whom: noted in a file, because that is done elsewhere."""

    def __init__(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._log = log
        log.touch()
        read = read_ahead._read_file

        def note(path: str) -> None:
            with log.open("a") as file:
                file.write(f"{os.getpid()} {path}\n")
            read(path)

        monkeypatch.setattr(read_ahead, "_read_file", note)

    @property
    def files(self) -> list[str]:
        return [line.partition(" ")[2] for line in self._log.read_text().splitlines()]

    @property
    def pids(self) -> set[int]:
        return {int(line.partition(" ")[0]) for line in self._log.read_text().splitlines()}


@pytest.fixture
def seen(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(tmp_path_factory.mktemp("log") / "seen", monkeypatch)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it look as if each directory had to be waited for."""
    monkeypatch.setattr(read_ahead, "_times_slept", itertools.count(step=100).__next__)


def below(path: str, names: Iterator[str]) -> Iterable[str]:
    return [f"{path}/{name}" for name in names if name != "no"]


def walk(ahead: ReadAhead, top: Path) -> list[str]:
    """Walk as the finders' walk does; return the directories."""
    todo, walked = [str(top)], []
    while todo:
        path = todo.pop()
        walked.append(path)
        names = sorted((e.name for e in os.scandir(path) if e.is_dir()), reverse=True)
        todo.extend(below(path, iter(names)))
        ahead.entered(todo)
    return walked


def read_below(top: Path, ahead: ReadAhead) -> None:
    """Let all below *top* be read, and wait for that."""
    for _ in range(32):
        ahead.entered([str(top)])
    assert ahead._companion is not None
    assert ahead._companion.wait() == 0


def test_all_that_the_walk_comes_to_is_read(tree: Path, seen: Seen, slow: None) -> None:
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        walked = walk(ahead, tree)
        assert ahead._companion is not None
        assert ahead._companion.wait() == 0

    read = {os.path.dirname(path) for path in seen.files}
    assert len(seen.files) == len(read)
    assert read <= set(walked)
    assert len(read) > TESTS / 2  # the others it had come to before
    assert len(seen.pids) == 1
    assert os.getpid() not in seen.pids


def test_one_directory_that_has_them_all_is_enough_for_many_readers(
    tree: Path, seen: Seen, slow: None
) -> None:
    """Those who find nothing to do wait for what is found meanwhile."""
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        read_below(tree, ahead)

    assert len(seen.files) == TESTS


def test_who_need_not_wait_is_not_helped(
    tree: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "_times_slept", lambda: 7)
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        walk(ahead, tree)

    assert not seen.files


def test_a_sleep_now_and_then_is_nothing(
    tree: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "_times_slept", itertools.count().__next__)
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        walk(ahead, tree)

    assert not seen.files


def test_nothing_is_read_once_the_walk_is_over(tree: Path, slow: None) -> None:
    def never(path: str, names: Iterator[str]) -> Iterable[str]:
        signal.pause()
        return ()

    with closing(ReadAhead(never, ["test.yaml"])) as ahead:
        for _ in range(32):
            ahead.entered([str(tree)])
        assert ahead._companion is not None
        assert ahead._companion.poll() is None

    assert ahead._companion.poll() == -signal.SIGKILL


def test_what_cannot_be_read_is_left_to_the_walk(tree: Path, seen: Seen, slow: None) -> None:
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        for _ in range(32):
            ahead.entered([str(tree / "gone"), "with\0nul", str(tree / "g0" / "t00")])
        assert ahead._companion is not None
        ahead._companion.wait()

    assert seen.files == [str(tree / "g0" / "t00" / "test.yaml")]


def test_it_does_without_where_there_can_be_no_process(
    tree: Path, seen: Seen, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError("there are too many")

    monkeypatch.setattr(os, "fork", refuse)
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        assert len(walk(ahead, tree)) == TESTS + 4

    assert not seen.files


def test_one_thread_is_enough_where_there_can_be_no_more(
    tree: Path, seen: Seen, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        read_below(tree, ahead)

    assert len(seen.files) == TESTS
