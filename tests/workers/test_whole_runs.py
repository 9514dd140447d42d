"""A run as a process of its own, with programs below its workers, and what becomes of all that."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testloom.model.outcome import Exited, FragmentTimedOut, Killed, Returned, TimedOut, WorkerDied
from testloom.processes import tree
from testloom.processes.clock import SystemClock
from testloom.processes.launcher import Program, run

MAIN = """
import os, signal, sys
from e3.collection.dag import DAG
from testloom.model.fragment import FragmentData
from testloom.processes import signals
from testloom.processes.launcher import Program, run
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.workers.making import WorkerSettings, make_workers

class D:
    on_push = None
    def run(self, previous, slot):
        code = f"trap '' TERM HUP INT; setsid sleep 99 >/dev/null & echo {os.getpid()} {os.getppid()} $$ $!"
        run(Program(argv=("sh", "-c", f"{code} >{sys.argv[1]}; while :; do sleep 9; done"), grace_s=0.2))

dag = DAG()
for n in range(4):
    dag.update_vertex(f"t{n}.run", data=FragmentData(f"t{n}.run", D(), "run", None), enable_checks=False)
fragments, loop = dict(dag.vertex_data), EventLoop()
scheduler = MultiprocessScheduler(dag, lambda u, d, s: workers.worker(u, d, s), lambda w: print(w.end), 2, loop=loop)
workers = make_workers(WorkerSettings(name=f"testloom-test-{os.getpid()}"), fragments=fragments,
    predecessors=dict(dag.vertex_predecessors_items()), loop=loop, env=None, continues=scheduler.continues, note=print)
if "no cgroup" in sys.argv:
    from testloom.processes import nursery
    nursery.make_cgroup = lambda name: None
phases = iter([Phase.TERMINATING, Phase.KILLING])
try:
    with signals.told_to(loop, lambda _n: scheduler.stop(next(phases))):
        scheduler.run()
finally:
    workers.close()
"""


class Family:
    """The main process of a run, and all that it started."""

    def __init__(self, fifo: Path, *arguments: str) -> None:
        os.mkfifo(fifo)
        said = os.open(fifo, os.O_RDWR)
        self.main = subprocess.Popen(
            [sys.executable, "-c", MAIN, fifo, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        lines = b""
        while lines.count(b"\n") < 2:
            lines += os.read(said, 1000)
        os.close(said)
        numbers = [[int(pid) for pid in line.split()] for line in lines.splitlines()]
        self.workers = [pids[0] for pids in numbers]
        self.nursery = numbers[0][1]
        self.pids = {pid for pids in numbers for pid in pids}
        self.fds = {os.pidfd_open(pid) for pid in self.pids}

    def all_end_within(self, seconds: float) -> bool:
        clock = SystemClock()
        until = clock.now() + seconds
        left = set(self.fds)
        while left and clock.now() < until:
            left -= set(select.select(left, [], [], max(0.0, until - clock.now()))[0])
        return not left

    def close(self) -> None:
        self.main.kill()
        self.main.wait()
        assert self.main.stdout is not None
        self.main.stdout.close()
        for fd in self.fds:
            os.close(fd)
        tree.kill_below(os.getpid())


@pytest.fixture(params=["cgroup", "no cgroup"])
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path / "fifo", request.param)
    yield family
    family.close()


def test_when_main_is_killed_nobody_is_left_after_two_seconds(family: Family) -> None:
    assert len(family.pids) == 7
    family.main.kill()

    assert family.all_end_within(2)


def test_when_main_and_the_nursery_are_killed_the_workers_die_all_the_same(family: Family) -> None:
    """What they had started may live on then, where there are no control groups."""
    os.kill(family.nursery, signal.SIGSTOP)
    family.main.kill()
    os.kill(family.nursery, signal.SIGKILL)

    assert tree.wait_gone([family.nursery, *family.workers], 2)


def test_asked_twice_a_run_of_the_stubborn_ends_at_once(family: Family) -> None:
    """The second signal, as if somebody pressed Ctrl-C again."""
    family.main.send_signal(signal.SIGINT)
    family.main.send_signal(signal.SIGTERM)

    assert family.all_end_within(2)
    assert family.main.stdout is not None
    assert family.main.stdout.read() == "Stopped(why='interrupted')\n" * 2
    assert family.main.wait() == 0


# -- programs that workers run --------------------------------------------------------------------


@pytest.mark.slow
def test_a_fragment_that_is_asked_to_end_asks_its_program(lab: Any, tmp_path: Path) -> None:
    last_words = tmp_path / "last words"

    def runs(*_: Any) -> None:
        code = f"trap 'echo bye >\"{last_words}\"; exit' TERM; sleep 99 & wait"
        run(Program(argv=("sh", "-c", code)))

    lab.add("a.run", runs)
    lab.add("b.run", lambda *_: None)
    ran = lab.run(jobs=1, timeout_s=0.3)

    assert (ran["a.run"], ran["b.run"]) == (FragmentTimedOut(0.3), Returned())
    assert last_words.read_text() == "bye\n"
    assert not tree.has_children()


@pytest.mark.slow
def test_what_a_program_leaves_is_named_once_by_who_ran_it(lab: Any) -> None:
    def runs(*_: Any) -> None:
        ran = run(Program(argv=("sh", "-c", "setsid sleep 99 >/dev/null 2>&1 & exit 3")))
        print(ran.end == Exited(3), len(ran.leaked))

    lab.add("a.run", runs)
    ran = lab.run()

    assert (ran["a.run"], ran.output("a.run")) == (Returned(), "True 1\n")


def test_a_program_sees_nothing_of_the_worker(lab: Any) -> None:
    def runs(*_: Any) -> None:
        code = "import os, sys; print(sorted(os.listdir('/proc/self/fd')), sys.stdin.read())"
        print(run(Program(argv=(sys.executable, "-c", code))).output.decode(), end="")
        shown = run(Program(argv=("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"))).output
        print(shown.decode(), end="")

    lab.add("a.run", runs)

    assert lab.run().output("a.run") == (
        "['0', '1', '2', '3'] \nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
    )


def test_a_program_that_kills_its_session_kills_only_itself(lab: Any) -> None:
    def runs(*_: Any) -> None:
        print(run(Program(argv=("sh", "-c", "kill -KILL 0"))).end)

    lab.add("a.run", runs)

    assert lab.run().output("a.run") == f"{Killed(9)}\n"


def test_a_program_that_kills_its_parent_is_a_crash_of_the_worker(lab: Any) -> None:
    def runs(*_: Any) -> None:
        run(Program(argv=("sh", "-c", "kill -KILL $PPID; sleep 99")))

    lab.add("a.run", runs)
    lab.add("b.run", lambda *_: None)
    ran = lab.run(jobs=1)

    assert (ran["a.run"], ran["b.run"]) == (WorkerDied(Killed(9)), Returned())


def test_a_limit_of_a_program_is_not_that_of_its_fragment(lab: Any) -> None:
    def runs(*_: Any) -> None:
        print(run(Program(argv=("sleep", "99"), timeout_s=0.1)).end)

    lab.add("a.run", runs)

    assert lab.run(timeout_s=60).output("a.run") == f"{TimedOut(0.1)}\n"
