"""Lists of tasks: outputs, progress, costs, threads, loops; with real processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import queue
import subprocess
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from testloom.tasks import (
    ProcessTask,
    Scheduler,
    SchedulerException,
    Task,
    TaskFailedException,
    ThreadTask,
)
from testloom.tasks.task import has_large_array

FORK = multiprocessing.get_context("fork")


def double(number: Any) -> Any:
    return number * 2


def put(into: Any, *items: Any) -> None:
    for item in items:
        into.put(item)


def process_task(function: Callable[..., Any], *args: Any, **about: Any) -> ProcessTask:
    output = FORK.Queue()
    return ProcessTask(FORK.Process(target=function, args=(output, *args)), output, **about)


def closed(scheduler: Scheduler) -> None:
    """Let go of what the test itself has made."""
    for task in scheduler.tasks:
        if isinstance(task, ProcessTask):
            for one in (task.queue, task.exc_queue, task.stdout_queue):
                if one is not None:
                    one.close()
                    one.join_thread()
            task.process.close()


def run_each_way() -> list[Callable[[Scheduler], list[Any]]]:
    return [Scheduler.run_blocking, lambda scheduler: asyncio.run(scheduler.run())]


@pytest.fixture(params=run_each_way(), ids=["blocking", "awaited"])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_outputs_come_in_the_order_of_the_tasks_not_of_their_ends(run: Any) -> None:
    first_may_end = FORK.Event()

    def waits(number: int) -> int:
        if number == 0:
            first_may_end.wait()
        elif number == 2:
            first_may_end.set()
        return number

    scheduler = Scheduler()
    scheduler.concurrent_count = 2
    for number in range(4):
        scheduler.add(waits, (number,))

    assert run(scheduler) == [0, 1, 2, 3]
    assert scheduler.output == [0, 1, 2, 3]
    assert (scheduler.finished, scheduler.failed, scheduler.terminated) == (True, False, False)


def test_calls_can_be_mapped_both_ways() -> None:
    assert Scheduler().map_blocking(double, [(1,), ("a",)]) == [2, "aa"]
    assert asyncio.run(Scheduler().map(double, ((n,) for n in range(3)))) == [0, 2, 4]


@pytest.mark.parametrize(
    ("output", "shaped"),
    [((1,), 1), ((), ()), (None, None), ([1], [1]), ((1, 2), (1, 2)), (((1,),), (1,))],
)
def test_a_tuple_of_one_is_unwrapped(output: Any, shaped: Any) -> None:
    assert Scheduler(only_threads=True).map_blocking(lambda: output, [()]) == [shaped]


@pytest.mark.parametrize("subtasks", [0, 2])
def test_progress_is_told_where_it_is_run(run: Any, subtasks: int) -> None:
    told: list[tuple[int, int, bool]] = []
    here = threading.get_ident()
    scheduler = Scheduler(lambda *n: told.append((*n, threading.get_ident() == here)))
    for number in range(3):
        scheduler.add(double, (number,), subtasks)
    run(scheduler)
    each = 1 + subtasks

    assert told == [(done * each, 3 * each, True) for done in range(4)]
    assert (scheduler.total_task_count, scheduler.tasks_completed) == (3 * each, 3 * each)


def test_no_tasks_are_done_at_once(run: Any) -> None:
    told: list[tuple[int, int]] = []

    assert run(Scheduler(lambda *numbers: told.append(numbers))) == []
    assert told == [(0, 0)]


def test_tasks_count_for_themselves_and_their_subtasks_strictly_in_order() -> None:
    """With a limit of 3: two of 2 one after the other, then one of 6 alone, then two together."""
    events: list[tuple[str, int]] = []

    class Watched(Scheduler):
        def task_started(self, task: Task) -> None:
            super().task_started(task)
            events.append(("start", task.count))

        def task_ended(self, number: int, end: Any) -> None:
            super().task_ended(number, end)
            events.append(("end", self.tasks[number].count))

    scheduler = Watched(dynamic=False, only_threads=True)
    scheduler.concurrent_count = 3
    together = threading.Barrier(2)
    for subtasks in (1, 1, 5):
        scheduler.add(double, (1,), subtasks)
    for _ in range(2):
        scheduler.add(together.wait)
    scheduler.run_blocking()

    big = [(what, count) for count in (2, 2, 6) for what in ("start", "end")]
    assert events == [*big, ("start", 1), ("start", 1), ("end", 1), ("end", 1)]


def test_what_has_been_started_takes_no_tasks_and_does_not_run_again() -> None:
    scheduler: Any = Scheduler()
    scheduler.run_blocking()
    args: list[Any]
    for add, *args in (
        (scheduler.add, double),
        (scheduler.add_process, None, None),
        (scheduler.add_tasks, Task()),
    ):
        with pytest.raises(SchedulerException, match="takes no more tasks"):
            add(*args)
    for again, *args in ((scheduler.run_blocking,), (scheduler.map_blocking, double, [(1,)])):
        with pytest.raises(SchedulerException, match=r"Scheduler has already been started\."):
            again(*args)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Scheduler(shared_memory=True, only_threads=True),
            "shared_memory is for processes",
        ),
        (
            lambda: Scheduler(shared_memory=True, run_in_thread=True),
            "shared_memory is for processes",
        ),
        (lambda: Scheduler().map_blocking(double, cast("Any", [(1,), 2])), r"at 1 2; write \(2,\)"),
        (lambda: Task(subtasks=-1), "cannot have -1 subtasks"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(SchedulerException, match=message):
        make()


@pytest.mark.parametrize(
    ("options", "in_main"),
    [
        ({}, [False] * 3),
        ({"run_in_thread": True}, [True, False, False]),
        ({"only_threads": True}, [True] * 3),
    ],
)
def test_threads_instead_of_processes(options: dict[str, Any], in_main: list[bool]) -> None:
    pids = Scheduler(**options).map_blocking(os.getpid, [()] * 3)

    assert [pid == os.getpid() for pid in pids] == in_main


def test_processes_and_threads_of_others_are_tasks_as_well(run: Any) -> None:
    scheduler = Scheduler()
    output = FORK.Queue()
    scheduler.add_process(FORK.Process(target=put, args=(output, "process")), output)
    threads_output: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=put, args=(threads_output, "thread"))
    scheduler.add_tasks(process_task(put, ("large" * 100_000,)), ThreadTask(thread, threads_output))
    scheduler.add(double, (21,))

    assert run(scheduler) == ["process", "large" * 100_000, "thread", 42]
    closed(scheduler)


def test_tracebacks_of_others_are_errors() -> None:
    scheduler = Scheduler()
    errors = FORK.Queue()
    output = FORK.Queue()
    process = FORK.Process(target=put, args=(errors, "Traceback of a process"))
    scheduler.add_process(process, output, errors)
    thread_errors: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=put, args=(thread_errors, "Traceback of a thread"))
    scheduler.add_task(ThreadTask(thread, queue.Queue(), thread_errors))

    assert scheduler.run_blocking() == [None, None]
    assert scheduler.errors == {0: "Traceback of a process", 1: "Traceback of a thread"}
    closed(scheduler)


def test_what_others_want_to_be_printed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    text = FORK.Queue()
    output = FORK.Queue()

    def talk() -> None:
        put(text, "one\n", "two\n")
        put(output, 1)

    scheduler = Scheduler()
    scheduler.add_task(ProcessTask(FORK.Process(target=talk), output, stdout_queue=text))

    assert scheduler.run_blocking() == [1]
    assert capsys.readouterr().out == "one\ntwo\n"
    closed(scheduler)


def test_a_failure_is_raised_if_asked_for(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def fail() -> None:
        raise ValueError("planted")

    scheduler = Scheduler(raise_exceptions=True, error_callback=told.append)
    scheduler.add(fail)
    scheduler.add(threading.Event().wait, (600,))
    with pytest.raises(TaskFailedException, match="ValueError: planted"):
        run(scheduler)

    assert told[0].splitlines()[0] == "Traceback (most recent call last):"
    assert told[0].splitlines()[-1] == "ValueError: planted"
    assert "ValueError: planted" in caplog.text
    assert (scheduler.failed, scheduler.terminated, scheduler.finished) == (True, True, False)
    assert scheduler.output == []


def test_termination_ends_the_run_with_nothing(run: Any) -> None:
    scheduler = Scheduler(lambda done, _total: scheduler.terminate() if done else None)
    scheduler.add(double, (1,))
    scheduler.add(threading.Event().wait, (600,))

    assert run(scheduler) == []
    assert (scheduler.terminated, scheduler.finished, scheduler.is_running()) == (
        True,
        False,
        False,
    )
    scheduler.terminate()


def test_another_thread_can_terminate() -> None:
    scheduler = Scheduler()
    started = FORK.Event()

    def long() -> None:
        started.set()
        threading.Event().wait(600)

    scheduler.add(long)

    def terminate() -> None:
        started.wait()
        scheduler.terminate()

    thread = threading.Thread(target=terminate)
    thread.start()
    assert scheduler.run_blocking() == []
    thread.join()


def test_what_was_terminated_before_does_not_run(run: Any) -> None:
    scheduler = Scheduler()
    scheduler.add(os._exit, (1,))
    scheduler.terminate()

    assert run(scheduler) == []


def test_who_stops_awaiting_terminates() -> None:
    scheduler = Scheduler()
    started = asyncio.Event()
    scheduler.progress_callback = lambda *_: started.set()
    scheduler.add(threading.Event().wait, (600,))

    async def given_up() -> None:
        running = asyncio.ensure_future(scheduler.run())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(given_up())

    assert (scheduler.terminated, scheduler.is_running()) == (True, False)


def test_a_callback_that_raises_ends_everything(run: Any) -> None:
    def fail(done: int, _total: int) -> None:
        if done:
            raise ValueError("planted")

    scheduler = Scheduler(fail)
    scheduler.add(double, (1,))
    scheduler.add(threading.Event().wait, (600,))
    with pytest.raises(ValueError, match="planted"):
        run(scheduler)

    assert not scheduler.is_running()


def test_several_schedulers_share_an_asyncio_loop() -> None:
    async def both() -> list[Any]:
        runs = (Scheduler().map(double, [(n,) for n in range(5)]) for _ in range(2))
        return list(await asyncio.gather(*runs))

    assert asyncio.run(both()) == [[0, 2, 4, 6, 8]] * 2


def test_a_task_can_use_asyncio_itself() -> None:
    async def inner() -> int:
        await asyncio.sleep(0)
        return 7

    assert asyncio.run(Scheduler().map(lambda: asyncio.run(inner()), [()])) == [7]


class Array:
    """As much of an array as matters."""

    __array_interface__ = None

    def __init__(self, size: int) -> None:
        self.size = size


@pytest.mark.parametrize(
    ("value", "large"),
    [
        (Array(11), True),
        (Array(10), False),
        ((1, Array(11)), True),
        ([Array(11)], True),
        ({"a": Array(11)}, False),
        ("x" * 1000, False),
    ],
)
def test_large_is_what_has_more_elements_than_the_threshold(value: Any, large: bool) -> None:
    assert has_large_array(value, 10) is large


def test_large_arrays_arrive_and_leave_nothing_in_shared_memory() -> None:
    numpy = pytest.importorskip("numpy")
    scheduler = Scheduler(shared_memory=True, shared_memory_threshold=1000)
    outputs = scheduler.map_blocking(numpy.arange, [(10,), (100_000,)])

    assert [output.sum() for output in outputs] == [45, 4999950000]
    outputs[1][0] = 1  # it is our own
    assert [name for name in os.listdir("/dev/shm") if f"-{os.getpid()}-" in name] == []


QT = """
import threading
import qasync
from testloom.tasks import Scheduler

application = qasync.QApplication([])
told = []

async def go():
    scheduler = Scheduler(lambda *n: told.append((*n, threading.current_thread())))
    return await scheduler.map(lambda number: number * 2, [(n,) for n in range(5)])

with qasync.QEventLoop(application) as loop:
    print(loop.run_until_complete(go()))
print([numbers for *numbers, thread in told if thread is threading.main_thread()])
"""


@pytest.mark.slow
def test_a_gui_loop_can_run_it(
    monkeypatch: pytest.MonkeyPatch, script: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """In a process of its own: an application of Qt cannot be taken back."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    if script("import qasync; qasync.QApplication").returncode != 0:
        pytest.skip("needs the Python packages qasync and PySide6 or PyQt6")
    ran = script(QT)

    progress = [[done, 5] for done in range(6)]
    assert (ran.stdout, ran.returncode) == (f"[0, 2, 4, 6, 8]\n{progress}\n", 0), ran.stderr
