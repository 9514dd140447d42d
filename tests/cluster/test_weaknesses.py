"""What jobmon's local distributor gets wrong, each by its number: here it has to be right.

Each test has a time limit: what waits, waits for a condition and gives up after `LIMIT_S`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.cluster import MultiprocessDistributor, MultiprocessWorkerNode, RemoteExitInfo
from testloom.cluster.ledger import KEPT
from testloom.processes import tree
from testloom.processes.clock import SystemClock

LIMIT_S = 20.0
Make = Callable[..., MultiprocessDistributor]


class Fifo:
    """What jobs tell about themselves: their numbers, a line each."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._text = ""

    def pids(self, lines: int = 1) -> list[int]:
        while self._text.count("\n") < lines:
            assert select.select([self._fd], [], [], LIMIT_S)[0], "nobody said anything"
            self._text += os.read(self._fd, 4096).decode()
        return [int(word) for word in self._text.split()]

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "fifo")
    yield fifo
    fifo.close()


def sh(code: str) -> str:
    return shlex.join(("sh", "-c", code))


def all_end_within(pids: list[int], seconds: float) -> bool:
    return tree.wait_gone([pid for pid in pids if not tree.is_zombie(pid)], seconds)


@pytest.mark.slow
def test_jobmon_w1_orphans_of_a_storm_of_terminations(make: Make, tmp_path: Path) -> None:
    """Submitted and terminated at once, 2,000 times: nobody is left, and each is explained."""
    marker = f"testloom-storm-{os.getpid()}"
    distributor = make(parallelism=8)
    ids = []
    for _ in range(2000):
        ids.append(distributor.submit_to_batch_distributor(sh(f": {marker}; sleep 99; :"), "s", {}))
        distributor.terminate_task_instances(ids[-1:])

    assert distributor.wait(ids, LIMIT_S) == set()
    assert distributor.get_submitted_or_running() == set()
    assert len(set(ids)) == 2000
    assert {distributor.get_remote_exit_info(job).finalized for job in ids} == {True}
    assert processes_with(marker) == []


def processes_with(marker: str) -> list[str]:
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if marker.encode() in command and int(pid) != os.getpid():
                found.append(f"{pid}: {command!r}")
    return found


@pytest.mark.slow
def test_jobmon_w2_vanished_children_do_not_save_the_others(make: Make, fifo: Fifo) -> None:
    """Children come and go while all are being killed; daemons and the stubborn go, too."""
    stubborn = "trap '' TERM INT HUP; while :; do sleep 9; done"
    code = (
        f"({stubborn}) & setsid sh -c {shlex.quote(stubborn)} & "
        f"echo $$ $! > {fifo.path}; while :; do true & /bin/true; done"
    )
    distributor = make(grace_s=0.2)
    job = distributor.submit_to_batch_distributor(sh(code), "w2", {})
    pids = fifo.pids()
    pids += tree.descendants(pids[0])
    distributor.terminate_task_instances([job])

    assert distributor.wait([job], LIMIT_S) == set()
    assert all_end_within(pids, 2)
    assert distributor.get_remote_exit_info(job).finalized


@pytest.mark.slow
def test_jobmon_w3_a_job_that_ends_at_once_does_not_run_for_ever(make: Make) -> None:
    distributor = make(parallelism=4)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        ids = [distributor.submit_to_batch_distributor("true", "w3", {}) for _ in range(200)]
        assert distributor.wait(ids, LIMIT_S) == set()
    finally:
        sys.setswitchinterval(before)

    assert distributor.get_submitted_or_running() == set()


def test_jobmon_w4_a_job_terminated_in_the_queue_is_explained(make: Make, fifo: Fifo) -> None:
    distributor = make(parallelism=1)
    first = distributor.submit_to_batch_distributor(sh(f"echo $$ >{fifo.path}; sleep 99"), "a", {})
    second = distributor.submit_to_batch_distributor("sleep 99", "b", {})
    fifo.pids()
    distributor.terminate_task_instances([second])

    assert distributor.get_submitted_or_running() == {first}
    assert distributor.get_remote_exit_info(second) == RemoteExitInfo(
        "U", "terminated before start", finalized=True
    )


def test_jobmon_w4_who_has_left_is_explained_at_the_same_moment(make: Make) -> None:
    distributor = make()
    seen: list[tuple[bool, str]] = []
    told = threading.Event()

    def look(job: str) -> None:
        is_active = job in distributor.get_submitted_or_running()
        seen.append((is_active, distributor.get_remote_exit_info(job).error_message))
        told.set()

    distributor.on_ended(look)
    distributor.submit_to_batch_distributor(sh("exit 7"), "w4", {})

    assert told.wait(LIMIT_S)
    assert seen == [(False, "Process exited with code 7")]


def test_jobmon_w5_a_job_that_is_no_array_has_a_plain_id(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARRAY_STEP_ID", "4")  # this process may be a step itself
    distributor = make(log_dir=str(tmp_path))
    show = sh("echo $JOB_ID:$ARRAY_STEP_ID")
    plain = distributor.submit_to_batch_distributor(show, "one", {})
    steps = distributor.submit_array_to_batch_distributor(show, "many", {}, 2)

    assert distributor.wait(timeout=LIMIT_S) == set()
    assert (plain, steps) == ("1", {0: "2_0", 1: "2_1"})
    assert (tmp_path / "one.o1").read_text() == "1:\n"
    assert [(tmp_path / f"many.o2_{n}").read_text() for n in (0, 1)] == ["2:0\n", "2:1\n"]

    monkeypatch.delenv("ARRAY_STEP_ID")
    monkeypatch.setenv("JOB_ID", plain)
    assert MultiprocessWorkerNode().distributor_id == plain


def test_jobmon_w6_only_those_asked_for_are_reported(make: Make, fifo: Fifo) -> None:
    distributor = make(parallelism=1)
    wait = sh(f"echo $$ >{fifo.path}; sleep 99")
    ids = [distributor.submit_to_batch_distributor(wait, "w6", {}) for _ in range(3)]
    fifo.pids()

    assert distributor.get_submitted_or_running() == set(ids)
    assert distributor.get_submitted_or_running([ids[1], "no such job"]) == {ids[1]}
    assert distributor.get_submitted_or_running([]) == set()


@pytest.mark.slow
def test_jobmon_w6_requested_resources_are_honoured(make: Make, tmp_path: Path) -> None:
    distributor = make(parallelism=2, log_dir=str(tmp_path))
    show = sh("ulimit -v")
    python = shlex.join((sys.executable, "-c", "bytearray(2 * 1024**3)"))
    limited = distributor.submit_to_batch_distributor(show, "limit", {"memory": "512M"})
    greedy = distributor.submit_to_batch_distributor(python, "greedy", {"memory": 0.5})
    long = distributor.submit_to_batch_distributor("sleep 99", "long", {"runtime": 0.2})

    assert distributor.wait(timeout=LIMIT_S) == set()
    assert (tmp_path / f"limit.o{limited}").read_text() == f"{512 * 1024}\n"
    assert distributor.get_remote_exit_info(greedy).error_message == "Process exited with code 1"
    assert "MemoryError" in (tmp_path / f"greedy.e{greedy}").read_text()
    assert distributor.get_remote_exit_info(long) == RemoteExitInfo(
        "Z", "its run time of 0.2 s was over"
    )


@pytest.mark.slow
def test_jobmon_w6_jobs_share_the_cores_they_asked_for(make: Make, tmp_path: Path) -> None:
    """Three cores: jobs of two never run together; one that wants more than there are runs alone."""
    distributor = make(parallelism=3)
    log = tmp_path / "log"
    code = f"echo +{{0}} >>{log}; sleep 0.05; echo -{{0}} >>{log}"
    for cores in (2, 2, 1, 9, 1, 2):
        distributor.submit_to_batch_distributor(sh(code.format(cores)), "c", {"cores": cores})
    assert distributor.wait(timeout=LIMIT_S) == set()

    running: list[int] = []
    most = 0
    for line in log.read_text().split():
        cores = int(line[1:])
        if line[0] == "+":
            assert cores != 9 or not running
            running.append(cores)
            most = max(most, sum(running) if 9 not in running else 0)
        else:
            running.remove(cores)
    assert running == []
    assert most <= 3


def test_jobmon_w6_each_job_has_logs_of_its_own_name(make: Make, tmp_path: Path) -> None:
    distributor = make(log_dir=str(tmp_path / "logs"))
    say = sh("echo out; echo err >&2")
    there = {"stdout": str(tmp_path / "out"), "stderr": str(tmp_path / "out")}
    distributor.submit_to_batch_distributor(say, "fit", {})
    distributor.submit_to_batch_distributor(say, "a/b", there)
    assert distributor.wait(timeout=LIMIT_S) == set()

    files = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.*")}
    assert files == {
        "logs/fit.o1": "out\n",
        "logs/fit.e1": "err\n",
        "out/a_b.o2": "out\n",
        "out/a_b.e2": "err\n",
    }


def test_jobmon_w6_what_cannot_be_run_is_told_once_and_not_kept_for_ever(make: Make) -> None:
    distributor = make()
    job = distributor.submit_to_batch_distributor("/no/such/program", "w6", {})
    assert distributor.wait([job], LIMIT_S) == set()

    why = "/no/such/program: No such file or directory"
    assert distributor.get_remote_exit_info(job).error_message == f"could not be started: {why}"
    assert distributor.get_queueing_errors([job, "unknown"]) == {job: why}
    assert distributor.get_queueing_errors([job]) == {}
    assert distributor._ledger._errors.size_limit == KEPT


def test_jobmon_w6_no_thread_waits_for_a_job(make: Make, fifo: Fifo) -> None:
    before = threading.active_count()
    distributor = make(parallelism=8)
    wait = sh(f"echo $$ >{fifo.path}; sleep 99")
    for _ in range(8):
        distributor.submit_to_batch_distributor(wait, "w6", {})
    fifo.pids(lines=8)

    assert threading.active_count() == before + 1


def test_jobmon_w6_the_steps_of_an_array_share_one_environment(
    make: Make, fifo: Fifo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTLOOM_W6", "here")
    distributor = make(parallelism=1)
    wait = sh(f"echo $$ >{fifo.path}; sleep 99")
    distributor.submit_array_to_batch_distributor(wait, "w6", {}, 500)
    fifo.pids()

    copies = [o for o in gc.get_objects() if type(o) is dict and "TESTLOOM_W6" in o]
    assert len(copies) <= 4  # that of the array, that of the step which runs


def test_jobmon_w6_an_entry_point_with_blanks_is_one_word(make: Make, tmp_path: Path) -> None:
    place = tmp_path / "my programs"
    place.mkdir()
    program = place / "entry point"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    distributor = make(worker_node_entry_point=shlex.quote(str(program)), log_dir=str(tmp_path))
    distributor.submit_to_batch_distributor("'a b' c", "w6", {})

    assert distributor.wait(timeout=LIMIT_S) == set()
    assert (tmp_path / "w6.o1").read_text() == "a b c\n"


CTRL_C = """
import sys
from testloom.cluster import MultiprocessDistributor
distributor = MultiprocessDistributor("here", parallelism=2, worker_node_entry_point="")
for _ in range(4):
    distributor.submit_to_batch_distributor(sys.argv[1], "long", {})
distributor.wait()
"""
STUBBORN = (
    "trap '' INT TERM HUP; setsid sh -c \"trap '' INT TERM HUP; sleep 98; :\" & "
    "echo $$ $! > {0}; while :; do sleep 99; done"
)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_jobmon_w7_after_ctrl_c_nobody_is_left(fifo: Fifo, signum: int) -> None:
    """In a session of its own, SIGINT to its group, jobs that ignore everything: gone in 2 s."""
    main = subprocess.Popen(
        [sys.executable, "-c", CTRL_C, sh(STUBBORN.format(fifo.path))],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    pids = fifo.pids(lines=2)
    nursery = tree.children(main.pid)
    os.killpg(main.pid, signum)
    clock = SystemClock()
    until = clock.now() + 2

    assert main.wait(2) == -signum
    assert all_end_within([*pids, *nursery], until - clock.now())
    tree.kill_below(os.getpid())  # what has been orphaned is ours to reap


def test_jobmon_w8_one_can_wait(make: Make, fifo: Fifo) -> None:
    distributor = make()
    quick = distributor.submit_to_batch_distributor("true", "quick", {})
    slow = distributor.submit_to_batch_distributor(sh(f"echo $$ >{fifo.path}; sleep 99"), "s", {})
    fifo.pids()

    assert distributor.wait([quick], LIMIT_S) == set()
    assert distributor.wait([quick, slow], 0.01) == {slow}
    distributor.terminate_task_instances([slow])
    assert distributor.wait(timeout=LIMIT_S) == set()
