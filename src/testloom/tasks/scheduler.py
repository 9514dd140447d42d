"""Runs functions in processes or threads, as many at a time as the machine bears.

::

    outputs = Scheduler().map_blocking(simulate, [(1,), (2,), (3,)])     # anywhere
    outputs = await Scheduler(progress_callback=bar.update).map(simulate, ...)     # in a GUI

Everything happens in the thread that runs it, callbacks included.  Nothing polls: whoever awaits
it shares his loop with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from testloom.scheduling.driving import run_in_asyncio
from testloom.scheduling.load import LoadLimit
from testloom.tasks.engine import MOST_TIMES, Engine, text_of
from testloom.tasks.task import (
    CallTask,
    ProcessTask,
    SchedulerException,
    Task,
    TaskFailedException,
    has_large_array,
    shaped,
)
from testloom.workers.calls import CallEnd, Done

logger = logging.getLogger("testloom.tasks")


class Scheduler:
    """Runs tasks, once, and returns their outputs in the order in which they were added.

    Args:
        progress_callback: told how many tasks have ended, and how many there are, subtasks
            included; at the beginning and after each task.
        update_interval: accepted and not used: nothing polls.
        dynamic: whether the number of tasks that run at a time follows the load.
        cpu_threshold: from which load on (in percent) no more tasks than before should run.
        cpu_update_interval: how often (in seconds) that is looked at.
        shared_memory: whether large arrays travel in shared memory.
        shared_memory_threshold: more elements than this are large.
        run_in_thread: whether the first task runs in a thread.
        only_threads: whether all do.
        raise_exceptions: whether the first task that fails ends the run with an exception.
        error_callback: told the traceback of each task that fails.
        capture_stdout: whether what processes print goes through `sys.stdout`.

    Raises:
        SchedulerException: threads need no shared memory.
    """

    def __init__(
        self,
        progress_callback: Callable[[int, int], object] | None = None,
        update_interval: float = 0.05,
        dynamic: bool = True,
        cpu_threshold: float = 95,
        cpu_update_interval: float = 5,
        shared_memory: bool = False,
        shared_memory_threshold: float = 1e7,
        run_in_thread: bool = False,
        only_threads: bool = False,
        raise_exceptions: bool = False,
        error_callback: Callable[[str], object] | None = None,
        capture_stdout: bool = False,
    ) -> None:
        if shared_memory and (run_in_thread or only_threads):
            raise SchedulerException("shared_memory is for processes: threads share it anyway")
        del update_interval
        self.progress_callback = progress_callback
        self.dynamic = dynamic
        self.cpu_threshold = cpu_threshold
        self.cpu_update_interval = cpu_update_interval
        self.shared_memory = shared_memory
        self.shared_memory_threshold = shared_memory_threshold
        self.run_in_thread = run_in_thread
        self.only_threads = only_threads
        self.raise_exceptions = raise_exceptions
        self.error_callback = error_callback
        self.capture_stdout = capture_stdout
        self.tasks: list[Task] = []
        self.started = False
        self.finished = False
        """Whether all tasks have ended by themselves."""
        self.failed = False
        """Whether a task has failed."""
        self.terminated = False
        self.output: list[Any] = []
        self.errors: dict[int, str] = {}
        """The traceback of each task that failed, by its number, from 0."""
        self.concurrent_count = self.optimal_process_count()
        self.min_concurrent_count = self.concurrent_count
        self.tasks_completed = 0
        self._engine: Engine | None = None

    @staticmethod
    def optimal_process_count() -> int:
        """Return how many tasks run at a time at first: one more than there are processors."""
        return (os.cpu_count() or 1) + 1

    @property
    def total_task_count(self) -> int:
        """How many tasks there are, subtasks included."""
        return sum(task.count for task in self.tasks)

    @property
    def running_tasks(self) -> list[Task]:
        """The tasks that run."""
        return [task for task in self.tasks if task.is_running()]

    def is_running(self) -> bool:
        """Tell whether it has been started and has not ended."""
        return self._engine is not None

    def add(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        subtasks: int = 0,
        process_type: object = None,
        queue_type: object = None,
    ) -> None:
        """Add a call of *target* with *args*; the last two are accepted and not used.

        Raises:
            SchedulerException: it has been started.
        """
        del process_type, queue_type
        in_thread = self.only_threads or (self.run_in_thread and not self.tasks)
        self.add_task(CallTask(target, args, subtasks, in_thread=in_thread))

    def add_process(
        self, process: Any, queue: Any, exc_queue: Any = None, subtasks: int = 0
    ) -> None:
        """Add a process that puts its output into *queue*, see `ProcessTask`.

        Raises:
            SchedulerException: it has been started.
        """
        self.add_task(ProcessTask(process, queue, exc_queue, subtasks=subtasks))

    def add_task(self, task: Task) -> None:
        """Add *task*.

        Raises:
            SchedulerException: it has been started.
        """
        if self.started:
            raise SchedulerException("a scheduler that has been started takes no more tasks")
        self.tasks.append(task)

    def add_tasks(self, *tasks: Task) -> None:
        """Add *tasks*.

        Raises:
            SchedulerException: it has been started.
        """
        for task in tasks:
            self.add_task(task)

    async def map(
        self,
        target: Callable[..., Any],
        args: Iterable[Sequence[Any]] = (),
        subtasks: int = 0,
        process_type: object = None,
        queue_type: object = None,
    ) -> list[Any]:
        """Call *target* with each of *args*, a tuple for each call; return the outputs.

        Raises:
            SchedulerException: it has been started, or something in *args* is no tuple.
            TaskFailedException: a call failed, if that is to be raised.
        """
        del process_type, queue_type
        self._add_calls(target, args, subtasks)
        return await self.run()

    def map_blocking(
        self,
        target: Callable[..., Any],
        args: Iterable[Sequence[Any]] = (),
        subtasks: int = 0,
        process_type: object = None,
        queue_type: object = None,
    ) -> list[Any]:
        """Do as `map`, and block until it is done."""
        del process_type, queue_type
        self._add_calls(target, args, subtasks)
        return self.run_blocking()

    def _add_calls(
        self, target: Callable[..., Any], args: Iterable[Sequence[Any]], subtasks: int
    ) -> None:
        self._check_not_started()
        for number, one in enumerate(args):
            if not isinstance(one, (tuple, list)):
                raise SchedulerException(
                    f"args has a tuple for each call, but at {number} {one!r}; write ({one!r},)"
                )
            self.add(target, one, subtasks)

    async def run(self) -> list[Any]:
        """Run all tasks; return their outputs, or an empty list if it was terminated.

        A task that failed has None for its output. If this is cancelled, all is terminated.

        Raises:
            SchedulerException: it has been started already.
            TaskFailedException: a task failed, if that is to be raised.
        """
        engine = self._begin()
        try:
            await run_in_asyncio(engine.scheduler)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.terminated = True
            raise
        finally:
            self._end()
        return self._outputs()

    def run_blocking(self) -> list[Any]:
        """Do as `run`, and block until it is done."""
        engine = self._begin()
        try:
            engine.scheduler.run()
        except KeyboardInterrupt:
            self.terminated = True
            raise
        finally:
            self._end()
        return self._outputs()

    def terminate(self) -> None:
        """End everything; the pending run returns an empty list. From any thread, any time."""
        self.terminated = True
        engine = self._engine
        if engine is not None:
            engine.stop()

    def _check_not_started(self) -> None:
        if self.started:
            raise SchedulerException("Scheduler has already been started.")

    def _begin(self) -> Engine:
        self._check_not_started()
        self.started = True
        load = None
        if self.dynamic:
            least = self.min_concurrent_count
            most = MOST_TIMES * least
            load = LoadLimit(least=least, most=most, busy_percent=self.cpu_threshold)
        self._engine = engine = Engine(
            self,
            captures=self.capture_stdout,
            is_large=self._is_large if self.shared_memory else None,
            load=load,
            load_interval_s=self.cpu_update_interval,
        )
        if self.terminated:
            engine.stop()
        try:
            self._tell_progress()
        except BaseException:
            self._end()
            raise
        return engine

    def _end(self) -> None:
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.close()

    def _is_large(self, output: Any) -> bool:
        return has_large_array(output, self.shared_memory_threshold)

    def _outputs(self) -> list[Any]:
        outputs = [task.output for task in self.tasks]
        if self.raise_exceptions and self.errors:
            number, text = next(iter(self.errors.items()))
            logger.error("task %d failed:\n%s", number, text)
            raise TaskFailedException(text, outputs)
        if self.terminated:
            return []
        self.finished = True
        self.output = outputs
        return outputs

    def task_started(self, task: Task) -> None:
        """Called by the engine when *task* starts."""
        task.started = True

    def task_ended(self, number: int, end: CallEnd) -> None:
        """Called by the engine when the task of that *number* has ended."""
        task = self.tasks[number]
        self.tasks_completed += task.count
        if isinstance(end, Done):
            task.output, task.finished = shaped(end.value), True
        else:
            task.failed = self.failed = True
            task.error = self.errors[number] = text_of(end)
            if self.error_callback is not None:
                self.error_callback(task.error)
            if self.raise_exceptions:
                self.terminate()
        self._tell_progress()

    def _tell_progress(self) -> None:
        if self.progress_callback is not None:
            self.progress_callback(self.tasks_completed, self.total_task_count)
