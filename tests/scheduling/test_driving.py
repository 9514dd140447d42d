"""A scheduler whose waiting is done by an asyncio loop, with real processes."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from testloom.processes.loop import EventLoop
from testloom.processes.thread_calls import ThreadCalls
from testloom.scheduling import MultiprocessScheduler, Worker
from testloom.scheduling.driving import run_in_asyncio
from testloom.scheduling.graph import Graph

LIMIT_S = 20.0


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:  # type: ignore[override]  # whatever is given
        raise NotImplementedError


@pytest.fixture(params=[asyncio.SelectorEventLoop, NoReaders])
def runner(request: pytest.FixtureRequest) -> Any:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


class Program(Worker):
    def start(self) -> Any:
        return subprocess.Popen(["sh", "-c", self.driver])


def scheduler_of(
    *commands: str, collect: Callable[[Worker], None], jobs: int = 2, **options: Any
) -> MultiprocessScheduler:
    graph = Graph()
    graph.vertex_data = {f"v{n}": command for n, command in enumerate(commands)}
    graph.predecessors = {uid: frozenset() for uid in graph.vertex_data}
    dag: Any = graph
    return MultiprocessScheduler(
        dag, lambda uid, data, slot: Program(uid, data, "", slot, None), collect, jobs, **options
    )


async def driven(scheduler: MultiprocessScheduler) -> None:
    try:
        await asyncio.wait_for(run_in_asyncio(scheduler), LIMIT_S)
    finally:
        scheduler.loop.close()


def test_everything_runs_in_the_thread_of_the_asyncio_loop(runner: asyncio.Runner) -> None:
    seen: list[tuple[str, bool]] = []
    main = threading.current_thread()

    def collect(worker: Worker) -> None:
        seen.append((worker.uid, threading.current_thread() is main))

    runner.run(driven(scheduler_of("true", "true", "true", collect=collect, jobs=1)))

    assert seen == [("v0", True), ("v1", True), ("v2", True)]


def test_nothing_at_all_is_done_at_once(runner: asyncio.Runner) -> None:
    runner.run(driven(scheduler_of(collect=print)))


def test_the_asyncio_loop_does_other_things_meanwhile(runner: asyncio.Runner) -> None:
    """The program ends when a callback of the asyncio loop says so."""
    found: list[int] = []

    async def both() -> None:
        scheduler = scheduler_of("read x; exit 7", collect=lambda w: found.append(w.process.poll()))
        started = asyncio.Event()
        scheduler.job_factory = lambda uid, data, slot: Fed(uid, data, "", slot, started)
        running = asyncio.ensure_future(driven(scheduler))
        await started.wait()
        worker: Any = scheduler.workers[0]
        worker.process.stdin.close()
        await running

    class Fed(Worker):
        def start(self) -> Any:
            self.env.set()
            return subprocess.Popen(["sh", "-c", self.driver], stdin=subprocess.PIPE)

    runner.run(both())

    assert found == [7]


def test_a_time_limit_is_kept(runner: asyncio.Runner) -> None:
    found: list[bool] = []
    scheduler = scheduler_of("exec sleep 60", collect=lambda worker: found.append(worker.timed_out))
    make = scheduler.job_factory

    def hurried(uid: str, data: Any, slot: int) -> Worker:
        worker = make(uid, data, slot)
        worker.timeout_s = 0.05
        return worker

    scheduler.job_factory = hurried
    runner.run(driven(scheduler))

    assert found == [True]


def test_an_exception_comes_out_and_leaves_nothing_running(runner: asyncio.Runner) -> None:
    def fail(_worker: Worker) -> None:
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        runner.run(driven(scheduler_of("true", "exec sleep 60", collect=fail)))


def test_who_stops_awaiting_ends_what_runs(runner: asyncio.Runner) -> None:
    async def given_up() -> None:
        scheduler = scheduler_of("exec sleep 60", collect=print)
        make, started = scheduler.job_factory, asyncio.Event()

        def told(uid: str, data: Any, slot: int) -> Worker:
            started.set()
            return make(uid, data, slot)

        scheduler.job_factory = told
        running = asyncio.ensure_future(driven(scheduler))
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    runner.run(given_up())


def test_another_thread_gives_an_open_scheduler_work_and_closes_it() -> None:
    ended: list[str] = []
    loop = EventLoop()
    calls = ThreadCalls(loop)
    scheduler = scheduler_of(
        collect=lambda worker: ended.append(worker.uid), is_open=True, loop=loop
    )
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        for number in range(5):
            calls.call(lambda n=number: scheduler.add(f"late{n}", "true"))  # type: ignore[misc]
        calls.call(scheduler.close)
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    finally:
        calls.close()
        loop.close()

    assert sorted(ended) == [f"late{n}" for n in range(5)]
