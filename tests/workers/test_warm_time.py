"""Time limits of fragments, and runs that are stopped."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from testloom.model.outcome import FragmentTimedOut, Returned, Stopped
from testloom.processes import tree
from testloom.scheduling import Phase


def stays(*_: Any) -> None:
    signal.pause()


def ignores(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("here", flush=True)
    while True:
        signal.pause()


def swallows(*_: Any) -> None:
    while True:
        try:
            signal.pause()
        except BaseException:  # noqa: BLE001 - as careless drivers do
            continue


def hangs_in_c(*_: Any) -> bool:
    return 1 in itertools.repeat(0)


@pytest.mark.slow
def test_who_takes_too_long_is_asked_to_end_and_shows_where_it_was(lab: Any) -> None:
    lab.add("a.run", stays)
    lab.add("b.run", lambda *_: None)
    ran = lab.run(jobs=1, timeout_s=0.2)

    assert (ran["a.run"], ran["b.run"]) == (FragmentTimedOut(0.2), Returned())
    assert re.search(r'File ".*test_warm_time.py", line \d+ in stays\n', ran.output("a.run"))


def test_who_takes_too_long_may_clean_up(lab: Any) -> None:
    def careful(*_: Any) -> None:
        try:
            signal.pause()
        finally:
            print("cleaned up")

    lab.add("a.run", careful)
    ran = lab.run(timeout_s=0.2)

    assert ran["a.run"] == FragmentTimedOut(0.2)
    assert "cleaned up\n" in ran.output("a.run")


@pytest.mark.usefixtures("fast_grace")
@pytest.mark.parametrize("fragment", [ignores, swallows, hangs_in_c])
@pytest.mark.slow
def test_who_does_not_end_when_asked_to_is_killed(lab: Any, fragment: Any) -> None:
    """Be it on purpose, by carelessness, or because the interpreter is busy."""
    lab.add("a.run", fragment)
    lab.add("b.run", lambda *_: None)
    ran = lab.run(jobs=1, timeout_s=0.2)

    assert (ran["a.run"], ran["b.run"]) == (
        FragmentTimedOut(0.2, ignored_term=True),
        Returned(),
    )


@pytest.mark.usefixtures("fast_grace")
def test_a_stopped_worker_is_ended_too(lab: Any) -> None:
    lab.add("a.run", lambda *_: os.kill(os.getpid(), signal.SIGSTOP))

    assert lab.run(timeout_s=0.2)["a.run"] == FragmentTimedOut(0.2)


@pytest.mark.usefixtures("fast_grace")
@pytest.mark.slow
def test_all_below_a_fragment_that_took_too_long_is_dead_when_that_is_told(lab: Any) -> None:
    def family(*_: Any) -> None:
        script = "trap '' TERM; setsid sleep 99 & sleep 99 & echo $! $$; wait"
        subprocess.Popen(["setsid", "sh", "-c", script])
        ignores()

    alive: list[bool] = []

    def look(worker: Any) -> None:
        numbers = re.search(rb"^(\d+) (\d+)$", worker.output, re.MULTILINE)
        assert numbers is not None
        alive.extend(not tree.is_zombie(int(number)) for number in numbers.groups())

    lab.add("a.run", family)
    lab.on_collect = look
    lab.run(timeout_s=0.3)

    assert alive == [False, False]


def test_a_driver_may_have_a_limit_of_its_own(lab: Any) -> None:
    lab.add("a.run", stays, fragment_timeout_s=0.1)
    lab.add("b.run", lambda *_: None, fragment_timeout_s=0.0001)
    ran = lab.run(timeout_s=60)

    assert ran["a.run"] == FragmentTimedOut(0.1)


@pytest.mark.parametrize("limit", [float("inf"), float("nan"), 1e300, "many", None])
def test_odd_limits_harm_nobody(lab: Any, limit: Any) -> None:
    lab.add("a.run", lambda *_: None, fragment_timeout_s=limit)
    ran = lab.run()

    assert ran["a.run"] == Returned()
    assert [note.partition(":")[0] for note in ran.notes] == (["a.run"] if limit == "many" else [])


def test_a_limit_that_raises_is_said_and_passed_over(lab: Any) -> None:
    class Odd:
        on_push = None

        @property
        def fragment_timeout_s(self) -> float:
            raise ZeroDivisionError("planted")

        def run(self, *_: Any) -> None:
            return None

    lab.add("a.run", Odd())
    ran = lab.run()

    assert (ran["a.run"], ran.notes) == (
        Returned(),
        ["a.run: its time limit is not known: ZeroDivisionError: planted"],
    )


@pytest.mark.slow
def test_an_end_and_a_limit_at_the_same_moment_make_one_end(lab: Any) -> None:
    """Limits all around the time that the fragments take."""
    count = 150

    def nap(self: Any, *_: Any) -> None:
        import time

        time.sleep(self.nap_s)

    for n in range(count):
        lab.add(f"t{n}.run", nap, nap_s=0.005, fragment_timeout_s=0.004 + n % 15 * 0.0002)
    ran = lab.run(jobs=2)
    ends = [ran[f"t{n}.run"] for n in range(count)]

    assert sorted(ran.order) == sorted(f"t{n}.run" for n in range(count))
    assert {type(end) for end in ends} <= {Returned, FragmentTimedOut}


# -- stopping ----------------------------------------------------------------------------------------


def stop_when_all_run(lab: Any, count: int, *phases: Phase) -> None:
    """Have the run stopped as soon as *count* fragments say that they are there."""
    there: set[int] = set()

    def look() -> None:
        for slot in list(lab.pool._slots.values()):
            if b"here" in slot._capture.content():
                there.add(slot.number)
        if len(there) == count:
            for phase in phases:
                lab.scheduler.stop(phase)
        else:
            lab.loop.call_at(lab.loop.now() + 0.01, look)

    lab.loop.call_soon(look)


def says_and_stays(*_: Any) -> None:
    print("here", flush=True)
    signal.pause()


def test_what_runs_when_the_run_is_stopped_is_ended_and_nothing_is_started(lab: Any) -> None:
    for n in range(4):
        lab.add(f"a{n}.run", says_and_stays)
    stop_when_all_run(lab, 2, Phase.TERMINATING)
    ran = lab.run(jobs=2)

    assert {uid: ran[uid] for uid in ran.order} == {
        "a0.run": Stopped("interrupted"),
        "a1.run": Stopped("interrupted"),
    }


def test_the_stubborn_are_killed_when_that_is_asked_for(lab: Any) -> None:
    for n in range(3):
        lab.add(f"a{n}.run", ignores)
    stop_when_all_run(lab, 2, Phase.TERMINATING, Phase.KILLING)
    ran = lab.run(jobs=2)

    assert [ran[uid] for uid in ran.order] == [Stopped("interrupted")] * 2


@pytest.mark.slow
def test_draining_lets_what_runs_end(lab: Any) -> None:
    gate, opener = os.pipe()

    def waits(*_: Any) -> None:
        print("here", flush=True)
        os.read(gate, 1)

    lab.add("a.run", waits)
    lab.add("b.run", lambda *_: None)
    stop_when_all_run(lab, 1, Phase.DRAINING)
    lab.loop.call_at(lab.loop.now() + 0.3, lambda: os.write(opener, b"x"))
    ran = lab.run(jobs=1)
    os.close(gate)
    os.close(opener)

    assert (ran.order, ran["a.run"]) == (["a.run"], Returned())


def test_a_run_can_be_stopped_before_any_worker_is_there(lab: Any) -> None:
    for n in range(4):
        lab.add(f"a{n}.run", lambda *_: None)
    lab.loop.call_soon(lambda: lab.scheduler.stop(Phase.TERMINATING))
    ran = lab.run(jobs=2)

    assert set(ran.order) == {"a0.run", "a1.run"}
    assert {type(ran[uid]) for uid in ran.order} <= {Stopped, Returned}


@pytest.mark.slow
def test_a_process_of_a_slot_within_a_slot_shows_its_stacks_as_well() -> None:
    """What `faulthandler` has registered is inherited, but not the handler that the fork has reset."""
    code = """
        import os, signal
        from testloom.processes import signals
        from testloom.processes.nursery import STACKS_SIGNAL
        from testloom.workers import warm_process

        warm_process.prepare()
        if (pid := os.fork()) == 0:
            signals.reset_in_child()
            warm_process.prepare()
            os.kill(os.getpid(), STACKS_SIGNAL)
            os._exit(7)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    argv = [sys.executable, "-P", "-c", textwrap.dedent(code)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 7
    assert "(most recent call first):" in ended.stderr


def test_who_has_not_noticed_that_it_shall_end_is_reminded(lab: Any) -> None:
    """The first signal may come while stacks are written, and a `recv` go on after that."""

    def misses_the_first(*_: Any) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        signal.sigwait([signal.SIGTERM])
        signal.sigwait([signal.SIGTERM])
        os._exit(0)

    lab.add("a.run", misses_the_first)

    assert lab.run(1, timeout_s=0.1)["a.run"] == FragmentTimedOut(0.1)
