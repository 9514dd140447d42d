from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from testloom.processes import claim, tree
from testloom.processes.claim import MARK, Claim, abandoned, all_abandoned, user_of

CLAIMS = """
import sys
from testloom.processes.claim import Claim

claim = Claim.on(sys.argv[1], is_kept=sys.argv[2] == "kept")
claim.name_run(sys.argv[3], sys.argv[4])
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Have another process claim a directory below *tmp_path*."""
    processes = []

    def start(
        name: str, *, kept: str = "", run: str = "", results: str = ""
    ) -> subprocess.Popen[bytes]:
        (tmp_path / name).mkdir()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", CLAIMS, tmp_path / name, kept, run, results],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"claimed\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_a_directory_is_in_use_until_its_claim_is_released(tmp_path: Path) -> None:
    mine = Claim.on(str(tmp_path), is_kept=False)
    assert mine is not None
    assert (user_of(str(tmp_path)), abandoned(str(tmp_path))) == (os.getpid(), None)

    mine.release()
    assert (user_of(str(tmp_path)), os.listdir(tmp_path)) == (None, [])


def test_the_place_of_results_may_be_any_path(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """One that is no text, and one as long as paths can be."""
    places = [f"/no\udcff/{'x' * 4000}", "/\udcff"]
    for name, place in zip(("one", "two"), places, strict=True):
        killed(claimed(name, results=place))

    found = [abandoned(str(tmp_path / name)) for name in ("one", "two")]
    for one in found:
        assert one is not None
        with one:
            pass
    assert [one.results for one in found if one] == places


def test_what_a_living_process_has_claimed_is_not_abandoned(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = claimed("work")
    assert user_of(str(tmp_path / "work")) == process.pid
    assert list(all_abandoned(str(tmp_path), "wo")) == []


def test_what_a_dead_process_has_claimed_is_abandoned_and_can_be_removed(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = claimed("work")
    claimed("work-of-another")
    (tmp_path / "work-of-nobody").mkdir()
    killed(process)

    found = [(f.pid, f.remove()) for f in all_abandoned(str(tmp_path), "work")]

    assert found == [(process.pid, [])]
    assert sorted(os.listdir(tmp_path)) == ["work-of-another", "work-of-nobody"]


def test_a_directory_that_is_kept_loses_its_claim_only(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    killed(claimed("work", kept="kept"))
    (tmp_path / "work" / "precious").touch()
    for found in all_abandoned(str(tmp_path), "work"):
        found.remove()
    assert os.listdir(tmp_path / "work") == ["precious"]
    assert abandoned(str(tmp_path / "work")) is None


def test_entries_can_be_kept(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    killed(claimed("work"))
    for name in ("failed", "passed"):
        (tmp_path / "work" / name).mkdir()
    for found in all_abandoned(str(tmp_path), "work"):
        assert found.remove({"failed"}) == []
    assert os.listdir(tmp_path / "work") == ["failed"]


def test_a_claim_whose_lock_somebody_holds_is_not_abandoned(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    killed(claimed("work"))
    directory = str(tmp_path / "work")
    found = abandoned(directory)
    assert found is not None
    with found:
        assert abandoned(directory) is None
    assert user_of(directory) is None


def test_links_are_not_followed(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    killed(claimed("real"))
    (tmp_path / "link-to-directory").symlink_to("real")
    (tmp_path / "link-to-claim").mkdir()
    (tmp_path / "link-to-claim" / claim.NAME).symlink_to(tmp_path / "real" / claim.NAME)
    (tmp_path / "link-hard").mkdir()
    os.link(tmp_path / "real" / claim.NAME, tmp_path / "link-hard" / claim.NAME)

    assert list(all_abandoned(str(tmp_path), "link")) == []
    assert abandoned(str(tmp_path / "link-to-directory")) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2", b'{"owner": "me"}', bytes(5000)])
def test_what_is_no_claim_of_ours_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / claim.NAME).write_bytes(content)
    assert list(all_abandoned(str(tmp_path), "work")) == []
    assert (user_of(str(tmp_path / "work")), os.listdir(tmp_path)) == (None, ["work"])


def test_a_pipe_in_place_of_a_claim_is_not_waited_for(tmp_path: Path, in_time: None) -> None:
    os.mkfifo(tmp_path / claim.NAME)
    assert abandoned(str(tmp_path)) is None


def test_what_others_may_write_proves_nothing(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    killed(claimed("work"))
    (tmp_path / "work").chmod(0o777)
    assert abandoned(str(tmp_path / "work")) is None


def test_programs_with_the_mark_of_the_run_are_killed_and_no_others(
    tmp_path: Path, claimed: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run = f"testloom-test-{os.getpid()}"
    command = ["sh", "-c", "echo; exec sleep 1000"]
    programs = [
        subprocess.Popen(command, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE)
        for mark in (run, run, f"{run}-of-another")
    ]
    for program in programs:
        assert program.stdout is not None
        program.stdout.readline()
    killed(claimed("work", run=run))

    assert [f.end_processes() for f in all_abandoned(str(tmp_path), "work")] == [2]
    assert programs[2].poll() is None
    programs[2].kill()
    for program in programs:
        program.communicate()
    assert [program.returncode for program in programs] == [-signal.SIGKILL] * 3


def test_nothing_is_claimed_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "_is_locked_by_us", lambda _fd: False)
    assert Claim.on(str(tmp_path), is_kept=False) is None
    assert os.listdir(tmp_path) == []


def test_what_hangs_in_the_kernel_is_not_asked_whose_it_is(
    tmp_path: Path,
    claimed: Callable[..., subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer might not come.  Who made a child by vfork hangs until that has ended."""
    run = f"testloom-test-{os.getpid()}"
    code = "import ctypes, os; libc = ctypes.CDLL(None)\n"
    code += "if libc.vfork() == 0: os.write(1, b'here\\n'); libc.pause()"
    program = subprocess.Popen(
        [sys.executable, "-P", "-c", code], env={**os.environ, MARK: run}, stdout=subprocess.PIPE
    )
    assert program.stdout is not None
    program.stdout.readline()
    assert tree.hangs(program.pid)
    killed(claimed("work", run=run))
    asked: list[str] = []

    def opened(path: str, mode: str) -> IO[bytes]:
        if tree.hangs(int(path.split("/")[2])):
            asked.append(path)
        return open(path, mode)

    monkeypatch.setattr(claim, "open", opened, raising=False)
    ended = [f.end_processes() for f in all_abandoned(str(tmp_path), "work")]
    program.communicate()
    tree.kill_below(os.getpid())

    assert asked == []
    assert ended in ([1], [2])
