"""Programs in slots, run by a scheduler."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.model.outcome import Exited, Killed, NotStarted, ProgramEnd, TimedOut
from testloom.processes import tree
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.workers import command as command_module
from testloom.workers.command import Command, Commands, CommandWorker

LOST = NotStarted("the process that runs the programs has died")


class Lab:
    """Runs commands, each a vertex of a graph."""

    def __init__(self) -> None:
        self.loop = EventLoop()
        self.commands = Commands(self.loop, name=f"testloom-test-{os.getpid()}")
        self.dag = DAG()
        self.ends: dict[str, ProgramEnd | None] = {}
        self.workers: dict[str, CommandWorker] = {}
        self.on_start: Callable[[CommandWorker], object] = lambda _worker: None
        self.scheduler: MultiprocessScheduler

    def add(self, uid: str, *argv: str, after: str = "", **options: Any) -> None:
        options = {"cwd": "/", "env": dict(os.environ)} | options
        data = Command(argv=argv, **options)
        self.dag.update_vertex(uid, data=data, predecessors=after.split(), enable_checks=False)

    def run(self, jobs: int = 1) -> dict[str, ProgramEnd | None]:
        self.scheduler = MultiprocessScheduler(
            self.dag, self._make, self._collect, jobs, loop=self.loop
        )
        self.scheduler.run()
        return self.ends

    def _make(self, uid: str, data: Any, slot: int) -> CommandWorker:
        worker = self.workers[uid] = self.commands.worker(uid, data, slot)
        self.on_start(worker)
        return worker

    def _collect(self, worker: Any) -> None:
        self.ends[worker.uid] = worker.end


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.commands.close()
    lab.loop.close()


def test_each_way_of_ending_is_told(lab: Lab) -> None:
    lab.add("fine", "true")
    lab.add("odd", "sh", "-c", "exit 3")
    lab.add("crash", "sh", "-c", "kill -SEGV $$")
    lab.add("absent", "nonesuch")

    assert lab.run() == {
        "fine": Exited(0),
        "odd": Exited(3),
        "crash": Killed(signal.SIGSEGV),
        "absent": NotStarted("nonesuch: No such file or directory"),
    }
    assert lab.workers["fine"].max_rss_bytes > 0
    assert not lab.workers["fine"].poll(None)


@pytest.mark.slow
def test_a_program_whose_time_is_up_is_asked_to_end(lab: Lab) -> None:
    lab.add("polite", "sleep", "99", timeout_s=0.1)
    assert lab.run() == {"polite": TimedOut(0.1)}


def test_one_that_does_not_end_when_asked_is_killed(lab: Lab, tmp_path: Path) -> None:
    """Its time is up as soon as it has said that it ignores being asked."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    code = f"trap '' TERM; echo >{path}; sleep 99; :"
    lab.add("stubborn", "sh", "-c", code, timeout_s=99.0, grace_s=0.05)

    def time_is_up() -> None:
        lab.loop.unwatch(fd)
        lab.scheduler._time_out(lab.workers["stubborn"])

    lab.loop.watch(fd, time_is_up)
    assert lab.run() == {"stubborn": TimedOut(99.0, ignored_term=True)}
    os.close(fd)


def test_programs_run_in_the_order_of_their_graph(lab: Lab, tmp_path: Path) -> None:
    log = tmp_path / "log"
    lab.add("b", "sh", "-c", f"echo b >>{log}", after="a")
    lab.add("c", "sh", "-c", f"echo c >>{log}", after="b")
    lab.add("a", "sh", "-c", f"echo a >>{log}")
    lab.run(jobs=3)

    assert log.read_text() == "a\nb\nc\n"


def test_killed_before_the_program_is_there_nothing_is_left(lab: Lab) -> None:
    for n in range(20):
        lab.add(f"t{n}", "sleep", "99")
    lab.on_start = lambda worker: lab.loop.call_soon(worker.kill)

    assert set(lab.run(jobs=4).values()) == {Killed(signal.SIGKILL)}


def test_a_run_that_is_stopped_waits_for_its_programs(lab: Lab) -> None:
    for n in range(3):
        lab.add(f"t{n}", "sleep", "99")
    lab.on_start = lambda worker: lab.loop.call_soon(lambda: lab.scheduler.stop(Phase.TERMINATING))

    assert lab.run(jobs=2) == {"t0": Killed(signal.SIGTERM), "t1": Killed(signal.SIGTERM)}
    assert lab.workers["t0"].stopped


def test_when_the_nursery_dies_its_programs_are_lost_and_another_is_made(lab: Lab) -> None:
    lab.add("a", "sleep", "99")
    lab.add("b", "true", after="a")

    def murder(worker: CommandWorker) -> None:
        if worker.uid == "a":
            nursery = lab.commands._nursery
            assert nursery is not None
            lab.loop.call_soon(lambda: os.kill(nursery.pid, signal.SIGKILL))

    lab.on_start = murder
    assert lab.run() == {"a": LOST, "b": Exited(0)}
    tree.kill_below(os.getpid(), {worker_pid(lab)})  # orphans are ours here


def worker_pid(lab: Lab) -> int:
    return lab.commands._nursery.pid if lab.commands._nursery else -1


def test_a_nursery_that_cannot_be_started_is_the_end_of_each_program(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonesuch/python")
    lab.add("a", "true")
    lab.add("b", "true")

    assert lab.run() == dict.fromkeys("ab", NotStarted("No such file or directory"))


@pytest.mark.slow
def test_the_slot_of_a_program_that_does_not_die_is_given_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it hung in the kernel: the nursery is not told."""
    monkeypatch.setattr(command_module, "KILL_S", 0.1)
    lab.add("a", "sleep", "99", timeout_s=0.05, grace_s=0.05)
    lab.add("b", "true")
    tell = lab.commands.tell
    monkeypatch.setattr(
        lab.commands, "tell", lambda what, slot: tell(what, slot) if slot != 0 else None
    )

    assert lab.run(jobs=2) == {"a": TimedOut(0.05, ignored_term=True), "b": Exited(0)}
    assert lab.workers["a"].slot_lost


def test_closing_twice_is_fine_and_ends_what_runs(lab: Lab, gone: Callable[[int], bool]) -> None:
    worker = lab.commands.worker("a", Command(argv=("sleep", "99"), cwd="/", env={}), 0)
    nursery = lab.commands._nursery
    assert nursery is not None
    pid = nursery.news().pid
    lab.commands.close()
    lab.commands.close()
    assert gone(pid)
    assert worker.poll(None)  # it is told by nobody any more
