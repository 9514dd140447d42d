"""What was weak in AsyncProcessScheduler that this door stands in for; by the numbers of a list.

``python tools/weaknesses.py`` prints the list with the verdicts of these tests.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from testloom.tasks import Scheduler, TaskFailedException
from testloom.tasks.engine import MOST_TIMES

FORK = multiprocessing.get_context("fork")
LIMIT_S = 20


def double(number: Any) -> Any:
    return number * 2


def raises(error: BaseException) -> Any:
    raise error


# -- 1: it polled -------------------------------------------------------------------------------


def test_tasks_w1_polling() -> None:
    """Half of the tasks waited for another round; a longer interval changes nothing now."""
    outputs = Scheduler(update_interval=3600).map_blocking(double, [(n,) for n in range(50)])

    assert outputs == [2 * n for n in range(50)]


# -- 2: a task that failed never ended -----------------------------------------------------------


@pytest.mark.parametrize("only_threads", [False, True])
def test_tasks_w2_a_failed_task_ends(only_threads: bool) -> None:
    """More tasks than places: it was even started again."""
    told: list[str] = []
    scheduler = Scheduler(only_threads=only_threads, error_callback=told.append)
    for _ in range(10):
        scheduler.add(raises, (ValueError("planted"),))
    scheduler.add(double, (21,))

    assert scheduler.run_blocking() == [None] * 10 + [42]
    assert (scheduler.finished, scheduler.failed) == (True, True)
    assert sorted(scheduler.errors) == list(range(10))
    assert {text.splitlines()[-1] for text in told} == {"ValueError: planted"}


# -- 3: a child without a result was waited for for ever ------------------------------------------


class Picky(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize(
    ("what", "function", "why"),
    [
        ("exit", lambda: os._exit(3), "its worker exited with status 3"),
        ("kill", lambda: os.kill(os.getpid(), signal.SIGKILL), "its worker was killed by SIGKILL"),
        ("segfault", lambda: os.kill(os.getpid(), signal.SIGSEGV), "killed by SIGSEGV"),
        ("lock", threading.Lock, "its value cannot be sent: lock: cannot pickle"),
        ("SystemExit", lambda: raises(SystemExit(3)), "SystemExit: 3"),
        ("picky", lambda: raises(Picky(1, 2)), "Picky: 1 and 2"),
    ],
)
def test_tasks_w3_a_child_without_a_result(
    what: str, function: Callable[[], Any], why: str
) -> None:
    del what
    scheduler = Scheduler(capture_stdout=True)
    scheduler.add(function)
    scheduler.add(double, (21,))

    assert scheduler.run_blocking() == [None, 42]
    assert why in scheduler.errors[0]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda _queue: os._exit(3), "its process exited with status 3"),
        (lambda _queue: os.kill(os.getpid(), signal.SIGKILL), "its process was killed by SIGKILL"),
        (lambda _queue: None, "it ended without a result"),
    ],
)
def test_tasks_w3_a_process_of_the_user_without_a_result(
    function: Callable[[Any], Any], why: str
) -> None:
    scheduler = Scheduler()
    output = FORK.Queue()
    process = FORK.Process(target=function, args=(output,))
    scheduler.add_process(process, output)

    assert scheduler.run_blocking() == [None]
    assert scheduler.errors == {0: why}
    output.close()
    process.close()


def test_tasks_w3_a_process_that_dies_within_a_result() -> None:
    """The pipe never ends, because this process holds it, too: reading would block for ever."""

    def half(output: Any) -> None:
        os.write(output._writer.fileno(), b"\x00\x00\xff\xffonly a part of it")
        os._exit(1)

    scheduler = Scheduler()
    output = FORK.Queue()
    process = FORK.Process(target=half, args=(output,))
    scheduler.add_process(process, output)

    assert scheduler.run_blocking() == [None]
    assert scheduler.errors == {0: "its process exited with status 1"}
    output.close()
    process.close()


# -- 4: division by zero, and a limit that only rose ----------------------------------------------


def test_tasks_w4_the_limit_rises_with_an_idle_processor_and_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tasks end when the limit has risen, which needs the processor to be at 0 %."""
    monkeypatch.setattr(psutil, "cpu_percent", lambda: 0.0)
    scheduler = Scheduler(cpu_update_interval=0.01, only_threads=True)
    most = MOST_TIMES * scheduler.min_concurrent_count
    together = threading.Barrier(most)
    scheduler.map_blocking(lambda: together.wait() >= 0, [()] * (2 * most))

    assert scheduler.concurrent_count == most


def test_tasks_w4_the_limit_falls_when_the_processor_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psutil, "cpu_percent", lambda: 100.0)
    scheduler = Scheduler(cpu_update_interval=0.001, only_threads=True)
    scheduler.concurrent_count = 3 * scheduler.min_concurrent_count
    over = threading.Event()

    def wait_for_it() -> None:
        while scheduler.concurrent_count > scheduler.min_concurrent_count:
            over.wait(0.001)

    scheduler.map_blocking(wait_for_it, [()])

    assert scheduler.concurrent_count == scheduler.min_concurrent_count


# -- 5: subtasks of a process were taken for a queue -----------------------------------------------


@pytest.mark.parametrize("capture", [False, True])
def test_tasks_w5_subtasks_of_a_process(capture: bool) -> None:
    told: list[tuple[int, int]] = []
    scheduler = Scheduler(lambda *numbers: told.append(numbers), capture_stdout=capture)
    output = FORK.Queue()
    process = FORK.Process(target=output.put, args=("done",))
    scheduler.add_process(process, output, subtasks=4)

    assert scheduler.run_blocking() == ["done"]
    assert told == [(0, 5), (5, 5)]
    output.close()
    process.close()


# -- 6 and 7: output was swallowed, blocked the child, or was lost at the end ----------------------


def talk(size: int) -> str:
    print("x" * size)
    print("the end", file=sys.stderr)
    return "done"


def test_tasks_w6_output_that_is_not_captured_is_left_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def talk_past_python() -> str:
        os.write(1, b"x" * 200_000 + b"\nthe end\n")
        return "done"

    assert Scheduler().map_blocking(talk_past_python, [()]) == ["done"]
    assert capfd.readouterr().out == "x" * 200_000 + "\nthe end\n"


@pytest.mark.parametrize("size", [200_000, 10])
def test_tasks_w7_captured_output_is_complete(
    size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Scheduler(capture_stdout=True).map_blocking(talk, [(size,)]) == ["done"]
    assert capsys.readouterr().out == "x" * size + "\nthe end\n"


def test_tasks_w7_what_a_child_says_before_it_dies_is_not_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def last_words(number: int) -> None:
        os.write(1, "übrigens ".encode() * 1000 + b"%d" % number)
        os._exit(1)

    scheduler = Scheduler(capture_stdout=True)
    scheduler.map_blocking(last_words, [(7,)])

    assert capsys.readouterr().out == "übrigens " * 1000 + "7"


# -- 8: children outlived their termination ------------------------------------------------------


def test_tasks_w8_who_ignores_being_asked_is_killed_with_all_below(tmp_path: Path) -> None:
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)

    def stubborn() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        code = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        child = subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(600)"])
        fifo.write_text(f"{os.getpid()} {child.pid}")
        child.wait()

    scheduler = Scheduler()
    scheduler.add(stubborn)
    fds: list[int] = []

    def terminate() -> None:
        fds.extend(os.pidfd_open(int(pid)) for pid in fifo.read_text().split())
        scheduler.terminate()

    thread = threading.Thread(target=terminate)
    thread.start()
    assert scheduler.run_blocking() == []
    thread.join()
    assert all(select.select([fd], [], [], 0)[0] for fd in fds)
    for fd in fds:
        os.close(fd)


def test_tasks_w8_a_process_of_the_user_that_ignores_being_asked_is_killed() -> None:
    ready, ready_writer = os.pipe()

    def stubborn() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(ready_writer, b"x")
        threading.Event().wait(600)

    output = FORK.Queue()
    process = FORK.Process(target=stubborn)
    scheduler = Scheduler()
    scheduler.add_process(process, output)

    def terminate() -> None:
        os.read(ready, 1)
        scheduler.terminate()

    thread = threading.Thread(target=terminate)
    thread.start()

    assert scheduler.run_blocking() == []
    thread.join()
    assert process.exitcode == -signal.SIGKILL
    for fd in (ready, ready_writer):
        os.close(fd)
    output.close()
    process.close()


def test_tasks_w8_threads_are_given_up() -> None:
    over = threading.Event()
    scheduler = Scheduler(lambda done, _total: scheduler.terminate() if done else None)
    scheduler.only_threads = True
    scheduler.add(over.wait)
    scheduler.add(double, (1,))
    assert scheduler.run_blocking() == []
    over.set()
    for thread in threading.enumerate()[1:]:
        thread.join(LIMIT_S)


# -- 9: one fork and six pipes a call, and quadratic time ------------------------------------------


def test_tasks_w9_processes_are_used_again() -> None:
    scheduler = Scheduler(dynamic=False)
    pids = scheduler.map_blocking(os.getpid, [()] * 100)

    assert len(set(pids)) <= scheduler.concurrent_count


@pytest.mark.slow
def test_tasks_w9_ten_thousand_calls_take_linear_time() -> None:
    """Where each looks for its place among all others, this takes minutes."""
    outputs = Scheduler().map_blocking(double, [(n,) for n in range(10_000)])

    assert outputs == [2 * n for n in range(10_000)]


# -- 10: a failure threw away what was done --------------------------------------------------------


def test_tasks_w10_what_was_done_before_a_failure_is_kept() -> None:
    scheduler = Scheduler(raise_exceptions=True, dynamic=False)
    scheduler.concurrent_count = 1
    scheduler.add(double, (21,))
    scheduler.add(raises, (ValueError("planted"),))
    scheduler.add(double, (1,))
    with pytest.raises(TaskFailedException, match="ValueError: planted") as caught:
        scheduler.run_blocking()

    assert caught.value.output == [42, None, None]
    assert [task.finished for task in scheduler.tasks] == [True, False, False]


# -- an interrupt --------------------------------------------------------------------------------


INTERRUPTED = """
import asyncio, os, sys, time
from testloom.tasks import Scheduler

def long(number, how):
    if number == 0 or how != "threads":
        os.write(1, b"%d\\n" % os.getpid())  # at once, so that it is a line
    time.sleep(600)

def main(how):
    scheduler = Scheduler(only_threads=how == "threads", dynamic=False)
    scheduler.concurrent_count = 2
    args = [(n, how) for n in range(6)]
    try:
        if how == "awaited":
            asyncio.run(scheduler.map(long, args))
        else:
            scheduler.map_blocking(long, args)
    except KeyboardInterrupt:
        print("interrupted", scheduler.terminated, flush=True)

main(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["blocking", "awaited", "threads"])
def test_tasks_w8_an_interrupt_ends_everything(how: str, interrupt: Callable[..., str]) -> None:
    assert interrupt(INTERRUPTED, how, running=1 if how == "threads" else 2) == (
        "interrupted True\n"
    )
