from __future__ import annotations

import pytest

from testloom.console.progress import Running
from testloom.console.slow import SlowWatch


def running(since: float, uid: str = "a.run") -> Running:
    return Running(uid, uid.partition(".")[0], "run", since)


def test_what_runs_long_is_told_of_at_doubling_intervals() -> None:
    watch = SlowWatch(60.0)
    slots = {3: running(10.0)}
    told = {now: lines for now in range(0, 600, 10) if (lines := [*watch.lines(slots, float(now))])}
    assert told == {
        70: ["still running after 1:00: a.run (slot 3)"],
        130: ["still running after 2:00: a.run (slot 3)"],
        250: ["still running after 4:00: a.run (slot 3)"],
        490: ["still running after 8:00: a.run (slot 3)"],
    }


def test_the_next_one_in_a_slot_is_another_one() -> None:
    watch = SlowWatch(60.0)
    assert len([*watch.lines({0: running(0.0)}, 200.0)]) == 1
    assert [*watch.lines({0: running(180.0)}, 220.0)] == []
    assert [*watch.lines({0: running(180.0)}, 240.0)] == [
        "still running after 1:00: a.run (slot 0)"
    ]
    assert [*watch.lines({}, 300.0)] == []
    assert len([*watch.lines({0: running(180.0)}, 300.0)]) == 1


def test_after_a_pause_one_line_is_enough() -> None:
    watch = SlowWatch(1.0)
    slots = {0: running(0.0, "b.run"), 1: running(1.0)}
    assert [*watch.lines(slots, 100.0)] == [
        "still running after 1:40: b.run (slot 0)",
        "still running after 1:39: a.run (slot 1)",
    ]
    assert [*watch.lines(slots, 100.5)] == []


@pytest.mark.parametrize(("now", "due"), [(0.0, 60.0), (30.0, 60.0), (60.0, 120.0)])
def test_it_wants_to_be_asked_when_something_may_be_late(now: float, due: float) -> None:
    watch = SlowWatch(60.0)
    list(watch.lines({0: running(0.0)}, now))
    assert watch.due(now) == due


def test_nothing_running_is_asked_for_again_before_what_starts_now_is_late() -> None:
    watch = SlowWatch(60.0)
    assert ([*watch.lines({}, 5.0)], watch.due(5.0)) == ([], 65.0)
