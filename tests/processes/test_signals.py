from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from testloom.processes import signals
from testloom.processes.loop import EventLoop

Script = Callable[..., subprocess.CompletedProcess[str]]


def test_signals_are_told_in_the_loop_not_where_they_strike() -> None:
    loop = EventLoop()
    seen: list[int] = []
    with signals.told_to(loop, seen.append):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        before = list(seen)
        loop.run_once()
    loop.close()

    assert (before, seen) == ([], [signal.SIGTERM, signal.SIGHUP])


def test_a_signal_that_is_held_is_told_to_who_wants_it_later() -> None:
    loop = EventLoop()
    seen: list[int] = []
    with signals.held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        with signals.told_to(loop, seen.append):
            loop.run_once()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    loop.close()

    assert sorted(seen) == [signal.SIGINT, signal.SIGTERM]
    assert mask.isdisjoint(signals.STOPPING)


def test_a_signal_that_is_held_strikes_when_nobody_has_wanted_it() -> None:
    reached = []

    def interrupted() -> None:
        with signals.held():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end of the block")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["the end of the block"]


def test_a_signal_wakes_a_waiting_loop() -> None:
    loop = EventLoop()
    seen: list[int] = []
    with signals.told_to(loop, seen.append):
        signal.setitimer(signal.ITIMER_REAL, 0)
        child = subprocess.Popen(["sh", "-c", f"kill -TERM {os.getpid()}"])
        while not seen:
            loop.run_once()
        child.wait()
    loop.close()

    assert seen == [signal.SIGTERM]


def test_the_former_handlers_are_back_afterwards() -> None:
    def handler(_signum: int, _frame: object) -> None:
        """Planted."""

    loop = EventLoop()
    before = signal.signal(signal.SIGHUP, handler)
    old_fd = signal.set_wakeup_fd(-1)
    try:
        with pytest.raises(ValueError, match="planted"), signals.told_to(loop, print):
            raise ValueError("planted")
        after = signal.getsignal(signal.SIGHUP), signal.set_wakeup_fd(old_fd)
    finally:
        signal.signal(signal.SIGHUP, before)
        loop.close()

    assert after == (handler, -1)


def test_an_ignored_signal_stays_ignored() -> None:
    loop = EventLoop()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.told_to(loop, print):
            inside = signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
        loop.close()

    assert inside is signal.SIG_IGN


def test_a_storm_of_signals_harms_nothing() -> None:
    loop = EventLoop()
    seen: list[int] = []
    with signals.told_to(loop, seen.append, {signal.SIGUSR1}):
        for _ in range(10_000):
            signal.raise_signal(signal.SIGUSR1)
        loop.call_at(loop.now(), list)
        loop.run_once()
    loop.close()

    assert seen
    assert set(seen) == {signal.SIGUSR1}


def test_dying_by_a_signal_shows_it_to_the_parent(script: Script) -> None:
    code = """
import signal
from testloom.processes import signals
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
signals.die_by(signal.SIGINT)
"""
    assert script(code).returncode == -signal.SIGINT


FORKED = """
import os, signal, sys
from testloom.processes import signals

told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("handler of the parent"))
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
pid = signals.fork()
if pid == 0:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    signal.raise_signal(signal.SIGTERM)
    print("all blocked", blocked == signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}, told)
    sys.stdout.flush()
    signals.reset_in_child(ignored=[signal.SIGTERM] if "ignore" in sys.argv else [])
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    print("alive", mask, signal.getsignal(signal.SIGUSR1).name, signal.getsignal(signal.SIGPIPE).name)
    sys.stdout.flush()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_a_signal_between_fork_and_reset_is_neither_lost_nor_handled(script: Script) -> None:
    """A worker that is asked to end before it is there must end."""
    assert script(FORKED).stdout.splitlines() == [
        "all blocked True []",
        f"-15 {{<Signals.SIGUSR2: {signal.SIGUSR2.value}>}}",
    ]


def test_what_a_child_is_to_ignore_is_ignored_before_it_can_strike(script: Script) -> None:
    assert script(FORKED, "ignore").stdout.splitlines() == [
        "all blocked True []",
        "alive set() SIG_DFL SIG_IGN",
        f"0 {{<Signals.SIGUSR2: {signal.SIGUSR2.value}>}}",
    ]


def test_a_signal_that_asks_to_end_is_raised_where_it_is_no_event() -> None:
    with pytest.raises(signals.Asked) as asked, signals.raising():
        signal.raise_signal(signal.SIGTERM)
    assert (asked.value.signum, signal.getsignal(signal.SIGTERM)) == (
        signal.SIGTERM,
        signal.SIG_DFL,
    )


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_python_has_forgotten_is_told_by_the_loop(signum: signal.Signals) -> None:
    """An exception in a callback of the garbage collector or of an import is shown and dropped."""
    loop = EventLoop()
    told: list[int] = []
    before = signal.getsignal(signum)
    with signals.raising():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signum)
        with signals.told_to(loop, told.append):
            loop.run_once()
        with signals.told_to(loop, told.append):
            loop.run_once(wait=False)
    loop.close()

    assert told == [signum]
    assert signal.getsignal(signum) is before


def test_what_cleans_up_after_ctrl_c_is_not_interrupted_by_the_same_one() -> None:
    loop = EventLoop()
    cleaned_up: list[str] = []

    def be_interrupted() -> None:
        with signals.raising():
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                with signals.interrupting(loop):
                    loop.run_once(wait=False)
                cleaned_up.append("all")

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    loop.close()

    assert cleaned_up == ["all"]


def test_ctrl_c_is_raised_as_usual() -> None:
    with pytest.raises(KeyboardInterrupt) as raised, signals.raising():
        signal.raise_signal(signal.SIGINT)
    assert type(raised.value) is KeyboardInterrupt
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_that_are_ignored_or_handled_are_not_raised() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.raising():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_second_signal_ends_the_process(script: Script) -> None:
    ran = script("""
import signal
from testloom.processes.signals import raising

with raising():
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        print("cleans up", flush=True)
        signal.raise_signal(signal.SIGTERM)
        print("never", flush=True)
""")
    assert (ran.stdout, ran.returncode) == ("cleans up\n", -signal.SIGTERM)
