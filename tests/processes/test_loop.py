from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable, Iterator

import pytest

from testloom.processes.clock import ManualClock
from testloom.processes.loop import READ, WRITE, EventLoop, Timer


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


@pytest.fixture
def pipe() -> Iterator[Callable[[], tuple[int, int]]]:
    fds: list[int] = []

    def make() -> tuple[int, int]:
        fds.extend(os.pipe())
        return fds[-2], fds[-1]

    yield make
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            continue


def test_a_ready_descriptor_is_told_of_until_it_is_unwatched(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]]
) -> None:
    reader, writer = pipe()
    seen: list[str] = []
    os.write(writer, b"x")
    loop.watch(reader, lambda: seen.append("ready"))
    loop.run_once()
    loop.run_once()
    loop.unwatch(reader)
    loop.call_soon(lambda: seen.append("soon"))
    loop.run_once()

    assert seen == ["ready", "ready", "soon"]


def test_unknown_descriptors_may_be_unwatched(loop: EventLoop) -> None:
    loop.unwatch(-1)
    loop.unwatch(0)


def test_what_is_waited_for_can_be_changed(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]]
) -> None:
    _reader, writer = pipe()
    seen: list[str] = []
    loop.watch(writer, lambda: seen.append("old"), READ)
    loop.rewatch(writer, lambda: seen.append("new"), WRITE)
    loop.run_once()

    assert seen == ["new"]


def test_a_callback_may_unwatch_and_close_what_is_ready_at_the_same_time(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]]
) -> None:
    pipes = [pipe() for _ in range(3)]
    seen: list[int] = []

    def read(me: int) -> None:
        seen.append(me)
        for reader, _writer in pipes:
            loop.unwatch(reader)
            os.close(reader)

    for me, (reader, writer) in enumerate(pipes):
        os.write(writer, b"x")
        loop.watch(reader, lambda me=me: read(me))  # type: ignore[misc]  # a default, not an argument
    loop.run_once()

    assert len(seen) == 1


def test_a_callback_is_not_told_of_what_its_number_stood_for_before(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]]
) -> None:
    """A slot's process dies and another is started at once: the numbers are the same."""
    first, second = pipe(), pipe()
    seen: list[str] = []

    def replace() -> None:
        seen.append("first")
        for reader, _ in (first, second):
            loop.unwatch(reader)
            os.close(reader)
        again = pipe()[0]
        assert again in {first[0], second[0]}
        loop.watch(again, lambda: seen.append("nobody wrote to this one"))

    for reader, writer in (first, second):
        os.write(writer, b"x")
        loop.watch(reader, replace)
    loop.run_once()

    assert seen == ["first"]


def test_timers_come_in_the_order_of_their_instants_then_of_their_making() -> None:
    clock = ManualClock()
    loop = EventLoop(clock)
    seen: list[str] = []
    for name, when in [("late", 2.0), ("first", 1.0), ("second", 1.0)]:
        loop.call_at(when, lambda name=name: seen.append(name))  # type: ignore[misc]  # as above
    clock.advance(1.0)
    loop.run_once()
    so_far = list(seen)
    clock.advance(1.0)
    loop.look()
    loop.run_once()
    loop.close()

    assert (so_far, seen) == (["first", "second"], ["first", "second", "late"])


def test_a_cancelled_timer_does_not_come_and_does_not_wake_the_loop() -> None:
    clock = ManualClock()
    loop = EventLoop(clock)
    seen: list[str] = []
    first = loop.call_at(0.0, lambda: seen.append("cancelled"))
    loop.call_at(0.0, lambda: seen.append("kept"))
    first.cancel()
    first.cancel()
    loop.run_once()
    loop.close()

    assert seen == ["kept"]


def test_a_timer_may_cancel_another_that_is_due() -> None:
    loop = EventLoop(ManualClock(now=1.0))
    seen: list[str] = []
    timers: list[Timer] = []

    def first() -> None:
        seen.append("first")
        timers[0].cancel()

    loop.call_at(0.0, first)
    timers.append(loop.call_at(0.5, lambda: seen.append("second")))
    loop.run_once()
    loop.close()

    assert seen == ["first"]


def test_cancelled_timers_do_not_pile_up(loop: EventLoop) -> None:
    """Each fragment with a time limit makes a timer that almost never fires."""
    for _ in range(10_000):
        loop.call_at(loop.now() + 3600, list).cancel()

    assert len(loop._timers) < 200


def test_a_cancelled_timer_lets_go_of_its_callback(loop: EventLoop) -> None:
    class Big:
        def __call__(self) -> None:
            """Never called."""

    big = Big()
    loop.call_at(loop.now() + 3600, big).cancel()
    there = weakref.ref(big)
    del big
    gc.collect()

    assert there() is None


@pytest.mark.parametrize("when", [1e300, float("inf")])
def test_a_timer_may_be_further_away_than_the_kernel_can_count(
    loop: EventLoop, when: float, pipe: Callable[[], tuple[int, int]]
) -> None:
    reader, writer = pipe()
    seen: list[str] = []
    os.write(writer, b"x")
    loop.watch(reader, lambda: seen.append("ready"))
    loop.call_at(when, lambda: seen.append("never"))
    loop.run_once()

    assert seen == ["ready"]


def test_who_always_has_something_to_do_soon_does_not_starve_the_others(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]]
) -> None:
    """Signals come over a descriptor: fragments in this process must not shut them out."""
    reader, writer = pipe()
    seen: list[str] = []
    os.write(writer, b"x")

    def again() -> None:
        loop.call_soon(again)

    loop.call_soon(again)
    loop.watch(reader, lambda: seen.append("descriptor"))
    loop.call_at(loop.now(), lambda: seen.append("timer"))
    loop.run_once()

    assert seen == ["descriptor", "timer"]


def test_what_is_to_come_soon_survives_an_exception_before_it(loop: EventLoop) -> None:
    seen: list[str] = []

    def fail() -> None:
        raise ValueError("planted")

    loop.call_soon(fail)
    loop.call_soon(lambda: seen.append("second"))
    with pytest.raises(ValueError, match="planted"):
        loop.run_once()
    loop.run_once()

    assert seen == ["second"]


def test_what_a_callback_wants_soon_comes_in_the_next_round(loop: EventLoop) -> None:
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        loop.call_soon(lambda: seen.append("second"))

    loop.call_soon(first)
    loop.run_once()
    so_far = list(seen)
    loop.run_once()

    assert (so_far, seen) == (["first"], ["first", "second"])


def test_time_in_which_nothing_can_run_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    loop = EventLoop(clock)
    pauses = iter([0.0, 60.0, 0.0, 1000.0])

    def select(timeout: float) -> list[object]:
        clock.advance(timeout + next(pauses, 0.0))
        return []

    monkeypatch.setattr(loop._selector, "select", select)
    came: list[float] = []
    for at in (3.0, 10.0):
        loop.call_at(at, lambda: came.append(clock.now()))
    try:
        while len(came) < 2:
            loop.run_once()
    finally:
        loop.close()
    assert came == [1063.0, 1070.0]


def test_what_came_while_nothing_could_run_comes_before_the_limits(
    pipe: Callable[[], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    loop = EventLoop(clock)
    reader, writer = pipe()
    os.write(writer, b"x")
    came: list[str] = []
    loop.watch(reader, lambda: came.append("news"))
    loop.call_at(5.0, lambda: came.append("limit"))
    select = loop._selector.select

    def stopped(_timeout: float) -> object:
        clock.advance(100.0)
        return select(0)

    monkeypatch.setattr(loop._selector, "select", stopped)
    loop.run_once()
    loop.close()
    assert came == ["news"]


def test_a_pause_that_a_callback_makes_and_counts_is_not_counted_again(
    pipe: Callable[[], tuple[int, int]],
) -> None:
    """Ctrl-Z: the run stops itself, and knows for how long."""
    clock = ManualClock(now=1000.0)
    loop = EventLoop(clock)
    reader, writer = pipe()
    os.write(writer, b"x")

    def pause() -> None:
        os.read(reader, 1)
        clock.advance(60.0)
        loop.put_off(60.0)

    loop.watch(reader, pause)
    loop.call_at(1005.0, list)
    loop.run_once()
    due = loop.due()
    loop.close()
    assert due == 1065.0


def test_what_is_to_come_soon_does_not_wait_for_a_timer(loop: EventLoop, in_time: None) -> None:
    came: list[str] = []
    loop.call_at(loop.now() + 1000.0, lambda: came.append("limit"))
    loop.call_soon(lambda: came.append("soon"))
    loop.run_once()
    assert came == ["soon"]


def test_what_happens_in_a_rest_is_found_when_it_is_over(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]]
) -> None:
    reader, writer = pipe()
    seen: list[float] = []
    loop.watch(reader, lambda: seen.append(loop.now()))
    os.write(writer, b".")
    begun = loop.now()
    loop.rest(0.05)

    assert not seen
    loop.run_once()
    assert seen[0] - begun >= 0.05


def test_what_is_urgent_ends_a_rest(
    loop: EventLoop, pipe: Callable[[], tuple[int, int]], in_time: None
) -> None:
    reader, writer = pipe()
    seen: list[bytes] = []
    loop.watch(reader, lambda: seen.append(os.read(reader, 9)), is_urgent=True)
    os.write(writer, b".")
    loop.rest(3600.0)
    loop.run_once()

    assert seen == [b"."]
    loop.unwatch(reader)
    os.write(writer, b".")
    loop.rest(0.001)  # it is not waited for any more
    assert os.read(reader, 9) == b"."


def test_a_timer_ends_a_rest(loop: EventLoop, in_time: None) -> None:
    seen: list[str] = []
    loop.call_at(loop.now() + 0.02, lambda: seen.append("timer"))
    loop.rest(3600.0)
    loop.run_once()

    assert seen == ["timer"]


def test_there_is_no_rest_while_something_is_to_come_soon(loop: EventLoop, in_time: None) -> None:
    seen: list[str] = []
    loop.call_soon(lambda: seen.append("soon"))
    loop.rest(3600.0)
    loop.run_once()

    assert seen == ["soon"]


def test_time_that_a_rest_was_late_does_not_count(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    loop = EventLoop(clock)
    loop.look()
    timer_at = clock.now() + 10.0
    seen: list[float] = []
    loop.call_at(timer_at, lambda: seen.append(clock.now()))
    # The process is stopped for an hour meanwhile.
    monkeypatch.setattr("select.select", lambda *_: clock.advance(3600.0))
    loop.rest(1.0)

    assert loop.due() == pytest.approx(timer_at + 3599.0)
    loop.close()
