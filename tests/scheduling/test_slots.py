from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.scheduling.slots import Slots


def test_the_lowest_free_number_is_given_out_first() -> None:
    slots = Slots(3)
    taken = [slots.take() for _ in range(3)]
    slots.give_back(2)
    slots.give_back(0)

    assert (taken, slots.take(), slots.take(), bool(slots)) == ([0, 1, 2], 0, 2, False)


def test_nobody_takes_a_slot_where_none_is_free() -> None:
    slots = Slots(1)
    slots.take()

    with pytest.raises(IndexError):
        slots.take()


def test_a_slot_is_given_back_once() -> None:
    slots = Slots(2)
    slots.take()
    slots.give_back(0)

    with pytest.raises(ValueError, match="slot 0 is free already"):
        slots.give_back(0)


@pytest.mark.parametrize("count", [0, -1])
def test_a_run_needs_a_slot(count: int) -> None:
    with pytest.raises(ValueError, match="at least 1 slot"):
        Slots(count)


def test_a_retired_slot_is_not_given_out_again() -> None:
    slots = Slots(2)
    slots.take()
    slots.retire(0)
    before = slots.count, slots.busy, slots.take(), bool(slots)
    slots.give_back(1)

    assert (before, slots.take(), bool(slots)) == ((1, 0, 1, False), 1, False)


def test_only_a_taken_slot_can_be_retired() -> None:
    with pytest.raises(ValueError, match="slot 1 is free"):
        Slots(2).retire(1)


@given(count=st.integers(1, 5), moves=st.lists(st.integers(0, 9), max_size=50))
def test_no_slot_is_held_twice(count: int, moves: list[int]) -> None:
    slots = Slots(count)
    held: list[int] = []
    for move in moves:
        if move < 5 and slots:
            held.append(slots.take())
        elif held:
            slots.give_back(held.pop(move % len(held)))
        assert len(set(held)) == len(held) == slots.busy
        assert bool(slots) == (len(held) < count)


def test_an_added_slot_has_the_next_number() -> None:
    slots = Slots(1)
    assert slots.take() == 0
    assert slots.add() == 1

    assert [slots.count, slots.busy, slots.take()] == [2, 1, 1]


def test_those_that_are_shut_are_not_given_out_until_they_are_opened() -> None:
    slots = Slots(5)
    slots.shut_all_but(2)
    first = [slots.take(), slots.take()]
    before = slots.shut, slots.busy, bool(slots)
    slots.give_back(0)
    slots.open(2)
    then = [slots.take() for _ in range(3)]
    slots.open(9)

    assert (first, before, then) == ([0, 1], (3, 2, False), [0, 2, 3])
    assert (slots.take(), bool(slots), slots.busy, slots.shut) == (4, False, 5, 0)


def test_another_one_is_opened_in_the_place_of_one_that_is_retired() -> None:
    slots = Slots(3)
    slots.shut_all_but(1)
    slots.take()
    slots.retire(0)

    assert (slots.take(), bool(slots), slots.shut, slots.count) == (1, False, 1, 2)
