"""The output directory: ours or not, in use or not, and what is kept in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from testloom.journal.rundir import JOURNAL, MARKER, RunDir, find_run, new_id, open_run_dir, runs
from testloom.journal.writer import RESERVE
from testloom.model.errors import UsageError
from testloom.processes.clock import ManualClock

ELSEWHERE = "choose another directory with --output-dir"


def clock(wall: float = 1795221361.25) -> ManualClock:
    return ManualClock(wall=wall)


def refusal(path: Path | str) -> str:
    with pytest.raises(UsageError) as caught:
        open_run_dir(str(path), clock())
    return str(caught.value)


def several(path: Path, count: int, *, keep: int = 10) -> list[str]:
    ids = []
    for number in range(count):
        with open_run_dir(str(path), clock(1000.0 * (number + 1)), keep=keep) as run:
            ids.append(run.run_id)
    return ids


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with open_run_dir(str(out), clock()) as run:
        assert run.run_id == "20261121-003601-40000"  # a quarter of a second
        assert run == RunDir(
            output_dir=str(out),
            run_id=run.run_id,
            path=str(out / run.run_id),
            previous=None,
            _lock=run.fileno(),
        )
        assert run.journal == str(out / run.run_id / JOURNAL)
    assert sorted(os.listdir(out)) == sorted([MARKER, ".lock", run.run_id, "latest"])
    assert os.readlink(out / "latest") == run.run_id
    assert os.listdir(out / run.run_id) == [MARKER]


def test_runs_that_begin_a_microsecond_apart_have_ids_of_their_own_in_order() -> None:
    begun = [1_800_000_000 + at / 1_000_000 for at in (0, 1, 2, 998, 999, 1000, 999_999, 1_000_000)]

    ids = [new_id(wall) for wall in begun]

    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{5}", one) for one in ids)


def test_an_empty_directory_is_taken_and_our_own_is_used_again(tmp_path: Path) -> None:
    first = open_run_dir(str(tmp_path), clock())
    first.close()
    first.close()
    with open_run_dir(str(tmp_path), clock()) as second:
        assert second.previous == first.path
        assert second.path != first.path
        assert os.readlink(tmp_path / "latest") == second.run_id


def test_somebody_elses_directory_is_left_alone(tmp_path: Path) -> None:
    for name in ("new", "old", "x", "y"):
        (tmp_path / name).mkdir()
    assert refusal(tmp_path) == (
        f"{tmp_path}: is not a results directory of testloom: it holds 'new', 'old', 'x', ...;"
        f" remove them, or {ELSEWHERE}"
    )
    assert sorted(os.listdir(tmp_path)) == ["new", "old", "x", "y"]


def test_a_directory_in_use_names_its_user(tmp_path: Path) -> None:
    with open_run_dir(str(tmp_path), clock()):
        assert re.fullmatch(
            rf"{re.escape(str(tmp_path))}: is in use by process {os.getpid()} on \S+"
            rf" since 2026-11-21T00:36:01\+00:00; wait for it, or {ELSEWHERE}",
            refusal(tmp_path),
        )
        assert len(runs(str(tmp_path))) == 1
    open_run_dir(str(tmp_path), clock()).close()


def test_a_child_that_got_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    run = open_run_dir(str(tmp_path), clock())
    fd = run.fileno()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[fd]) as child:
        run.close()
        open_run_dir(str(tmp_path), clock()).close()
        assert child.stdin is not None
        child.stdin.close()


def test_the_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from testloom.journal.rundir import open_run_dir;"
        "run = open_run_dir(sys.argv[1]); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    with open_run_dir(str(tmp_path)) as run:
        assert run.previous is not None


def test_only_the_last_runs_are_kept(tmp_path: Path) -> None:
    ids = several(tmp_path, 13)
    assert runs(str(tmp_path)) == ids[-10:]


def test_nothing_without_our_marker_is_removed(tmp_path: Path) -> None:
    ids = several(tmp_path, 1)
    (tmp_path / ids[0] / MARKER).unlink()
    (tmp_path / "mine").mkdir()
    newer = several(tmp_path, 3, keep=1)
    # The last one and the one before it.
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(
        {"latest", "mine", ids[0], *newer[-2:]}
    )


def test_the_run_before_stays_also_if_the_clock_went_back(tmp_path: Path) -> None:
    with open_run_dir(str(tmp_path), clock(9e8)) as future:
        pass
    with open_run_dir(str(tmp_path), clock(1e8), keep=2) as before:
        pass
    with open_run_dir(str(tmp_path), clock(2e8), keep=2) as now:
        assert now.previous == before.path
    assert runs(str(tmp_path)) == [before.run_id, now.run_id, future.run_id]


def test_what_a_killed_run_kept_in_reserve_is_freed(tmp_path: Path) -> None:
    (killed,) = several(tmp_path, 1)
    (tmp_path / killed / RESERVE).write_bytes(bytes(1000))
    several(tmp_path, 1)
    assert os.listdir(tmp_path / killed) == [MARKER]


def test_a_run_that_never_began_leaves_the_one_before_it_the_latest(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(UsageError, match="no"), open_run_dir(out):
        raise UsageError("no")
    assert (runs(out), os.path.lexists(tmp_path / "out" / "latest")) == ([], False)
    with open_run_dir(out) as first:
        Path(first.journal).touch()
    with pytest.raises(UsageError, match="no"), open_run_dir(out):
        raise UsageError("no")
    assert (runs(out), find_run(out)) == ([first.run_id], first.path)


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    assert refusal(tmp_path / "out") == (
        f"{tmp_path}/out: cannot be used for results: file exists; {ELSEWHERE}"
    )
    assert refusal(tmp_path / "out" / "x") == (
        f"{tmp_path}/out/x: cannot be used for results: not a directory; {ELSEWHERE}"
    )


def test_a_directory_in_place_of_the_link_is_refused_and_no_run_is_left(tmp_path: Path) -> None:
    several(tmp_path, 1)
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").mkdir()
    assert refusal(tmp_path) == (
        f"{tmp_path}/latest: cannot be used for results: is a directory; {ELSEWHERE}"
    )
    assert len(runs(str(tmp_path))) == 1
    (tmp_path / "latest").rmdir()
    open_run_dir(str(tmp_path), clock()).close()


def test_a_directory_that_cannot_be_written_is_refused() -> None:
    assert refusal("/proc/self/out").startswith("/proc/self/out: cannot be used for results: ")
    assert refusal("a\0b") == (f"a\0b: cannot be used for results: embedded null byte; {ELSEWHERE}")


def test_a_deleted_working_directory_is_an_answer_and_not_a_traceback(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os; from testloom.journal.rundir import open_run_dir\n"
        "from testloom.model.errors import UsageError\n"
        "os.rmdir(os.getcwd())\n"
        "try: open_run_dir('out')\n"
        "except UsageError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (
        f"out: cannot be used for results: no such file or directory; {ELSEWHERE}\n",
        "",
    )


def test_runs_are_found_by_how_people_name_them(tmp_path: Path) -> None:
    ids = several(tmp_path, 3)
    out = str(tmp_path)
    paths = [os.path.join(out, run) for run in ids]
    assert [find_run(out), find_run(out, "latest~1"), find_run(out, "latest~2")] == paths[::-1]
    assert find_run(out, ids[1][:-2]) == paths[1]
    assert find_run(out, ids[1][-12:]) == paths[1]


def test_the_latest_run_is_the_last_one_whatever_the_clock_said(tmp_path: Path) -> None:
    paths = []
    for wall in (3000.0, 1000.0, 2000.0):
        with open_run_dir(str(tmp_path), clock(wall)) as run:
            paths.append(run.path)
    assert find_run(str(tmp_path)) == paths[-1]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("latest~3", "latest~3: only 3 runs are kept here"),
        ("1970", "several runs match '1970'; among those kept: "),
        ("nope", "no run matches 'nope'; among those kept: "),
        ("", "several runs match ''; among those kept: "),
    ],
)
def test_a_run_that_is_not_there_is_an_error_that_lists_those_that_are(
    tmp_path: Path, reference: str, message: str
) -> None:
    ids = several(tmp_path, 3)
    with pytest.raises(UsageError) as caught:
        find_run(str(tmp_path), reference)
    listed = ", ".join(ids) if message.endswith(": ") else ""
    assert str(caught.value) == f"{tmp_path}: {message}{listed}"


def test_a_directory_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_run(str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: holds no run; run the tests first"
    assert runs(f"{tmp_path}/missing") == []
