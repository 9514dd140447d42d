from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from testloom.processes import cgroup, tree
from testloom.processes.cgroup import Cgroup


@pytest.fixture
def group() -> Iterator[Cgroup]:
    group = cgroup.make(f"testloom-test-{os.getpid()}")
    if group is None:
        pytest.skip("control groups cannot be made here")
    yield group
    group.kill()
    group.remove()
    tree.reap()
    assert not os.path.exists(group.path)


def sleeper(group: Cgroup, code: str = "setsid sleep 99 & echo; wait") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", f"echo 0 >{group.path}/cgroup.procs; {code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def see_off(child: subprocess.Popen[bytes]) -> None:
    """Reap *child*, and what it had started, which is ours as that of a subreaper."""
    child.communicate()
    tree.reap()


def test_all_in_a_group_and_below_it_die(group: Cgroup) -> None:
    inner = group.child("slot-0")
    assert inner is not None
    child = sleeper(inner)
    assert child.stdout is not None
    child.stdout.readline()
    before = group.is_empty()

    assert (before, group.kill(), group.is_empty(), child.wait()) == (False, True, True, -9)
    see_off(child)


def test_an_empty_group_is_killed_at_once(group: Cgroup) -> None:
    assert group.kill()


def test_waiting_for_a_group_takes_no_longer_than_it_may(group: Cgroup) -> None:
    child = sleeper(group)
    assert child.stdout is not None
    child.stdout.readline()

    assert not group.wait_empty(0.01)
    assert group.kill()
    see_off(child)


def test_a_group_is_empty_when_its_last_member_ends_by_itself(group: Cgroup) -> None:
    child = sleeper(group, "echo; read _")
    assert child.stdout is not None
    child.stdout.readline()
    ends = threading.Thread(target=child.communicate)

    ends.start()  # closes its standard input

    assert group.wait_empty(20.0)
    ends.join()


def test_warming_moves_nobody_and_leaves_no_thread(group: Cgroup) -> None:
    before = cgroup.place(), threading.active_count()

    cgroup.start_warming()
    cgroup.start_warming()
    cgroup.finish_warming()

    assert (cgroup.place(), threading.active_count()) == before
    assert group.is_empty()


def test_without_groups_nothing_is_warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_mount", lambda _controller: None)
    before = threading.active_count()

    cgroup.start_warming()

    assert threading.active_count() == before
    cgroup.finish_warming()


def test_groups_that_were_made_below_are_removed_with_it(group: Cgroup) -> None:
    """A test may run a runner of its own, which then is killed."""
    os.makedirs(f"{group.path}/slot-0/inner/slot-0")
    group.remove()

    assert not os.path.exists(group.path)


def test_what_is_not_there_is_empty_and_cannot_be_killed() -> None:
    group = Cgroup("/sys/fs/cgroup/no/such")

    assert (group.is_empty(), group.kill(), group.enter(), group.child("x")) == (
        True,
        False,
        False,
        None,
    )
    group.remove()


def test_without_the_file_system_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_mount", lambda _controller: None)

    assert cgroup.make("x") is None


def test_groups_of_dead_runs_are_ended_and_removed_and_no_others(group: Cgroup) -> None:
    parent = group.path  # a place of our own: runs beside us would sweep the other one, too
    me = os.path.basename(parent).rsplit(".", 3)[1:]
    namespace, pid, started = me
    dead = Cgroup(parent).child(f"testloom-dead.{namespace}.{pid}.{int(started) - 1}")
    alive = Cgroup(parent).child(f"testloom-alive.{'.'.join(me)}")
    others = [
        Cgroup(parent).child(f"testloom-elsewhere.1.{pid}.{int(started) - 1}"),
        Cgroup(parent).child("testloom-of.older.version"),
        Cgroup(parent).child(f"somebody.{namespace}.{pid}.{int(started) - 1}"),
    ]
    groups = [g for g in (dead, alive, *others) if g is not None]
    assert len(groups) == 5
    child = sleeper(groups[0])
    assert child.stdout is not None
    child.stdout.readline()
    try:
        cgroup.sweep(parent)
        assert [os.path.exists(g.path) for g in groups] == [False, True, True, True, True]
        assert child.wait() == -9
    finally:
        child.kill()
        see_off(child)
        for one in groups:
            one.remove()
