from __future__ import annotations

import os
import sys
from typing import Final

import pytest

from testloom.model.outcome import Exited, OutOfMemory
from testloom.processes import cgroup, memory
from testloom.processes.launcher import Program, run
from testloom.processes.memory import MemoryLimit, MemoryWatch

WANTS: Final = "b = bytearray({}); b[::4096] = b'x' * len(b[::4096]); print('fits')"
LIMIT: Final = 64_000_000


def program(size: int, *, shell: str = "") -> Program:
    code = WANTS.format(size)
    before = ("sh", "-c", shell, "sh") if shell else ()
    argv = (*before, sys.executable, "-c", code)
    return Program(argv=argv, memory_limit_bytes=LIMIT, timeout_s=20)


@pytest.fixture
def groups() -> None:
    limit = MemoryLimit.of(LIMIT)
    limit.close()
    if not limit.is_for_all:
        pytest.skip("control groups that limit memory cannot be made here")


def test_a_program_that_keeps_to_its_limit_does_not_notice() -> None:
    ran = run(program(1_000_000))
    assert (ran.end, ran.output) == (Exited(0), b"fits\n")


def test_a_program_that_wants_more_than_its_limit_is_ended_by_the_kernel(groups: None) -> None:
    assert run(program(4 * LIMIT)).end == OutOfMemory(LIMIT)


@pytest.mark.parametrize("shell", ['"$@"; exit 0', '"$@" & wait; exit 0'])
def test_what_it_has_started_counts_and_is_not_forgiven(groups: None, shell: str) -> None:
    assert run(program(4 * LIMIT, shell=shell)).end == OutOfMemory(LIMIT)


@pytest.mark.parametrize("one", [program(1000), Program(argv=("/-",), memory_limit_bytes=LIMIT)])
def test_nothing_stays_of_the_group(groups: None, one: Program) -> None:
    """Nor if there is no such program."""
    run(one)
    places = filter(None, (cgroup.place(), cgroup.place("memory")))
    mine = f".{os.getpid()}."
    assert [name for place in places for name in os.listdir(place) if mine in name] == []


def test_without_groups_allocations_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "place", lambda _controller="": None)
    ran = run(program(4 * LIMIT))
    assert ran.end == Exited(1)
    assert b"MemoryError" in ran.output


def test_the_kernels_count_is_read_in_both_versions(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = os.fspath(tmp_path)
    monkeypatch.setattr(cgroup, "place", lambda controller="": None if controller else place)
    path = os.path.join(place, "memory.events")
    watch = MemoryWatch()
    asked = [watch.happened()]
    for text in ("low 0\noom 4\noom_kill 1\noom_group_kill 0\n", "oom_kill 1\n", "oom_kill 3\n"):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        asked.append(watch.happened())
    assert asked == [False, True, False, True]
    assert memory._kills(os.path.join(place, "nowhere")) == 0
