from __future__ import annotations

import os

import psutil

from testloom.processes.clock import (
    Clock,
    ManualClock,
    SystemClock,
    cores_idle_s,
    cpu_now,
    iso,
)


def test_a_manual_clock_moves_only_when_told_to() -> None:
    clock = ManualClock(now=5, wall=100)
    before = clock.now(), clock.wall()
    clock.advance(2.5)

    assert (before, clock.now(), clock.wall()) == ((5, 100), 7.5, 102.5)


def test_the_clock_of_the_machine_does_not_go_back() -> None:
    clock: Clock = SystemClock()
    instants = [clock.now() for _ in range(100)]

    assert instants == sorted(instants)


def test_dates_are_utc_and_in_whole_seconds() -> None:
    assert iso(1_700_000_000.9) == "2023-11-14T22:13:20+00:00"


def test_cpu_time_is_that_of_this_process() -> None:
    before = cpu_now()
    sum(range(100_000))

    assert cpu_now() > before


def test_cores_have_been_idle_for_no_longer_than_they_are_up() -> None:
    told = [cores_idle_s() or 0.0 for _ in range(100)]
    up_s = SystemClock.wall() - psutil.boot_time()

    assert told == sorted(told)
    assert 0.0 <= told[-1] <= (up_s + 1.0) * (os.cpu_count() or 1)
