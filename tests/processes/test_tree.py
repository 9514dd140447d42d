from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from testloom.processes import tree


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[subprocess.Popen[str], list[int]]]]:
    """Start a shell script; return it and the numbers that its first line of output names."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str) -> tuple[subprocess.Popen[str], list[int]]:
        child = subprocess.Popen(["sh", "-c", code], stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout is not None
        return child, [int(pid) for pid in child.stdout.readline().split()]

    yield start
    for child in children:
        if child.returncode is None:
            tree.kill_tree(child.pid)
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
    tree.kill_below(os.getpid())


def test_the_descendants_of_a_process_are_found_parents_first(
    started: Callable[..., tuple[subprocess.Popen[str], list[int]]],
) -> None:
    child, named = started("sh -c 'sleep 99 & echo $$ $!; wait' & wait")

    assert tree.descendants(child.pid) == named
    assert tree.descendants(os.getpid()) == [child.pid, *named]
    assert tree.descendants(os.getpid(), without={child.pid}) == []
    assert tree.descendants(child.pid, without={named[0]}) == []


def test_a_process_that_is_gone_has_nothing() -> None:
    child = subprocess.Popen(["true"])
    child.wait()

    assert (
        tree.children(child.pid),
        tree.state(child.pid),
        tree.is_zombie(child.pid),
        tree.session(child.pid),
        tree.describe(child.pid),
    ) == ([], "", True, 0, f"pid {child.pid}")


def test_a_dead_child_is_a_zombie_until_it_is_reaped() -> None:
    child = subprocess.Popen(["true"])
    assert tree.wait_gone([child.pid], 20)
    before = tree.is_zombie(child.pid), tree.has_children(), tree.children(os.getpid())
    ended = tree.reap()
    child.returncode = 0

    assert before == (True, True, [child.pid])
    assert ended == [(child.pid, 0)]
    assert not tree.has_children()


def test_reaping_leaves_out_whom_it_is_told_to() -> None:
    child = subprocess.Popen(["sh", "-c", "exit 3"])
    assert tree.wait_gone([child.pid], 20)

    assert tree.reap(without={child.pid}) == []
    assert child.wait() == 3


def test_processes_are_described_for_people() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.read(1)  # now it is what it was started as
        described = tree.describe(child.pid)

    assert described == f"cat (pid {child.pid})"


def test_waiting_for_the_living_takes_no_longer_than_it_may() -> None:
    assert not tree.wait_gone([os.getpid()], 0.01)
    assert tree.wait_gone([], 0.01)


def test_all_below_a_process_is_killed_and_the_process_is_not(
    started: Callable[..., tuple[subprocess.Popen[str], list[int]]],
) -> None:
    child, named = started("sleep 99 & setsid sleep 99 & echo $!; kill -STOP $$")
    left = tree.kill_below(child.pid)

    assert (left, [tree.is_zombie(pid) for pid in named], child.poll()) == ([], [True], None)


def test_the_trees_of_the_spared_are_spared(
    started: Callable[..., tuple[subprocess.Popen[str], list[int]]],
) -> None:
    spared, (its_child,) = started("sleep 99 & echo $!; wait")
    other, _ = started("sleep 99 & echo $!; wait")

    assert tree.kill_below(os.getpid(), without={spared.pid}) == []
    other.returncode = -signal.SIGKILL  # reaped with its children
    assert (spared.poll(), tree.is_zombie(its_child), tree.state(other.pid)) == (None, False, "")


def test_orphans_are_killed_and_reaped(
    started: Callable[..., tuple[subprocess.Popen[str], list[int]]],
) -> None:
    child, (daemon,) = started("setsid sleep 99 >/dev/null & echo $!")
    child.wait()

    assert tree.children(os.getpid()) == [daemon]
    assert tree.kill_below(os.getpid()) == []
    assert not tree.has_children()


RUNNER = """
import os, sys
print(os.getpid(), flush=True)
while os.fork() == 0:
    pass
os._exit(0)
"""


def test_a_process_that_runs_away_by_forking_is_caught() -> None:
    """Each of its lives is over before a signal can be sent: it has to be stopped first."""
    child = subprocess.Popen([sys.executable, "-c", RUNNER], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == f"{child.pid}\n"
    child.stdout.close()

    assert tree.kill_below(os.getpid(), without={child.pid}) == []
    child.wait()
    assert tree.kill_below(os.getpid()) == []
    assert not tree.has_children()


DOUBLE_FORK = """
import os, time
os.read(0, 1)
if os.fork() == 0:
    os.setsid()
    time.sleep(99)
"""


def test_a_daemon_that_is_born_during_the_walk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent dies after it was found, and before it is asked for its children."""
    parent = subprocess.Popen([sys.executable, "-S", "-c", DOUBLE_FORK], stdin=subprocess.PIPE)
    stdin = parent.stdin
    assert stdin is not None
    real = tree.children

    def children(pid: int) -> list[int]:
        if pid == parent.pid and not stdin.closed:
            stdin.write(b"x")
            stdin.close()
            tree.wait_gone([pid], 20)
        return real(pid)

    monkeypatch.setattr(tree, "children", children)
    assert tree.kill_below(os.getpid()) == []
    assert real(os.getpid()) == []
    parent.returncode = 0  # reaped


def test_a_stopped_process_dies_too(
    started: Callable[..., tuple[subprocess.Popen[str], list[int]]],
) -> None:
    child, (pid,) = started("sleep 99 & echo $!; kill -STOP $!; wait")
    tree.kill_tree(child.pid)

    assert child.wait() == -signal.SIGKILL
    assert tree.kill_below(os.getpid()) == []
    assert tree.is_zombie(pid)


def test_signalling_the_dead_is_no_error() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    tree.signal_all([child.pid], signal.SIGTERM)


def test_all_below_are_stopped_but_those_that_are_already_are_not_told() -> None:
    children = [subprocess.Popen(["sleep", "99"]) for _ in range(2)]
    already, other = (child.pid for child in children)
    os.kill(already, signal.SIGSTOP)
    os.waitid(os.P_PID, already, os.WSTOPPED)

    stopped = tree.stop_below(os.getpid())
    os.waitid(os.P_PID, other, os.WSTOPPED)
    assert (other in stopped, already in stopped) == (True, False)
    assert tree.stop_below(os.getpid()) == []
    tree.signal_all(stopped, signal.SIGCONT)
    for child in children:
        child.kill()
        child.wait()
