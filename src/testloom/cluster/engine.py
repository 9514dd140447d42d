"""Runs programs in a thread of its own, as they come: an open scheduler on command workers."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from testloom.model.outcome import ProgramEnd
from testloom.processes.loop import EventLoop
from testloom.processes.thread_calls import ThreadCalls
from testloom.scheduling import MultiprocessScheduler, Needs, Phase
from testloom.scheduling.graph import Graph
from testloom.scheduling.worker import Worker
from testloom.workers.command import Command, Commands

logger: Final = logging.getLogger("testloom.cluster")
_numbers: Final = itertools.count(1)


class Engine:
    """The thread and all that runs in it.  Other threads only ask it to do something.

    Args:
        parallelism: how many places there are; what takes more has all of them.
        begin: called when it is the turn of a job; False if it must not start.
        ended: called when a program has ended, with all below it.
        gone: called when the thread ends, whatever the reason: nothing runs any more.
    """

    def __init__(
        self,
        parallelism: int,
        *,
        begin: Callable[[str], bool],
        ended: Callable[[str, ProgramEnd], object],
        gone: Callable[[Engine], object],
    ) -> None:
        self._begin = begin
        self._ended = ended
        self._gone = gone
        self._pid = os.getpid()
        self._loop = EventLoop()
        self._calls = ThreadCalls(self._loop)
        self._commands = Commands(self._loop, name=f"testloom-jobs-{self._pid}-{next(_numbers)}")
        self._scheduler = MultiprocessScheduler(
            Graph(),
            self._start,
            self._collect,
            parallelism,
            loop=self._loop,
            is_open=True,
        )
        # A daemon: an interpreter that ends does not wait for jobs, whose nursery ends them.
        self._thread = threading.Thread(target=self._run, name="testloom-jobs", daemon=True)
        self._thread.start()

    def add(self, job: str, make: Callable[[], Command], places: int) -> None:
        """Have the command that *make* makes run when there is room."""
        needs = Needs(slots=places)
        self._calls.call(lambda: self._scheduler.add(job, make, needs=needs))

    def discard(self, jobs: Iterable[str]) -> None:
        """Let these jobs, which have not begun and never will, go."""
        self._calls.call(lambda: [self._scheduler.discard(job) for job in jobs])

    def end(self, jobs: Iterable[str]) -> None:
        """Have these jobs end: politely at first."""
        wanted = frozenset(jobs)
        self._calls.call(lambda: self._end(wanted))

    def call(self, callback: Callable[[], object]) -> None:
        """Have *callback* called in the thread."""
        self._calls.call(callback)

    def close(self) -> None:
        """Kill everything, see it gone, and end the thread."""
        if os.getpid() != self._pid:  # a fork of the process that this belongs to
            return
        self._calls.call(self._stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # -- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._scheduler.run()
        except BaseException:  # not even a bug of ours may leave somebody waiting for ever
            logger.exception("the thread that runs jobs has failed")
        finally:
            self._commands.close()
            self._calls.close()
            self._loop.close()
            self._gone(self)

    def _start(self, job: str, make: Any, slot: int) -> Worker:
        return self._commands.worker(job, make(), slot) if self._begin(job) else _Nothing(job, slot)

    def _collect(self, worker: Any) -> None:
        if not isinstance(worker, _Nothing):
            self._ended(worker.uid, worker.end)

    def _end(self, wanted: frozenset[str]) -> None:
        for worker in self._scheduler.workers:
            if worker is not None and worker.uid in wanted:
                worker.stopped = True
                self._scheduler.terminate(worker)

    def _stop(self) -> None:
        self._scheduler.stop(Phase.KILLING)
        self._scheduler.close()


class _Nothing(Worker):
    """In place of a job that was terminated between its turn and its start."""

    def __init__(self, job: str, slot: int) -> None:
        super().__init__(job, None, "", slot, None)

    def start(self) -> None:
        """Do nothing."""

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        """It has ended."""
        loop.call_soon(ended)
        return True

    def kill(self) -> None:
        """There is nothing."""
