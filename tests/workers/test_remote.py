"""Fragments as jobs of the local batch system: whole programs, as for fresh interpreters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.model.outcome import Exited, Returned, Stopped, WorkerDied
from testloom.processes import tree
from testloom.workers.exchange import NodeOutcome
from testloom.workers.remote import _end_of, _environ, _job_name

pytestmark = pytest.mark.slow  # each fragment starts an interpreter

LIMIT_S = 20.0
ODD = """
import os, signal, time
from drivers import *

class Dies(Simple):
    def run(self, previous, slot):
        os.kill(os.getpid(), signal.SIGKILL)

class KillsItsNode(Simple):
    '''That is what the batch system has started; the nursery is between them.'''
    def run(self, previous, slot):
        nursery = open(f"/proc/{os.getppid()}/stat").read()
        os.kill(int(nursery.rpartition(")")[2].split()[1]), signal.SIGKILL)
        time.sleep(99)

class Hangs(Simple):
    fragment_timeout_s = 0.3
    def run(self, previous, slot):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where its stacks would go
        time.sleep(99)

class Asks(Simple):
    requested_resources = {"cores": 2, "memory": "2G"}
    def run(self, previous, slot):
        sys.stdout.flush()
        os.system("ulimit -v")

class AsksBadly(Simple):
    requested_resources = {"cores": "many"}

class AsksOddly(Simple):
    @property
    def requested_resources(self):
        raise LookupError("planted")

class Local(Simple):
    def run(self, previous, slot):
        print(type(self).__module__)
"""
ALL = """
from odd import *
from runner import run_all
from testloom.cluster import MultiprocessDistributor

class Local(Local):
    pass

if __name__ == "__main__":
    tests = [Simple, Diamond, Chain, Dies, KillsItsNode, Hangs, FailsElsewhere, Asks, AsksBadly,
        AsksOddly, Unsendable, Local]
    run_all(tests, 2, distributor=MultiprocessDistributor("here", 2))
    print("left:", [name for name in os.listdir() if "exchange" in name])
"""
NAMES = [
    *("Simple", "Diamond", "Chain", "Dies", "KillsItsNode", "Hangs", "FailsElsewhere"),
    *("Asks", "AsksBadly", "AsksOddly", "Unsendable", "Local"),
]


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """What was told about each fragment; filled by the first test that asks for `lines`."""
    return {}


@pytest.fixture
def lines(run: Callable[..., list[str]], told: dict[str, str], tmp_path: Path) -> dict[str, str]:
    if not told:
        (tmp_path / "odd.py").write_text(ODD)
        for line in run(ALL):
            uid, _, text = line.partition(" ")
            number, _, step = uid.partition(".")
            is_fragment = number[1:].isdecimal()
            told[f"{NAMES[int(number[1:])]}.{step}" if is_fragment else uid] = text
    return told


def test_nodes_are_told_about_the_suite_and_the_driver(lines: dict[str, str]) -> None:
    assert lines["Simple.run"] == "hello 0 True 0"
    assert lines["Local.run"] == "__main__"


def test_attributes_travel_from_node_to_node(lines: dict[str, str]) -> None:
    assert lines["Diamond.z"] == "1 2 3"


def test_a_value_that_cannot_be_sent_is_an_exception_for_those_that_follow(
    lines: dict[str, str],
) -> None:
    assert lines["Chain.one"].startswith("Returned(value=None, raised='', aborted=False, unpicklab")
    assert "function" in lines["Chain.one"]
    assert lines["Chain.two"] == "TypeError: 'FragmentLost' object is not callable"
    assert lines["Chain.three"] == "TypeError: 'TypeError' object is not callable"


def test_the_node_tells_how_a_fragment_ended(lines: dict[str, str]) -> None:
    assert lines["Dies.run"] == "WorkerDied(end=Killed(signal=9), note='')"
    assert lines["Hangs.run"] == "What its processes were doing when its time was up:"
    assert lines["FailsElsewhere.run"] == "ValueError: planted"
    assert lines["Unsendable.run"].startswith("RuntimeError: this test cannot be sent to a fresh")


def test_the_batch_system_tells_how_a_node_ended(lines: dict[str, str]) -> None:
    text = lines["KillsItsNode.run"]
    assert text.startswith("WorkerLost(why='job ")
    assert text.endswith(": Process exited with code -9')")


def test_drivers_ask_for_resources(lines: dict[str, str]) -> None:
    assert lines["Asks.run"] == str(2 * 1024 * 1024)
    assert lines["AsksBadly.run"] == (
        'WorkerLost(why="it could not be submitted: ValueError: '
        "cores: 'many' is not a whole number of at least 1\")"
    )
    assert lines["AsksOddly.run"].startswith("hello 9")
    assert lines["note:"] == "t9.run: its resources are not known: LookupError: planted"


def test_in_the_end_the_files_are_gone(lines: dict[str, str]) -> None:
    assert lines["left:"] == "[]"


def test_names_of_jobs_are_such_that_every_batch_system_takes_them() -> None:
    assert _job_name("a/b c.é:run") == "a_b_c.é_run"
    assert len(_job_name("x" * 999)) == 128


def test_that_main_is_a_job_itself_is_not_told_to_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JOB_ID", "SLURM_JOB_ID", "WORD"):
        monkeypatch.setenv(name, "7")
    told = _environ()
    assert (b"JOB_ID" in told, b"SLURM_JOB_ID" in told, told[b"WORD"]) == (False, False, b"7")


def test_what_was_asked_to_end_was_interrupted_and_has_not_died() -> None:
    """Its process may be gone before the node hears that it is to end, or the node is."""
    died = NodeOutcome("WorkerDied", code=128 + signal.SIGTERM)

    assert _end_of(died, is_stopped=True) == Stopped("interrupted")
    assert _end_of(NodeOutcome("WorkerLost", "gone"), is_stopped=True) == Stopped("interrupted")
    assert _end_of(died, is_stopped=False) == WorkerDied(Exited(143))
    assert _end_of(NodeOutcome("Returned"), is_stopped=True) == Returned()


STOPPED = """
from odd import *
import runner
from testloom.cluster import MultiprocessDistributor
from testloom.processes import signals
from testloom.scheduling import MultiprocessScheduler, Phase

class Waits(Simple):
    def run(self, previous, slot):
        if self.test_env["n"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(os.open("fifo", os.O_WRONLY), b"%d %d\\n" % (os.getpid(), os.getppid()))
        time.sleep(99)

class Told(MultiprocessScheduler):
    def run(self):
        phases = iter([Phase.TERMINATING, Phase.KILLING])
        with signals.told_to(self.loop, lambda _n: self.stop(next(phases))):
            super().run()

runner.MultiprocessScheduler = Told
if __name__ == "__main__":
    runner.run_all([Waits, Waits], 2, distributor=MultiprocessDistributor("here", 2))
"""


@pytest.fixture
def main(run: Callable[..., list[str]], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "odd.py").write_text(ODD)
    (tmp_path / "suite.py").write_text(STOPPED)
    os.mkfifo(tmp_path / "fifo")
    main = subprocess.Popen(
        [sys.executable, tmp_path / "suite.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield main
    main.kill()
    main.wait()
    assert main.stdout is not None
    main.stdout.close()
    tree.kill_below(os.getpid())  # what has been orphaned is ours to reap


@pytest.mark.parametrize("signums", [[signal.SIGINT, signal.SIGTERM], [signal.SIGKILL]])
def test_when_main_is_told_twice_or_killed_nobody_is_left(
    main: subprocess.Popen[str], tmp_path: Path, signums: list[int]
) -> None:
    """One of the two fragments ignores that it is asked to end."""
    fd = os.open(tmp_path / "fifo", os.O_RDWR)
    text = b""
    while text.count(b"\n") < 2:
        text += os.read(fd, 100)
    os.close(fd)
    pids = [int(pid) for pid in text.split()]
    assert len(pids) == 4
    for signum in signums:
        os.killpg(main.pid, signum)

    assert tree.wait_gone([pid for pid in pids if not tree.is_zombie(pid)], 2)
    assert main.stdout is not None
    told = main.stdout.read()
    if signal.SIGKILL not in signums:
        assert told == "t0.run Stopped(why='interrupted')\nt1.run Stopped(why='interrupted')\n"
        assert main.wait(LIMIT_S) == 0
        assert not (tmp_path / "exchange").exists()
