"""Sharing out many small units: no process, no clock."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from testloom.scheduling.turns import MOST, TURN_S, Bundle, Turn, Turns


def loose(count: int) -> list[Bundle]:
    return [Bundle((unit,)) for unit in range(count)]


def test_the_first_turn_is_one_unit_because_nobody_knows_how_long_they_take() -> None:
    turns = Turns(loose(100), 2)

    assert (turns.next(0), turns.next(1)) == (Turn((0,)), Turn((1,)))


def test_a_turn_has_as_many_units_as_fit_into_its_time() -> None:
    turns = Turns(loose(1000), 2)
    turns.next(0)
    turns.ran(0, TURN_S / 10)

    assert turns.next(0) == Turn(tuple(range(1, 11)))


def test_units_that_take_no_time_at_all_come_in_turns_of_limited_size() -> None:
    turns = Turns(loose(100_000), 2)
    turns.next(0)
    turns.ran(0, 1e-9)

    turn = turns.next(0)

    assert turn is not None
    assert len(turn.units) == MOST


def test_towards_the_end_turns_become_short() -> None:
    turns = Turns(loose(41), 2)
    turns.next(0)
    turns.ran(0, TURN_S / 1000)

    sizes = []
    while (turn := turns.next(0)) is not None:
        sizes.append(len(turn.units))

    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1], sum(sizes)) == (10, 1, 40)


def test_a_bundle_stays_with_the_slot_that_began_it() -> None:
    turns = Turns([Bundle((0, 1, 2)), Bundle((3, 4, 5))], 2)

    assert turns.next(0) == Turn((0,), follows=1)
    assert turns.next(1) == Turn((3,), follows=4)
    assert turns.next(0) == Turn((1,), follows=2)
    assert turns.next(0) == Turn((2,), follows=None)


def test_what_a_slot_did_not_get_to_comes_next_in_its_bundle() -> None:
    turns = Turns([Bundle(tuple(range(10))), Bundle(tuple(range(10, 20)))], 1)
    turns.next(0)
    turns.ran(0, TURN_S / 4)
    assert turns.next(0) == Turn((1, 2, 3, 4), follows=5)

    turns.give_back(0, [3, 4])

    assert turns.next(0) == Turn((3, 4, 5, 6), follows=7)


def test_loose_units_that_were_given_back_go_to_whoever_asks_first() -> None:
    turns = Turns(loose(50), 2)
    turns.next(0)
    turns.ran(0, TURN_S / 4)
    assert turns.next(0) == Turn((1, 2, 3, 4))

    turns.give_back(0, [2, 3, 4])

    assert turns.next(1) == Turn((2, 3, 4, 5))


def test_an_idle_slot_takes_half_of_a_bundle_if_that_pays() -> None:
    turns = Turns([Bundle(tuple(range(21)))], 2)
    assert turns.next(0) == Turn((0,), follows=1)
    assert turns.next(1) is None  # what it costs to begin the bundle again is not known yet

    turns.ran(0, 1.0, setup_s=5.0)

    assert turns.next(1) == Turn((11,), follows=12)
    assert turns.left == 19


def test_a_bundle_that_is_dear_to_set_up_is_not_divided() -> None:
    turns = Turns([Bundle(tuple(range(11)))], 2)
    turns.next(0)
    turns.ran(0, 1.0, setup_s=5.0)

    assert turns.next(1) is None


def test_a_bundle_that_is_to_stay_whole_is_not_divided() -> None:
    turns = Turns([Bundle(tuple(range(21)), is_whole=True)], 2)
    turns.next(0)
    turns.ran(0, 1.0, setup_s=0.0)

    assert turns.next(1) is None


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_each_unit_runs_once_whatever_slots_do(seed: int) -> None:
    rng = random.Random(seed)
    slots = rng.randint(1, 4)
    bundles, first = [], 0
    for _ in range(rng.randint(0, 12)):
        size = rng.randint(1, 12)
        bundles.append(Bundle(tuple(range(first, first + size)), is_whole=rng.random() < 0.5))
        first += size
    turns = Turns(bundles, slots)
    ran: list[int] = []
    in_vain = 0
    while turns.left:
        slot = rng.randrange(slots)
        turn = turns.next(slot)
        if turn is None:  # somebody else has the rest
            in_vain += 1
            assert in_vain < 500, f"{turns.left} units are left, and no slot gets them"
            continue
        in_vain = 0
        done = rng.randint(0, len(turn.units))
        for unit in turn.units[:done]:
            ran.append(unit)
            turns.ran(slot, rng.choice([1e-6, 0.01, 1.0]), 0.01)
        turns.give_back(slot, turn.units[done:])

    assert sorted(ran) == list(range(first))


def test_what_is_added_later_comes_after_what_waits() -> None:
    turns = Turns(loose(1), 1)
    turns.add([Bundle((7, 8))])

    assert turns.left == 3
    assert (turns.next(0), turns.next(0)) == (Turn((0,)), Turn((7,), 8))


def test_after_the_end_nothing_is_given_out_that_shares_nothing() -> None:
    turns = Turns(loose(3), 1)
    turn = turns.next(0)
    assert turn == Turn((0,))

    assert turns.end() == [Bundle((1,)), Bundle((2,))]
    turns.give_back(0, turn.units)

    assert turns.next(0) is None
    assert turns.left == 1


def test_after_the_end_one_unit_of_a_bundle_that_has_begun_is_left_to_tear_down_after() -> None:
    turns = Turns([Bundle((0, 1, 2, 3))], 1)
    assert turns.next(0) == Turn((0,), 1)

    assert turns.end() == [Bundle((2, 3))]

    assert turns.next(0) == Turn((1,))
    assert turns.next(0) is None
    assert turns.left == 0


def test_after_the_end_a_bundle_that_must_stay_whole_is_given_out_to_its_end() -> None:
    turns = Turns([Bundle((0, 1, 2), is_whole=True), Bundle((3, 4), is_whole=True)], 1)
    assert turns.next(0) == Turn((0,), 1)

    assert turns.end() == [Bundle((3, 4), is_whole=True)]

    assert turns.next(0) == Turn((1,), 2)
    assert turns.next(0) == Turn((2,))
    assert turns.next(0) is None
