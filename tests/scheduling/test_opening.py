"""Slots beyond the number of cores are opened where they make something faster."""

from __future__ import annotations

import pytest

from testloom.scheduling.opening import FIRST_LOOK_S, LONGEST_S, WINDOW_S, Opening


class Machine:
    """A run's slots on *cores*, of which a share is *idle* while time passes."""

    def __init__(self, cores: int, idle: float) -> None:
        self.opening = Opening(cores)
        self.cores, self.idle = cores, idle
        self.now, self.idle_s = 100.0, 5000.0

    def look(self, ended: int) -> int:
        """Wait as long as is wanted, while *ended* units end; return how many slots are open then."""
        self.now += self.opening.wait_s
        self.idle_s += self.opening.wait_s * self.cores * self.idle
        for _ in range(ended):
            self.opening.unit_ended()
        before = self.opening.slots
        more = self.opening.look(self.now, self.idle_s)
        assert self.opening.slots == before + more
        return self.opening.slots


def test_a_run_begins_with_a_slot_for_each_core() -> None:
    assert Opening(4).slots == 4
    assert Opening(4).wait_s == FIRST_LOOK_S


def test_none_is_opened_while_the_cores_are_busy_and_units_end() -> None:
    it = Machine(cores=2, idle=0.1)
    assert [it.look(ended=20) for _ in range(8)] == [2] * 8


def test_looks_become_rare_while_none_is_opened() -> None:
    it = Machine(cores=2, idle=0.0)
    waits = []
    for _ in range(7):
        it.look(ended=20)
        waits.append(it.opening.wait_s)
    assert waits[0] == WINDOW_S
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S


def test_more_are_opened_once_cores_have_been_idle() -> None:
    it = Machine(cores=2, idle=0.5)
    assert [it.look(ended=3) for _ in range(6)] == [2, 4, 4, 8, 8, 16]


def test_that_a_run_has_been_busy_until_now_does_not_count() -> None:
    it = Machine(cores=2, idle=0.0)
    assert [it.look(ended=20) for _ in range(5)] == [2] * 5
    it.idle = 0.3
    assert it.look(ended=20) == 4


def test_more_are_opened_at_once_where_units_take_long() -> None:
    it = Machine(cores=2, idle=0.0)
    assert [it.look(ended=0) for _ in range(3)] == [4, 8, 16]
    assert it.now - 100.0 == pytest.approx(FIRST_LOOK_S * 1.5)


def test_more_are_opened_where_nobody_knows_of_the_cores() -> None:
    opening = Opening(2)
    opening.unit_ended()
    assert opening.look(100.0, None) == 2
