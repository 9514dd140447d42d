"""Which commit is tested, told by the files of git; where git is there, it agrees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from testloom.suite.sources import commit_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    git(path, "commit", "-q", "--allow-empty", "-m", "first")
    return path


def git(place: Path, *words: str) -> str:
    who = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    ended = subprocess.run(
        ["git", "-C", place, *who, *words], capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def test_commit_and_branch_of_a_checkout(checkout: Path) -> None:
    (checkout / "a" / "b").mkdir(parents=True)

    assert commit_of(str(checkout / "a" / "b")) == (git(checkout, "rev-parse", "HEAD"), "main")


def test_references_that_are_packed_together(checkout: Path) -> None:
    git(checkout, "branch", "main2")
    git(checkout, "pack-refs", "--all")

    assert commit_of(str(checkout)) == (git(checkout, "rev-parse", "HEAD"), "main")


def test_a_commit_without_a_branch(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    git(checkout, "checkout", "-q", "--detach")

    assert commit_of(str(checkout)) == (commit, "")


def test_a_second_checkout_of_a_repository(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(checkout, "worktree", "add", "-q", "-b", "side/way", str(other))

    assert commit_of(str(other)) == (git(other, "rev-parse", "HEAD"), "side/way")


@pytest.mark.parametrize("head", ["", "nonsense", "ref: refs/heads/none", "ref: \0", "\udcff" * 3])
def test_what_cannot_be_told_is_not_known(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(head.encode("utf-8", "surrogateescape"))

    assert commit_of(str(tmp_path))[0] == ""


def test_outside_of_any_checkout_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere")

    assert commit_of(str(tmp_path)) == ("", "")
    assert commit_of("/") == ("", "")
