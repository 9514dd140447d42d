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

    def look(self, *, ended: bool) -> bool:
        """Wait as long as is wanted, while units have *ended*; tell whether more are opened then."""
        self.now += self.opening.wait_s
        self.idle_s += self.opening.wait_s * self.cores * self.idle
        if ended:
            self.opening.unit_ended()
        return self.opening.look(self.now, self.idle_s)


def test_none_is_opened_while_the_cores_are_busy_and_units_end() -> None:
    it = Machine(cores=2, idle=0.1)
    assert [it.look(ended=True) for _ in range(8)] == [False] * 8


def test_looks_become_rare_while_none_is_opened() -> None:
    it = Machine(cores=2, idle=0.0)
    waits = [it.opening.wait_s]
    for _ in range(7):
        it.look(ended=True)
        waits.append(it.opening.wait_s)
    assert waits[:2] == [FIRST_LOOK_S, WINDOW_S]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S


def test_more_are_opened_once_cores_have_been_idle() -> None:
    it = Machine(cores=2, idle=0.5)
    assert [it.look(ended=True) for _ in range(4)] == [False, True, False, True]


def test_that_a_run_has_been_busy_until_now_does_not_count() -> None:
    it = Machine(cores=2, idle=0.0)
    assert [it.look(ended=True) for _ in range(5)] == [False] * 5
    it.idle = 0.3
    assert it.look(ended=True)


def test_more_are_opened_at_once_where_units_take_long() -> None:
    it = Machine(cores=2, idle=0.0)
    assert [it.look(ended=False) for _ in range(3)] == [True] * 3
    assert it.now - 100.0 == pytest.approx(FIRST_LOOK_S * 1.5)


def test_more_are_opened_where_nobody_knows_of_the_cores() -> None:
    opening = Opening(2)
    opening.unit_ended()
    assert opening.look(100.0, None)
