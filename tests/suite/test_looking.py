"""Looking at the files of tests beside the walk comes to the same as looking at them afterwards."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from testloom.processes import tree
from testloom.suite import looking
from testloom.suite.fingerprints import Fingerprints
from testloom.suite.looking import Looking


@pytest.fixture(autouse=True)
def _clean(nothing_is_left: None) -> None:
    """See to it."""


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "available_cores", lambda: 2)
    monkeypatch.setattr(looking, "_ENOUGH", 32)
    monkeypatch.setattr(looking, "_TOGETHER", 8)


@pytest.fixture
def directories(tmp_path: Path) -> list[str]:
    """More than enough, some of them with directories below."""
    for number in range(70):
        directory = tmp_path / f"t{number:02}-\udcff"
        (directory / "below").mkdir(parents=True) if number % 7 == 0 else directory.mkdir()
        (directory / "test.yaml").write_text("x" * number)
        if number % 14 == 0:
            (directory / "below" / "data").write_text("y")
    return sorted(map(str, tmp_path.iterdir()))


def test_it_comes_to_the_same(directories: list[str]) -> None:
    with closing(Looking(())) as looks:
        for directory in directories:
            looks.add(directory)
        digests = looks.finish()

    itself = Fingerprints()
    assert digests == {each: itself.tree(each) for each in directories}
    assert Fingerprints(trees=digests).of(directories[0], int) == itself.of(directories[0], int)


def test_few_are_left_to_whoever_needs_them(directories: list[str]) -> None:
    with closing(Looking(())) as looks:
        for directory in directories[:31]:
            looks.add(directory)
        assert not tree.has_children()
        assert looks.finish() == {}


def test_with_one_core_all_are(directories: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "available_cores", lambda: 1)
    with closing(Looking(())) as looks:
        for directory in directories:
            looks.add(directory)
        assert not tree.has_children()
        assert looks.finish() == {}


def test_what_is_not_there_is_left_out(directories: list[str]) -> None:
    gone = f"{directories[30]}/gone"
    with closing(Looking(())) as looks:
        for directory in [*directories[:30], gone, *directories[30:]]:
            looks.add(directory)
        digests = looks.finish()

    assert set(digests) == set(directories)


def test_what_does_not_count_does_not(directories: list[str]) -> None:
    below = f"{directories[0]}/below"
    with closing(Looking([below])) as looks:
        for directory in directories:
            looks.add(directory)
        digests = looks.finish()

    assert digests[directories[0]] == Fingerprints([below]).tree(directories[0])
    assert digests[directories[0]] != Fingerprints().tree(directories[0])


def test_a_helper_that_dies_is_done_without(directories: list[str]) -> None:
    with closing(Looking(())) as looks:
        for directory in directories[:60]:
            looks.add(directory)
        (pid,) = tree.children(os.getpid())
        os.kill(pid, signal.SIGKILL)
        for directory in directories[60:]:
            looks.add(directory)
        digests = looks.finish()

    assert digests == {}


def test_nobody_waits_for_it_after_an_error(directories: list[str]) -> None:
    looks = Looking(())

    def walk() -> None:
        with closing(looks):
            for directory in directories:
                looks.add(directory)
            (pid,) = tree.children(os.getpid())
            os.kill(pid, signal.SIGSTOP)
            raise ValueError("the walk")

    with pytest.raises(ValueError, match="the walk"):
        walk()
    assert not tree.has_children()


def test_there_is_an_end_to_what_fits(
    directories: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_MOST", 56)
    with closing(Looking(())) as looks:
        for directory in [*directories, *directories]:
            looks.add(directory)
        digests = looks.finish()

    assert set(digests) <= set(directories)
    assert len(digests) >= 32
