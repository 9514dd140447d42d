"""The tasks of one scheduler while they run: puts them onto the engine, and takes their ends."""

from __future__ import annotations

import codecs
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import psutil

from testloom.processes.loop import EventLoop
from testloom.processes.thread_calls import ThreadCalls
from testloom.scheduling import MultiprocessScheduler, Needs, Phase, Worker
from testloom.scheduling.graph import Graph
from testloom.scheduling.load import LoadLimit
from testloom.tasks.task import CallTask, ProcessTask, Task, ThreadTask
from testloom.workers.calls import (
    Call,
    CallEnd,
    Calls,
    CallsInProcesses,
    Failed,
    ProcessSettings,
    RemoteTraceback,
)
from testloom.workers.foreign import ForeignWorker, ProcessWorker, ThreadWorker
from testloom.workers.local_calls import CallsInThreads

MOST_TIMES: Final = 4
"""How many times the limit that it begins with a limit may become."""


class Owner(Protocol):
    """Whose tasks they are."""

    tasks: list[Task]
    concurrent_count: int
    min_concurrent_count: int

    def task_started(self, task: Task) -> None:
        """A task has started."""

    def task_ended(self, number: int, end: CallEnd) -> None:
        """The task of that number has ended; not told of those that were ended."""


class Engine:
    """Runs the tasks of *owner*, in their order.

    Args:
        owner: told what happens.
        captures: whether to write to `sys.stdout` what processes write.
        is_large: tells which outputs are to travel in shared memory.
        load: how the limit follows the load; None if it does not.
        load_interval_s: how often it does.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        captures: bool,
        is_large: Callable[[Any], bool] | None,
        load: LoadLimit | None,
        load_interval_s: float,
    ) -> None:
        self._owner = owner
        self._thread = threading.get_ident()
        self._load = load
        self._load_interval_s = load_interval_s
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self._loop = EventLoop()
        self._calls = ThreadCalls(self._loop)
        graph = Graph()
        graph.vertex_data = {
            str(number): _fragment(number, task) for number, task in enumerate(owner.tasks)
        }
        graph.predecessors = dict.fromkeys(graph.vertex_data, frozenset())
        about: dict[str, Any] = {"fragments": graph.vertex_data, "predecessors": graph.predecessors}
        settings = ProcessSettings(on_output=self._write if captures else None, is_large=is_large)
        self._in_processes: Calls = CallsInProcesses(loop=self._loop, settings=settings, **about)
        self._in_threads: Calls = CallsInThreads(loop=self._loop, **about)
        self.scheduler = MultiprocessScheduler(
            graph,
            self._start,
            self._collect,
            owner.concurrent_count,
            loop=self._loop,
            needs={
                str(number): Needs(slots=task.count)
                for number, task in enumerate(owner.tasks)
                if task.subtasks
            },
            in_order=True,
        )
        if load is not None:
            psutil.cpu_percent()  # the next one tells of the time from here on
            self._loop.call_at(self._loop.now() + load_interval_s, self._follow_load)

    def stop(self) -> None:
        """Ask what runs to end; from any thread."""
        if threading.get_ident() == self._thread:
            self.scheduler.stop(Phase.TERMINATING)
        # And whoever waits has to take notice.
        self._calls.call(lambda: self.scheduler.stop(Phase.TERMINATING))

    def close(self) -> None:
        """End everything that is left."""
        self._in_processes.close()
        self._in_threads.close()
        self._calls.close()
        self._loop.close()
        for decoder in self._decoders.values():
            _print(decoder.decode(b"", final=True))

    def _start(self, uid: str, data: Any, slot: int) -> Worker:
        task = self._owner.tasks[int(uid)]
        self._owner.task_started(task)
        match task:
            case ProcessTask():
                return ProcessWorker(
                    uid,
                    slot,
                    runner=task.process,
                    queue=task.queue,
                    exc_queue=task.exc_queue,
                    stdout_queue=task.stdout_queue,
                    on_text=_print,
                )
            case ThreadTask():
                about = {"runner": task.thread, "queue": task.queue, "exc_queue": task.exc_queue}
                return ThreadWorker(uid, slot, self._calls, **about)
            case _:
                return self._runner_of(task).worker(uid, data, slot)

    def _runner_of(self, task: Task) -> Calls:
        is_in_thread = isinstance(task, CallTask) and task.in_thread
        return self._in_threads if is_in_thread else self._in_processes

    def _collect(self, worker: Worker) -> None:
        number = int(worker.uid)
        if isinstance(worker, ForeignWorker):
            end = worker.end
        else:
            end = self._runner_of(self._owner.tasks[number]).end_of(worker)
        if not worker.stopped:
            self._owner.task_ended(number, end)

    def _follow_load(self) -> None:
        assert self._load is not None
        waiting = sum(task.count for task in self._owner.tasks if not task.started)
        cpu_percent = psutil.cpu_percent()
        limit = self._load.after(self._owner.concurrent_count, cpu_percent, waiting)
        self._owner.concurrent_count = self.scheduler.limit = limit
        self._loop.call_at(self._loop.now() + self._load_interval_s, self._follow_load)

    def _write(self, slot: int, data: bytes) -> None:
        decoder = self._decoders.get(slot)
        if decoder is None:
            decoder = self._decoders[slot] = codecs.getincrementaldecoder("utf-8")("replace")
        _print(decoder.decode(data))


def _fragment(number: int, task: Task) -> Any:
    return Call(task.run if isinstance(task, CallTask) else _nothing).fragment(str(number))


def _nothing(_values: dict[str, Any]) -> None:
    """Stand where somebody else's process or thread runs."""


def _print(text: object) -> None:
    if text:
        sys.stdout.write(str(text))
        sys.stdout.flush()


def text_of(failure: Failed) -> str:
    """Return the traceback of a task that failed, or why there is none."""
    error = failure.error
    if error is None:
        return failure.why
    if isinstance(error.__cause__, RemoteTraceback):
        return error.__cause__.text.rstrip()
    shown = error.__traceback__
    lines: Sequence[str] = traceback.format_exception(type(error), error, shown)
    return "".join(lines).rstrip()
