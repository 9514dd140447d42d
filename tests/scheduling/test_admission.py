"""What units take while they run, and who may start when there is not enough of it for all."""

from __future__ import annotations

import heapq
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testloom.model.errors import UsageError
from testloom.scheduling.admission import Admission
from testloom.scheduling.ready import ReadyQueue
from testloom.scheduling.resources import PLACES, Needs, Resources


class Desk:
    """Units without edges, drawn as ``a b:2 c:all d:db e:2:db=3``, and what runs of them."""

    def __init__(self, drawing: str, places: int, *, in_order: bool = False, **limits: int) -> None:
        units = [unit.split(":") for unit in drawing.split()]
        self.ready = ReadyQueue({unit[0]: [] for unit in units})
        needs = {unit[0]: _needs(unit[1:]) for unit in units}
        resources = Resources(places, limits)
        self.admission = Admission(self.ready, resources, needs, in_order=in_order)
        self.running: list[str] = []

    def start(self) -> str:
        """Start all that may; return them."""
        started = list(iter(self.admission.take, None))
        self.running += started
        return " ".join(started)

    def end(self, *units: str) -> str:
        """Let *units* end; return those that start in their places."""
        for unit in units:
            self.running.remove(unit)
            self.ready.done(unit)
            self.admission.ended(unit)
        return self.start()


def _needs(words: list[str]) -> Needs:
    slots = [int(word) for word in words if word.isdigit()]
    pairs = [word.partition("=") for word in words if not word.isdigit() and word != "all"]
    resources = {name: int(amount or 1) for name, _, amount in pairs}
    return Needs(slots=slots[0] if slots else 1, exclusive="all" in words, resources=resources)


def test_units_start_in_order_until_the_places_are_taken() -> None:
    desk = Desk("a b c d", places=2)

    assert [desk.start(), desk.end("b"), desk.end("a", "c")] == ["a b", "c", "d"]


def test_a_unit_that_counts_for_several_waits_for_room_and_is_not_passed() -> None:
    desk = Desk("a b:2 c", places=2)

    assert [desk.start(), desk.end("a"), desk.end("b")] == ["a", "b", "c"]


def test_what_counts_for_more_than_the_limit_runs_alone() -> None:
    desk = Desk("a:2 b:2 c:6 d e", places=3)

    rounds = [desk.start(), desk.end("a"), desk.end("b"), desk.end("c"), desk.end("d", "e")]
    assert rounds == ["a", "b", "c", "d e", ""]


def test_an_exclusive_unit_runs_when_nothing_else_does() -> None:
    desk = Desk("a b alone:all c d", places=4)

    rounds = [desk.start(), desk.end("a"), desk.end("b"), desk.end("alone")]
    assert rounds == ["a b", "", "alone", "c d"]


def test_those_that_wait_for_a_thing_are_passed_by_those_that_do_not_need_it() -> None:
    desk = Desk("a:db b:db c:db d e", places=3, db=1)

    rounds = [desk.start(), desk.end("d"), desk.end("a"), desk.end("b", "e")]
    assert rounds == ["a d e", "", "b", "c"]


def test_nobody_passes_where_the_order_is_to_be_kept() -> None:
    desk = Desk("a:db b:db c d", places=3, in_order=True, db=1)

    assert [desk.start(), desk.end("a"), desk.end("b", "c", "d")] == ["a", "b c d", ""]


def test_who_wants_much_of_a_thing_is_served_before_those_that_came_later() -> None:
    desk = Desk("a:db=2 b:db=3 c:db d:db", places=4, db=3)

    assert [desk.start(), desk.end("a"), desk.end("b")] == ["a", "b", "c d"]


def test_a_group_may_run_as_many_as_its_limit_at_a_time() -> None:
    desk = Desk("a:g b:g c:g d:g e:h", places=8, g=2, h=2)

    assert [desk.start(), desk.end("b"), desk.end("a")] == ["a b e", "c", "d"]


def test_a_unit_can_need_several_things() -> None:
    desk = Desk("a:x b:y c:x:y d:x e:y", places=8, x=1, y=1)

    assert desk.start() == "a b"
    assert desk.end("a") == "d"  # c waits for y now, and x is free
    assert desk.end("b") == "e"
    assert desk.end("d") == ""
    assert desk.end("e") == "c"


def test_a_limit_can_rise_and_fall_while_units_run() -> None:
    desk = Desk("a b c d e f", places=1)
    assert desk.start() == "a"
    desk.admission.set_limit(PLACES, 3)
    assert desk.start() == "b c"
    desk.admission.set_limit(PLACES, 2)

    assert [desk.end("a"), desk.end("b"), desk.end("c")] == ["", "d", "e"]


def test_the_limit_of_a_thing_can_rise_while_units_wait_for_it() -> None:
    desk = Desk("a:db b:db c:db", places=8, db=1)
    assert desk.start() == "a"
    desk.admission.set_limit("db", 3)

    assert desk.start() == "b c"


@pytest.mark.parametrize("unit", ["b", "c"])
def test_a_unit_can_leave_its_line(unit: str) -> None:
    desk = Desk("a:db b:db c:db", places=8, db=1)
    desk.start()
    assert desk.admission.discard(unit)
    other = "c" if unit == "b" else "b"

    assert [desk.admission.discard("a"), desk.end("a"), desk.end(other)] == [False, other, ""]
    assert desk.ready.left == 0


def test_an_heir_gets_what_the_one_before_it_had() -> None:
    ready = ReadyQueue({"a": [], "b": ["a"], "c": []}, groups={"a": 1, "b": 1})
    needs = dict.fromkeys("abc", Needs(slots=2))
    admission = Admission(ready, Resources(2), needs)
    assert admission.take() == "a"
    admission.ended("a", ready.done("a"))
    assert admission.take() is None
    admission.ended("b", ready.done("b"))

    assert admission.take() == "c"


def test_what_did_not_get_to_run_waits_again() -> None:
    desk = Desk("a:db b:db", places=2, db=1)
    assert desk.start() == "a"
    desk.admission.put_back("a")
    desk.running.remove("a")

    assert desk.start() == "a"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Needs(slots=0), "a unit needs at least 1 slot, not 0"),
        (lambda: Needs(resources={"db": -1}), "-1 of 'db' cannot be taken"),
        (lambda: Resources(2, {"db": 0}), "the limit of db must be at least 1, not 0"),
        (lambda: Resources(0), "the limit of slots must be at least 1, not 0"),
        (
            lambda: Desk("a:dbs", places=1, db=1),
            "'a' needs 'dbs', which has no limit; did you mean",
        ),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


NEEDS = st.builds(
    Needs,
    slots=st.integers(1, 5),
    exclusive=st.booleans(),
    resources=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 4)),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(NEEDS, max_size=30), st.integers(1, 4), st.booleans(), st.randoms())
def test_all_run_once_and_never_more_than_there_is(
    needs: list[Needs], places: int, in_order: bool, random: Any
) -> None:
    limits = {"x": 1, "y": 2, "z": 3}
    names = [f"u{number}" for number in range(len(needs))]
    ready = ReadyQueue({name: [] for name in names})
    table = dict(zip(names, needs, strict=True))
    admission = Admission(ready, Resources(places, limits), table, in_order=in_order)
    running: list[str] = []
    ran: list[str] = []
    while ready.left:
        while (unit := admission.take()) is not None:
            running.append(unit)
            ran.append(unit)
            _check_sums([table[one] for one in running], {**limits, PLACES: places})
        assert running, "nothing runs and nothing may start"
        ended = running.pop(random.randrange(len(running)))
        ready.done(ended)
        admission.ended(ended)

    assert sorted(ran) == sorted(names)
    if in_order:
        assert ran == names


def _check_sums(running: list[Needs], limits: dict[str, int]) -> None:
    for name, limit in limits.items():
        amounts = [need.amounts.get(name, 0) for need in running]
        # What alone is more than there is may run, but beside nobody who needs it.
        assert sum(amounts) <= limit or sum(amount > 0 for amount in amounts) == 1


def test_ten_thousand_in_line_for_one_thing_cost_no_more_each_than_a_thousand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counts the steps in the heaps, which is where a line would be gone through."""
    pops = 0
    real = heapq.heappop

    def counted(heap: list[Any]) -> Any:
        nonlocal pops
        pops += 1
        return real(heap)

    monkeypatch.setattr(heapq, "heappop", counted)
    per_unit = []
    for count in (500, 2000):
        pops = 0
        desk = Desk(" ".join(f"u{n}:db" for n in range(count)), places=4, db=1)
        desk.start()
        while desk.running:
            desk.end(*desk.running)
        per_unit.append(pops / count)

    assert per_unit[1] < 1.2 * per_unit[0]
