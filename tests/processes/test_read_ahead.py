"""A walk that has to wait for the disk is helped by threads that read the same ahead of it."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from testloom.processes import read_ahead
from testloom.processes.read_ahead import ReadAhead

TESTS = 100


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
    """What is read, and in what threads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: list[str] = []
        self.threads: set[str] = set()
        read = read_ahead._read_file

        def note(path: str) -> None:
            self.files.append(path)
            self.threads.add(threading.current_thread().name)
            read(path)

        monkeypatch.setattr(read_ahead, "_read_file", note)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


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


def test_all_that_the_walk_comes_to_is_read(tree: Path, seen: Seen, slow: None) -> None:
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        walked = walk(ahead, tree)
        for thread in ahead._threads:
            thread.join(20.0)

    read = {os.path.dirname(path) for path in seen.files}
    assert len(seen.files) == len(read)
    assert read <= set(walked)
    assert len(read) > TESTS / 2  # the others it had come to before
    assert seen.threads == {"read-ahead"}


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


def test_nothing_is_read_once_the_walk_is_over(tree: Path, seen: Seen, slow: None) -> None:
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        walk(ahead, tree)
    before = len(seen.files)

    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]
    assert len(seen.files) == before


def test_what_cannot_be_read_is_left_to_the_walk(tree: Path, seen: Seen, slow: None) -> None:
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        for _ in range(32):
            ahead.entered([str(tree / "gone"), "with\0nul", str(tree / "g0" / "t00")])
        for thread in ahead._threads:
            thread.join(20.0)

    assert seen.files == [str(tree / "g0" / "t00" / "test.yaml")]


def test_it_does_without_threads_where_there_can_be_none(
    tree: Path, seen: Seen, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with closing(ReadAhead(below, ["test.yaml"])) as ahead:
        assert len(walk(ahead, tree)) == TESTS + 4

    assert not seen.files
