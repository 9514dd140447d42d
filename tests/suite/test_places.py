"""The working directory: made, claimed, removed, and what dead runs have left beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.apart import in_namespaces, why_not

from testloom.journal.rundir import MARKER
from testloom.model import kept
from testloom.model.errors import UsageError
from testloom.processes.claim import NAME
from testloom.suite.places import working_place
from testloom.suite.run_options import RunOptions

KILLED = """
import os, signal, sys
from testloom.suite.places import working_place
from testloom.suite.run_options import RunOptions

options = RunOptions(temp_dir=sys.argv[1], cleanup_mode=sys.argv[2])
with working_place(options, is_listing=False) as places:
    places.name_run("", sys.argv[3])
    for name in ("passed", "failed"):
        os.mkdir(os.path.join(places.working_dir, name))
    print(places.working_dir, end="", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_run(parent: Path, mode: str = "passing", results: str = "") -> str:
    """Return the working directory of a run that was killed."""
    command = [sys.executable, "-P", "-c", KILLED, str(parent), mode, results]
    return str(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout)


def notes(parent: Path) -> tuple[str, ...]:
    """Return what a run has to say that begins beside it."""
    with working_place(RunOptions(temp_dir=str(parent)), is_listing=False) as places:
        return places.notes


def test_nothing_stays_of_a_run_that_ends(tmp_path: Path) -> None:
    options = RunOptions(temp_dir=str(tmp_path))
    with working_place(options, is_listing=False) as places:
        assert os.listdir(places.working_dir) == [NAME]
    assert os.listdir(tmp_path) == []


def test_the_next_run_removes_what_a_killed_one_has_left_and_says_so(tmp_path: Path) -> None:
    place = killed_run(tmp_path)
    assert sorted(os.listdir(place)) == [NAME, "failed", "passed"]

    (note,) = notes(tmp_path)
    assert note.startswith("an earlier run (process ")
    assert note.endswith(f") was killed: {place} is removed")
    assert (os.listdir(tmp_path), notes(tmp_path)) == ([], ())


def test_the_directories_of_tests_that_failed_stay(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    results = tmp_path / "results"
    place = killed_run(tmp_path / "work", results=str(results))
    folder = results / kept.FOLDER / "failed"
    folder.mkdir(parents=True)
    (results / MARKER).touch()
    failure = kept.KeptFailure(
        test="failed",
        status="FAIL",
        message="",
        test_dir="/tests/failed",
        working_dir=f"{place}/failed",
    )
    (folder / kept.RECORD).write_bytes(kept.encode(failure))

    (note,) = notes(tmp_path / "work")
    assert note.endswith(f"{place} is kept")
    assert (os.listdir(place), notes(tmp_path / "work")) == (["failed"], ())


def test_what_was_to_be_kept_altogether_is(tmp_path: Path) -> None:
    place = killed_run(tmp_path, "none")
    (note,) = notes(tmp_path)
    assert note.endswith(f"{place} is kept")
    assert (sorted(os.listdir(place)), notes(tmp_path)) == (["failed", "passed"], ())


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_what_a_test_has_mounted_in_its_directory_is_not_touched(tmp_path: Path) -> None:
    """It may be the disk of somebody else, or ``/dev``."""

    def call() -> None:
        place = killed_run(tmp_path)
        disk = Path(place, "passed", "a disk")
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
        (disk / "precious").touch()
        there = f"{disk}: something is mounted there"

        (note,) = notes(tmp_path)
        assert note.endswith(f"{place} could not be removed ({there})")
        options = RunOptions(temp_dir=place, random_temp_subdir=False)
        with pytest.raises(UsageError, match=there), working_place(options, is_listing=False):
            pass
        assert (disk / "precious").exists()
        subprocess.run(["umount", disk], check=True)
        (note,) = notes(tmp_path)
        assert note.endswith(f"{place} is removed")

    in_namespaces(call)


def test_a_directory_in_which_a_run_works_is_not_emptied(tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    options = RunOptions(temp_dir=str(place), random_temp_subdir=False, cleanup_mode="none")
    with working_place(options, is_listing=False):
        (place / "precious").touch()
        with (
            pytest.raises(UsageError, match=f"is in use by process {os.getpid()}; "),
            working_place(options, is_listing=False),
        ):
            pass
        assert (place / "precious").exists()
    assert os.listdir(place) == ["precious"]
