"""When processes of the runner itself die, stop, or do not even start."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
from typing import Any

import pytest

from testloom.model.errors import WorkersCannotStart
from testloom.model.outcome import (
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.processes import tree
from testloom.processes.nursery import Nursery
from testloom.scheduling import Phase
from testloom.workers import slot as slot_module
from testloom.workers import warm_process
from testloom.workers.warm import WarmPool


def kill_and_wait(*pids: int) -> None:
    tree.signal_all(pids, signal.SIGKILL)
    assert tree.wait_gone(pids, 20)


def none(*_: Any) -> None:
    return None


def when_collected(lab: Any, uid: str, act: Any) -> None:
    def look(worker: Any) -> None:
        if worker.uid == uid:
            act(worker)

    lab.on_collect = look


def each_says_it_is_there(lab: Any, count: int, then: Any) -> None:
    """Call *then* once *count* fragments have printed ``here``."""

    def look() -> None:
        slots = list(lab.pool._slots.values())
        if sum(b"here" in slot._capture.content() for slot in slots) >= count:
            then()
        else:
            lab.loop.call_at(lab.loop.now() + 0.01, look)

    lab.loop.call_soon(look)


def says_and_stays(*_: Any) -> None:
    print("here", flush=True)
    signal.pause()


# -- workers ---------------------------------------------------------------------------------------


def test_nobody_is_blamed_for_the_death_of_an_idle_worker(lab: Any) -> None:
    """It dies while it has nothing to do, and is given an order before anybody has noticed."""
    lab.add("a.run", none)
    lab.add("b.run", none)
    when_collected(lab, "a.run", lambda _worker: kill_and_wait(*lab.pool.pids))
    ran = lab.run(jobs=1)

    assert (ran["a.run"], ran["b.run"]) == (Returned(), Returned())
    assert ran.notes == ["idle worker replaced: the process of slot 0 was killed by SIGKILL"]


def test_an_idle_worker_that_dies_is_noticed_and_replaced_when_needed(lab: Any) -> None:
    gate, opener = os.pipe()
    lab.add("a.run", none)
    lab.add("b.run", lambda *_: os.read(gate, 1))
    lab.add("c.run", none, after="a.run b.run")
    lab.add("d.run", none, after="a.run b.run")

    def kill_idle(_worker: Any) -> None:
        idle = next(s for s in lab.pool._slots.values() if s._worker is None)
        kill_and_wait(idle.pid)
        lab.loop.call_at(lab.loop.now() + 0.2, lambda: os.write(opener, b"x"))

    when_collected(lab, "a.run", kill_idle)
    ran = lab.run(jobs=2)
    os.close(gate)
    os.close(opener)

    assert {ran[f"{test}.run"] for test in "abcd"} == {Returned()}
    assert ran.notes == ["idle worker replaced: the process of slot 0 was killed by SIGKILL"]


@pytest.mark.parametrize("how", ["while it waits", "while the order is being sent"])
def test_an_order_that_was_not_read_is_given_to_another(lab: Any, how: str) -> None:
    """The worker hangs with the order in its socket, or with a part of it, and is killed."""
    size = 100 if how == "while it waits" else 3_000_000
    lab.add("a.run", lambda *_: bytes(size))
    lab.add("b.run", lambda _s, p, _n: print(len(p["a.run"])), after="a.run")

    def stop_and_kill(_worker: Any) -> None:
        (pid,) = lab.pool.pids
        os.kill(pid, signal.SIGSTOP)
        lab.loop.call_at(lab.loop.now() + 0.1, lambda: os.kill(pid, signal.SIGKILL))

    when_collected(lab, "a.run", stop_and_kill)
    ran = lab.run(jobs=1)

    assert (ran["b.run"], ran.output("b.run")) == (Returned(), f"{size}\n")
    assert len(ran.notes) == 1


def test_when_all_workers_are_killed_those_that_ran_something_are_blamed_and_the_rest_runs(
    lab: Any,
) -> None:
    for n in range(3):
        lab.add(f"a{n}.run", says_and_stays)
    for n in range(5):
        lab.add(f"b{n}.run", none)
    each_says_it_is_there(lab, 3, lambda: tree.signal_all(lab.pool.pids, signal.SIGKILL))
    ran = lab.run(jobs=3)

    assert {ran[f"a{n}.run"] for n in range(3)} == {WorkerDied(Killed(signal.SIGKILL))}
    assert {ran[f"b{n}.run"] for n in range(5)} == {Returned()}


def test_a_result_that_was_sent_completely_counts_though_the_worker_dies(lab: Any) -> None:
    """It is killed right after its report, before that has been read."""

    def report_and_die(*_: Any) -> None:
        if os.fork() == 0:
            parent = os.getppid()
            state = ""
            while state not in ("S", "Z", ""):  # it waits for the next order
                state = tree.state(parent)
            os.kill(parent, signal.SIGKILL)
            os._exit(0)

    lab.add("a.run", report_and_die)
    lab.add("b.run", none)
    ran = lab.run(jobs=1)

    assert isinstance(ran["a.run"], Returned | WorkerDied)
    assert ran["b.run"] == Returned()


def test_every_worker_that_cannot_start_is_one_too_many_after_three(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(slot: int, *_: Any) -> None:
        sys.exit(f"no licence for slot {slot}")

    monkeypatch.setattr(warm_process, "main", fails)
    for n in range(8):
        lab.add(f"a{n}.run", none)
    with pytest.raises(WorkersCannotStart) as caught:
        lab.run(jobs=4)

    assert str(caught.value).startswith(
        "3 workers in a row could not be started; the last: ended with exit status 1 no licence"
    )
    assert len(lab.ran.notes) == 2
    assert lab.ran.order == []


def test_a_worker_that_starts_at_the_second_attempt_is_good(
    lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    main = warm_process.main

    def fails_at_first(slot: int, *rest: Any) -> None:
        try:
            (tmp_path / str(slot)).mkdir()
        except FileExistsError:
            main(slot, *rest)
        else:
            os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(warm_process, "main", fails_at_first)
    for n in range(6):
        lab.add(f"a{n}.run", none)
    ran = lab.run(jobs=2)

    assert {ran[uid] for uid in ran.order} == {Returned()}
    assert sorted(ran.notes) == [
        f"the worker of slot {slot} could not be started, trying again: killed by SIGSEGV"
        for slot in (0, 1)
    ]


@pytest.mark.slow
def test_a_worker_that_is_never_ready_is_killed_and_counted(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_module, "_START_S", 0.1)
    monkeypatch.setattr(warm_process, "main", lambda *_: signal.pause())
    lab.add("a.run", none)
    with pytest.raises(WorkersCannotStart) as caught:
        lab.run(jobs=1)

    assert str(caught.value) == (
        "3 workers in a row could not be started; "
        "the last: killed by SIGKILL (it was not ready within 0.1 s)"
    )


def test_who_says_it_is_ready_and_then_reads_nothing_is_not_started_for_ever(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from testloom.processes.channel import BlockingChannel
    from testloom.workers import messages

    def ready_and_dead(_slot: int, channel: socket.socket, *_: Any) -> None:
        BlockingChannel(channel).send(messages.READY, b"")

    monkeypatch.setattr(warm_process, "main", ready_and_dead)
    lab.add("a.run", none)
    lab.add("b.run", none)
    with pytest.raises(WorkersCannotStart, match="in a row"):
        lab.run(jobs=1, timeout_s=10)


def test_without_descriptors_the_run_says_so_and_ends(lab: Any) -> None:
    """As many slots as there may be files."""
    for n in range(60):
        lab.add(f"a{n}.run", says_and_stays)
    free = sorted(set(range(1000)) - set(map(int, os.listdir("/proc/self/fd"))))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[40], hard))
    try:
        with pytest.raises(WorkersCannotStart) as caught:
            lab.run(jobs=60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert "no channel to it can be made: Too many open files" in str(caught.value)


# -- the nursery ---------------------------------------------------------------------------------------


def test_the_death_of_the_nursery_costs_what_runs_and_not_the_run(lab: Any) -> None:
    for n in range(3):
        lab.add(f"a{n}.run", says_and_stays)
    for n in range(10):
        lab.add(f"b{n}.run", none)
    each_says_it_is_there(lab, 3, lambda: os.kill(lab.pool.nursery.pid, signal.SIGKILL))
    ran = lab.run(jobs=3)

    assert {ran[f"a{n}.run"] for n in range(3)} == {WorkerLost("the fork server died")}
    assert {ran[f"b{n}.run"] for n in range(10)} == {Returned()}
    assert ran.notes == ["the fork server died and is replaced"]


def test_a_test_that_kills_the_nursery_does_not_end_the_run(lab: Any) -> None:
    def kill_parent(*_: Any) -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()

    lab.add("a.run", kill_parent)
    for n in range(5):
        lab.add(f"b{n}.run", none)
    ran = lab.run(jobs=1)

    assert ran["a.run"] == WorkerLost("the fork server died")
    assert {ran[f"b{n}.run"] for n in range(5)} == {Returned()}


def test_one_death_of_the_nursery_at_the_start_is_one_failure(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many workers were just being started."""
    for n in range(8):
        lab.add(f"a{n}.run", none)
    starts: list[int] = []
    start = Nursery.start

    def start_and_kill(nursery: Nursery, *arguments: Any) -> None:
        starts.append(1)
        if len(starts) == 4:
            kill_and_wait(nursery.pid)
        start(nursery, *arguments)

    monkeypatch.setattr(Nursery, "start", start_and_kill)
    ran = lab.run(jobs=4)

    assert {ran[uid] for uid in ran.order} <= {Returned(), WorkerLost("the fork server died")}
    assert len(ran.order) == 8
    assert ran.notes == ["the fork server died and is replaced"]


def test_a_nursery_that_always_dies_ends_the_run(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Nursery.start

    def kill_and_start(nursery: Nursery, *arguments: Any) -> None:
        kill_and_wait(nursery.pid)
        start(nursery, *arguments)

    monkeypatch.setattr(Nursery, "start", kill_and_start)
    for n in range(8):
        lab.add(f"a{n}.run", none)
    with pytest.raises(WorkersCannotStart) as caught:
        lab.run(jobs=4)

    assert str(caught.value) == (
        "3 workers in a row could not be started; the last: the fork server died"
    )
    assert lab.ran.order == []


def test_a_nursery_that_cannot_be_made_ends_the_run(lab: Any) -> None:
    def fails() -> Nursery:
        raise OSError(11, "Resource temporarily unavailable")

    lab.add("a.run", none)
    with pytest.raises(WorkersCannotStart, match=r"no process can be forked: .*temporarily"):
        lab.run(make_nursery=fails)


@pytest.mark.usefixtures("fast_grace")
@pytest.mark.slow
def test_a_process_that_cannot_be_killed_is_given_up_with_its_slot(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with one that hangs in the kernel: here the nursery hangs, so nothing is killed."""
    monkeypatch.setattr(slot_module, "_KILL_S", 0.2)
    lab.add("a.run", says_and_stays, fragment_timeout_s=0.3)
    lab.add("b.run", none)
    lab.add("c.run", none)
    each_says_it_is_there(lab, 1, lambda: os.kill(lab.pool.nursery.pid, signal.SIGSTOP))
    when_collected(lab, "a.run", lambda _w: os.kill(lab.pool.nursery.pid, signal.SIGCONT))
    ran = lab.run(jobs=2)

    assert ran["a.run"] == FragmentTimedOut(0.3, ignored_term=True)
    assert ran.workers["a.run"].slot_lost
    assert (ran["b.run"], ran["c.run"]) == (Returned(), Returned())
    assert ran.notes == ["the process of slot 0 cannot be killed; the slot is given up"]


@pytest.mark.usefixtures("fast_grace")
@pytest.mark.slow
def test_when_nothing_can_be_killed_the_run_ends_all_the_same(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_module, "_KILL_S", 0.2)
    monkeypatch.setattr(Nursery.close, "__defaults__", (0.2,))
    lab.add("a.run", says_and_stays, fragment_timeout_s=0.3)
    lab.add("b.run", none)
    each_says_it_is_there(lab, 1, lambda: os.kill(lab.pool.nursery.pid, signal.SIGSTOP))
    with pytest.raises(WorkersCannotStart, match="no slot is left"):
        lab.run(jobs=1)

    assert lab.ran.order == ["a.run"]


# -- exceptions in main ---------------------------------------------------------------------------------


def test_a_collector_that_raises_leaves_no_worker_running(lab: Any) -> None:
    lab.add("a.run", none)
    lab.add("b.run", says_and_stays)
    lab.add("c.run", none)

    def fail(_worker: Any) -> None:
        raise ValueError("planted")

    lab.on_collect = fail
    with pytest.raises(ValueError, match="planted"):
        lab.run(jobs=2)

    assert not tree.has_children()


def test_an_order_that_cannot_be_made_leaves_no_worker_running(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = WarmPool.run

    def fail_at_c(pool: WarmPool, worker: Any) -> None:
        if worker.uid == "c.run":
            raise ValueError("planted")
        run(pool, worker)

    monkeypatch.setattr(WarmPool, "run", fail_at_c)
    for uid in "abcd":
        lab.add(f"{uid}.run", says_and_stays)
    with pytest.raises(ValueError, match="planted"):
        lab.run(jobs=3)

    assert not tree.has_children()


def test_what_is_stopped_while_it_waits_for_a_process_is_stopped(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slot's process is leaving, because the fragment before it has left a thread."""

    def leave(*_: Any) -> None:
        threading.Thread(target=signal.pause, daemon=True).start()

    lab.add("a.run", leave)
    lab.add("b.run", says_and_stays)
    when_collected(
        lab, "a.run", lambda _w: lab.loop.call_soon(lambda: lab.scheduler.stop(Phase.TERMINATING))
    )
    ran = lab.run(jobs=1)

    assert ran["b.run"] == Stopped("interrupted")
