from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from testloom.processes.loop import EventLoop
from testloom.processes.thread_calls import ThreadCalls


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


def test_another_thread_wakes_the_loop_and_its_calls_come_in_order(loop: EventLoop) -> None:
    calls = ThreadCalls(loop)
    seen: list[tuple[int, bool]] = []
    main = threading.current_thread()

    def note(number: int) -> None:
        seen.append((number, threading.current_thread() is main))

    def ask() -> None:
        for number in range(1000):
            calls.call(lambda number=number: note(number))  # type: ignore[misc]

    thread = threading.Thread(target=ask)
    thread.start()
    while len(seen) < 1000:
        loop.run_once()
    thread.join()
    calls.close()

    assert seen == [(number, True) for number in range(1000)]


def test_a_call_may_ask_for_another_one_and_for_the_end(loop: EventLoop) -> None:
    calls = ThreadCalls(loop)
    seen: list[str] = []
    calls.call(lambda: calls.call(lambda: seen.append("second")))
    loop.run_once()
    loop.run_once()
    calls.call(calls.close)
    calls.call(lambda: seen.append("never"))
    loop.run_once()
    calls.call(lambda: seen.append("too late"))
    calls.close()

    assert seen == ["second"]


def test_a_call_that_raises_does_not_take_the_others_with_it(loop: EventLoop) -> None:
    calls = ThreadCalls(loop)
    seen: list[str] = []

    def fail() -> None:
        raise ValueError("planted")

    calls.call(fail)
    calls.call(lambda: seen.append("next"))
    loop.run_once()
    with pytest.raises(ValueError, match="planted"):
        loop.run_once()
    loop.run_once()
    calls.close()

    assert seen == ["next"]
