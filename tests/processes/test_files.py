from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testloom.processes.files import copy_tree, read_whole, remove_tree, write_whole


def tree_of(root: Path) -> dict[str, object]:
    """Return what is below *root*: content, mode and time of files, targets of links."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        info = path.lstat()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes(), oct(info.st_mode & 0o777), info.st_mtime_ns
    return found


def make_deep(top: Path, name: str, levels: int) -> None:
    """Make *levels* directories in each other, deeper than a path can be long."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(top)
        for _ in range(levels):
            os.mkdir(name)
            os.chdir(name)
            with open("file", "w") as file:
                file.write("x")
    finally:
        os.chdir(here)
        os.close(here)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "test.yaml").write_text("driver: x\n")
    (root / "empty").touch()
    (root / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "run.sh").chmod(0o777)
    (root / "secret").write_bytes(b"\0" * 100)
    (root / "secret").chmod(0o400)
    (root / "large").write_bytes(os.urandom(3_000_001))
    (root / "exactly").write_bytes(bytes(1 << 20))
    (root / "link").symlink_to("sub/empty")
    (root / "dangling").symlink_to("/no/such")
    (root / "sub" / "été \n").write_text("odd name")
    os.utime(root / "test.yaml", ns=(1, 1_000_000_007))
    return root


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_copy_is_like_its_source(source: Path, tmp_path: Path) -> None:
    copy_tree(str(source), str(tmp_path / "copy"))

    assert tree_of(tmp_path / "copy") == tree_of(source)


@pytest.mark.usefixtures("umask")
def test_a_copy_is_like_its_source_whatever_the_mask(source: Path, tmp_path: Path) -> None:
    copy_tree(str(source), str(tmp_path / "copy"))

    assert tree_of(tmp_path / "copy") == tree_of(source)


def test_a_copy_replaces_what_was_there(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    (target / "old").touch()
    copy_tree(str(source), str(target))

    assert tree_of(target) == tree_of(source)


def test_a_link_in_place_of_the_target_is_replaced_not_followed(
    source: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / "copy").symlink_to(kept)
    copy_tree(str(source), str(tmp_path / "copy"))

    assert list(tree_of(kept)) == ["file"]
    assert tree_of(tmp_path / "copy") == tree_of(source)


def test_directories_above_the_target_are_made(source: Path, tmp_path: Path) -> None:
    copy_tree(str(source), str(tmp_path / "a" / "b" / "copy"))

    assert tree_of(tmp_path / "a" / "b" / "copy") == tree_of(source)


def test_a_target_inside_of_its_source_is_not_copied_into_itself(
    source: Path, tmp_path: Path
) -> None:
    before = tree_of(source)
    copy_tree(str(source), str(source / "work"))

    assert tree_of(source / "work") == before


def test_directories_named_are_not_copied_wherever_they_are(source: Path, tmp_path: Path) -> None:
    before = tree_of(source)
    (source / "sub" / "out" / "run").mkdir(parents=True)
    (source / "sub" / "out" / "run" / "file").touch()
    without = [str(source / "sub" / "out"), str(tmp_path / "none")]
    copy_tree(str(source), str(tmp_path / "copy"), lambda: without)

    assert tree_of(tmp_path / "copy") == before


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    os.mkfifo(tmp_path / "source" / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "source" / "socket"))
    copy_tree(str(tmp_path / "source"), str(tmp_path / "copy"))

    assert tree_of(tmp_path / "copy") == {}


def test_directories_that_may_only_be_read_are_copied_and_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "file").touch()
    (tmp_path / "source" / "sub").chmod(0o555)
    copy_tree(str(tmp_path / "source"), str(tmp_path / "copy"))

    assert (tmp_path / "copy" / "sub").stat().st_mode & stat.S_IWUSR


def test_what_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_tree(str(tmp_path / "none"), str(tmp_path / "copy"))


@pytest.mark.slow
def test_a_tree_a_thousand_levels_deep_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    make_deep(tmp_path / "a", "d", 1000)
    copy_tree(str(tmp_path / "a"), str(tmp_path / "b"))

    assert (tmp_path / "b" / "/".join("d" * 1000) / "file").read_text() == "x"
    assert [remove_tree(str(tmp_path / name)) for name in "ab"] == [[], []]


def test_a_tree_is_removed(source: Path) -> None:
    assert remove_tree(str(source)) == []
    assert not source.exists()


def test_nothing_is_left_to_remove_where_nothing_is(tmp_path: Path) -> None:
    assert remove_tree(str(tmp_path / "none")) == []


def test_a_file_and_a_link_to_a_file_are_removed(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(file)

    assert (remove_tree(str(link)), file.exists()) == ([], True)
    assert (remove_tree(str(file)), file.exists()) == ([], False)


@pytest.mark.parametrize("slash", ["", "/"])
def test_of_a_link_to_a_directory_only_the_link_is_removed(source: Path, slash: str) -> None:
    before = tree_of(source)
    link = source.parent / "to it"
    link.symlink_to(source)

    assert remove_tree(f"{link}{slash}") == []
    assert (link.is_symlink(), tree_of(source)) == (False, before)


def test_links_inside_are_not_followed(source: Path, tmp_path: Path) -> None:
    before = tree_of(source)
    (tmp_path / "work" / "sub").mkdir(parents=True)
    for name in ("work/to it", "work/sub/to it"):
        (tmp_path / name).symlink_to(source)

    assert remove_tree(str(tmp_path / "work")) == []
    assert tree_of(source) == before


def test_odd_files_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "fifo")
    (top / "loop").symlink_to(".")
    with open(os.fsencode(top) + b"/\xff\xfe", "w"):
        pass

    assert remove_tree(str(top)) == []
    assert not top.exists()


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        pytest.param("d", 2100, marks=pytest.mark.slow),
        ("é" * 100, 60),
        ("n" * 255, 40),
    ],
)
def test_a_tree_deeper_than_a_path_can_be_long_is_removed(
    tmp_path: Path, name: str, levels: int
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    make_deep(top, name, levels)

    assert remove_tree(str(top)) == []
    assert not top.exists()


def test_the_directory_above_is_not_touched(tmp_path: Path) -> None:
    """Something that cannot be removed must not open up the place where others work."""
    above = tmp_path / "above"
    (above / "top").mkdir(parents=True)
    above.chmod(0o1755)
    busy = above / "top" / "busy"
    busy.mkdir()
    before = above.stat().st_mode
    code = f"""
import os, sys
from testloom.processes.files import remove_tree
os.chdir({str(above)!r})
os.setuid(65534)
print(remove_tree("top"), remove_tree("file"))
"""
    (above / "file").touch()
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "['top/busy', 'top'] ['file']\n"
    assert above.stat().st_mode == before


LOCKED = """
import os, sys
from testloom.processes.files import remove_tree
if os.getuid() == 0:
    os.fchown(os.open(".", os.O_RDONLY), 65534, 65534)
    os.setuid(65534)
for name in ("a/b/c", "a/no read", "a/no search/sub", "a/nothing/sub"):
    os.makedirs(f"top/{name}")
    open(f"top/{name}/file", "w").close()
os.chmod("top/a/no read", 0o300)
os.chmod("top/a/no search", 0o400)
os.chmod("top/a/nothing", 0)
os.chmod("top/a/b", 0o500)
os.chmod("top/a", 0o500)
print(remove_tree("top"), os.path.exists("top"))
"""


def test_directories_without_permissions_are_given_them(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOCKED], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (ran.stdout, ran.stderr) == ("[] False\n", "")


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    for data in (b"\xff\0", "text é", iter(["a", "b", "c"])):
        write_whole(tmp_path / "file", data)
        written = (tmp_path / "file").read_bytes()
        assert written in (b"\xff\0", "text é".encode(), b"abc")

    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_if_it_cannot_be_written_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")

    def failing() -> Iterator[str]:
        yield "x" * 1_000_000
        raise OSError("planted")

    with pytest.raises(OSError, match="planted"):
        write_whole(str(tmp_path / "file"), failing())

    assert {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)} == {"file": "old"}


def test_a_name_without_a_directory_is_in_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole("file", "x")

    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_read_whole_whatever_its_size_is_said_to_be(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    for content in (b"", b"line\r\n", os.urandom(3_000_001)):
        plain.write_bytes(content)
        assert read_whole(str(plain)) == content
    status = read_whole("/proc/self/status")  # its size is 0
    assert status.startswith(b"Name:")
    assert status.endswith(b"\n")


def test_what_cannot_be_read_is_named_in_the_error(tmp_path: Path) -> None:
    for path, kind in ((tmp_path, IsADirectoryError), (tmp_path / "none", FileNotFoundError)):
        with pytest.raises(kind) as caught:
            read_whole(str(path))
        assert caught.value.filename == str(path)
