"""How attributes of a driver travel: two objects stand for the driver in two processes."""

from __future__ import annotations

import types
from typing import Any

from testloom.workers.sharing import SharedState


def driver(**attributes: Any) -> Any:
    return types.SimpleNamespace(env="own", **attributes)


def state(one: Any) -> SharedState:
    shared = SharedState(one)
    shared.note(0)
    return shared


def test_what_one_has_set_the_other_gets() -> None:
    here, there = driver(x=1), driver(x=1)
    ours, theirs = state(here), state(there)
    here.x, here.new = 2, [3]
    ours.note(1)
    theirs.apply([ours.packed()])

    assert vars(there) == {"env": "own", "x": 2, "new": [3]}


def test_the_later_attempt_wins_in_whatever_order_they_come() -> None:
    first, second = driver(x=0), driver(x=0)
    states = []
    for attempt, one in ((1, first), (2, second)):
        shared = state(one)
        one.x = attempt
        shared.note(attempt)
        states.append(shared.packed())
    ends = []
    for order in (states, states[::-1]):
        other = driver(x=0)
        state(other).apply(order)
        ends.append(other.x)

    assert ends == [2, 2]


def test_what_was_not_changed_does_not_win() -> None:
    """Who only read an attribute must not undo what another has set."""
    writer, reader = driver(x=0), driver(x=0)
    wrote, read = state(writer), state(reader)
    writer.x = 5
    wrote.note(1)
    read.note(2)
    other = driver(x=0)
    state(other).apply([wrote.packed(), read.packed()])

    assert other.x == 5


def test_what_cannot_be_sent_stays_where_it_is() -> None:
    here, there = driver(), driver(f="theirs")
    shared = state(here)
    here.f, here.env = (lambda: 0), "not for others"
    shared.note(1)
    state(there).apply([shared.packed()])

    assert (there.f, there.env) == ("theirs", "own")


class Growing:
    """Sets an attribute of its owner while it is pickled."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __reduce__(self) -> Any:
        self.owner.grown = 1
        return str, ("x",)


def test_a_driver_may_change_while_it_is_looked_at() -> None:
    here = driver()
    here.first = Growing(here)
    state(here)

    assert here.grown == 1


class Restless:
    """Has another pickle after each journey, as a set of text has in another interpreter."""

    def __init__(self) -> None:
        self.journeys = 0

    def __setstate__(self, state: dict[str, int]) -> None:
        self.journeys = state["journeys"] + 1


def test_what_has_only_travelled_was_not_changed() -> None:
    first = driver(x=None)
    begun = state(first)
    first.x = Restless()
    begun.note(1)
    writer, reader = driver(x=None), driver(x=None)
    wrote, read = state(writer), state(reader)
    for shared in (wrote, read):
        shared.apply([begun.packed()])
    writer.x = 5
    wrote.note(2)
    read.note(3)
    other = driver(x=None)
    state(other).apply([wrote.packed(), read.packed()])

    assert other.x == 5


def test_what_was_changed_after_its_journey_is_sent_on() -> None:
    first, second, third = driver(x=None), driver(x=None), driver(x=None)
    begun, goes_on, ends = state(first), state(second), state(third)
    first.x = [1]
    begun.note(1)
    goes_on.apply([begun.packed()])
    second.x.append(2)
    goes_on.note(2)
    ends.apply([goes_on.packed()])

    assert third.x == [1, 2]
