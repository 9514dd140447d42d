"""A spare directory: what the next test gets is a copy like any other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from testloom.processes import spare
from testloom.processes.files import copy_tree
from testloom.processes.spare import Spare


def shape(root: Path) -> dict[str, object]:
    """Return what is below *root*: content, mode and time of files, targets of links."""
    found: dict[str, object] = {".": oct(root.stat().st_mode)}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = oct(path.stat().st_mode)
        else:
            info = path.stat()
            found[name] = path.read_bytes(), oct(info.st_mode), info.st_mtime_ns
    return found


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


@pytest.fixture
def kept(tmp_path: Path) -> Spare:
    """One that keeps the directory of a test that has read and written its files."""
    spare = Spare()
    spare.enable()
    old = write(tmp_path / "source-old", input="old and long\n", expected="x", only_old="y")
    spare.copy_tree(str(old), str(tmp_path / "old"))
    (tmp_path / "old" / "actual").write_text("made by the test")
    (tmp_path / "old" / "input").chmod(0o600)
    assert spare.remove_tree(str(tmp_path / "old")) == []
    spare.settle()
    assert not (tmp_path / "old").exists()
    return spare


def left_in(directory: Path) -> list[str]:
    return sorted(name for name in os.listdir(directory) if not name.startswith("source-"))


def test_the_next_directory_is_a_copy_like_any_other(tmp_path: Path, kept: Spare) -> None:
    source = write(tmp_path / "source-new", input="new\n", expected="much longer than before")
    (source / "sub").mkdir()
    (source / "sub" / "file").write_text("below")
    (source / "only_old").symlink_to("input")
    (source / "script").write_text("#!/bin/sh\n")
    (source / "script").chmod(0o755)
    kept.copy_tree(str(source), str(tmp_path / "new"))
    copy_tree(str(source), str(tmp_path / "plain"))

    assert shape(tmp_path / "new") == shape(tmp_path / "plain")
    assert left_in(tmp_path) == ["new", "plain"]


def test_the_inodes_are_those_of_the_directory_that_was_kept(tmp_path: Path, kept: Spare) -> None:
    source = write(tmp_path / "source-new", input="new\n")
    [spare_name] = left_in(tmp_path)
    before = (tmp_path / spare_name / "input").stat().st_ino
    kept.copy_tree(str(source), str(tmp_path / "new"))

    assert (tmp_path / "new" / "input").stat().st_ino == before


def test_an_empty_file_and_one_that_may_only_be_read_are_overwritten(
    tmp_path: Path, kept: Spare
) -> None:
    source = write(tmp_path / "source-new", input="", expected="new")
    (source / "expected").chmod(0o444)
    for name in ("second", "third"):
        kept.copy_tree(str(source), str(tmp_path / name))
        assert shape(tmp_path / name) == {**shape(source), ".": "0o40755"}
        kept.remove_tree(str(tmp_path / name))
        kept.settle()


def _links(directory: Path) -> None:
    os.link(directory / "input", directory.parent / "source-other-name")


def _grows(directory: Path) -> None:
    (directory / "input").write_bytes(bytes(1 << 17))


def _adds_many(directory: Path) -> None:
    for number in range(100):
        (directory / str(number)).touch()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_links, id="a file has another name"),
        pytest.param(_grows, id="a file is large"),
        pytest.param(_adds_many, id="there are many files"),
        pytest.param(lambda d: (d / "sub").mkdir(), id="there is a directory"),
        pytest.param(lambda d: (d / "link").symlink_to("x"), id="there is a link"),
        pytest.param(lambda d: os.mkfifo(d / "pipe"), id="there is a pipe"),
        pytest.param(lambda d: d.chmod(0o700), id="the mode is another one"),
    ],
)
def test_what_is_not_plain_is_removed(tmp_path: Path, change: Callable[[Path], object]) -> None:
    spare = Spare()
    spare.enable()
    old = write(tmp_path / "old", input="old\n")
    change(old)

    assert spare.remove_tree(str(old)) == []
    assert left_in(tmp_path) == []


def test_extended_attributes_are_not_handed_on(tmp_path: Path) -> None:
    old = write(tmp_path / "old", input="old\n")
    try:
        os.setxattr(old / "input", "user.testloom", b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    spare = Spare()
    spare.enable()

    assert spare.remove_tree(str(old)) == []
    assert left_in(tmp_path) == []


def test_nothing_is_used_again_before_all_of_its_test_has_ended(tmp_path: Path) -> None:
    spare = Spare()
    spare.enable()
    spare.remove_tree(str(write(tmp_path / "old", input="old\n")))
    [name] = left_in(tmp_path)
    spare.copy_tree(str(write(tmp_path / "source-new", input="new\n")), str(tmp_path / "new"))

    assert left_in(tmp_path) == [name, "new"]
    assert spare.remove_tree(str(tmp_path / "new")) == []
    assert left_in(tmp_path) == [name]
    spare.drop()
    assert left_in(tmp_path) == []


def test_what_is_there_already_is_replaced(tmp_path: Path, kept: Spare) -> None:
    source = write(tmp_path / "source-new", input="new\n")
    write(tmp_path / "new", stale="stale")
    kept.copy_tree(str(source), str(tmp_path / "new"))

    assert os.listdir(tmp_path / "new") == ["input"]


def test_a_spare_directory_that_somebody_removed_is_not_missed(tmp_path: Path, kept: Spare) -> None:
    spare.sweep(str(tmp_path))
    assert left_in(tmp_path) == []
    source = write(tmp_path / "source-new", input="new\n")
    for name in ("new", "newer"):
        kept.copy_tree(str(source), str(tmp_path / name))
        assert os.listdir(tmp_path / name) == ["input"]


def test_nothing_is_kept_where_nobody_ends_what_tests_leave(tmp_path: Path) -> None:
    assert Spare().remove_tree(str(write(tmp_path / "old", input="old\n"))) == []
    assert left_in(tmp_path) == []
