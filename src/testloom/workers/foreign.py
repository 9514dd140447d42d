"""Runs processes and threads that somebody else has made, and takes what they put into queues.

A process is a `multiprocessing.Process`, or what has its methods; a thread is a
`threading.Thread`.  Each puts its result into a queue, once, or a traceback into another one.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from typing import Any

from testloom.model.status import signal_name
from testloom.processes import own_fds, tree
from testloom.processes.loop import EventLoop
from testloom.processes.queue_pipe import QueuePipe
from testloom.processes.thread_calls import ThreadCalls
from testloom.scheduling.worker import Worker
from testloom.workers import running
from testloom.workers.calls import GRACE_S, CallEnd, Done, Failed


class ForeignWorker(Worker):
    """What processes and threads have in common.

    Args:
        runner: the process or thread, not started.
        queue: into which it puts its result.
        exc_queue: into which it puts the text of a traceback if it fails.
        stdout_queue: into which it puts what it wants to be printed.
        on_text: told what comes out of *stdout_queue*.
    """

    grace_s = GRACE_S

    def __init__(
        self,
        uid: str,
        slot: int,
        *,
        runner: Any,
        queue: Any,
        exc_queue: Any = None,
        stdout_queue: Any = None,
        on_text: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._runner = runner
        self._results: list[Any] = []
        self._tracebacks: list[str] = []
        self._trouble = ""
        takers: tuple[tuple[Any, Callable[[Any], object]], ...] = (
            (queue, self._results.append),
            (exc_queue, self._tracebacks.append),
            (stdout_queue, on_text),
        )
        self._takers = [(source, take) for source, take in takers if source is not None]
        super().__init__(uid, runner, "run", slot, None)

    def start(self) -> Any:
        """Start what was made."""
        self._runner.start()
        return self._runner

    @property
    def end(self) -> CallEnd:
        """How it ended."""
        if self._tracebacks:
            return Failed(str(self._tracebacks[0]))
        if self._results:
            return Done(self._results[0])
        return Failed(self._trouble or self._why())

    def _why(self) -> str:
        return "it ended without a result"

    def _empty(self, source: Any, take: Callable[[Any], object]) -> None:
        """Take everything out of a queue into which nobody puts anything any more."""
        try:
            while not source.empty():
                take(source.get())
        except Exception as error:  # noqa: BLE001 - foreign objects are made here
            self._trouble = f"its result cannot be had: {running.line_of(error)}"


class ProcessWorker(ForeignWorker):
    """A process that somebody else has made."""

    def start(self) -> Any:
        own_fds.close_in_forks()
        return super().start()

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        pipes: list[tuple[QueuePipe, Callable[[Any], object]]] = []
        for source, take in self._takers:
            with contextlib.suppress(AttributeError):
                pipes.append((QueuePipe(source), take))

        def read(pipe: QueuePipe, take: Callable[[Any], object]) -> None:
            try:
                for item in pipe.objects():
                    take(item)
            except Exception as error:  # noqa: BLE001 - foreign objects are made here
                self._trouble = f"its result cannot be had: {running.line_of(error)}"

        def process_ended() -> None:
            loop.unwatch(self._runner.sentinel)
            for pipe, take in pipes:
                read(pipe, take)
                loop.unwatch(pipe.fd)
            if not pipes:
                for source, take in self._takers:
                    self._empty(source, take)
            self._runner.join()
            ended()

        for pipe, take in pipes:
            loop.watch(pipe.fd, lambda pipe=pipe, take=take: read(pipe, take))  # type: ignore[misc]
        loop.watch(self._runner.sentinel, process_ended)
        return True

    def _why(self) -> str:
        code = self._runner.exitcode
        if code is None or code == 0:
            return super()._why()
        if code < 0:
            return f"its process was killed by {signal_name(-code)}"
        return f"its process exited with status {code}"

    def terminate(self) -> None:
        pid = self._running_pid()
        if pid:
            tree.signal_all([*tree.descendants(pid), pid], signal.SIGTERM)

    def kill(self) -> None:
        pid = self._running_pid()
        if pid:
            tree.kill_tree(pid)

    def _running_pid(self) -> int:
        # Not by `exitcode`, which reaps it: its number must stay ours until `watch` has seen it.
        pid: int = self._runner.pid
        return 0 if tree.is_zombie(pid) else pid


class ThreadWorker(ForeignWorker):
    """A thread that somebody else has made. It cannot be ended, only be given up."""

    def __init__(self, uid: str, slot: int, calls: ThreadCalls, **about: Any) -> None:
        self._calls = calls
        self._is_over = False
        self._ended: Callable[[], None] = lambda: None
        super().__init__(uid, slot, **about)

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:  # noqa: ARG002 - a thread tells
        self._ended = ended

        def wait() -> None:
            self._runner.join()
            self._calls.call(self._finish)

        threading.Thread(target=wait, name=f"testloom-waits-{self.slot}", daemon=True).start()
        return True

    def _finish(self) -> None:
        if not self._is_over:
            self._is_over = True
            for source, take in self._takers:
                self._empty(source, take)
            self._ended()

    def terminate(self) -> None:
        """A thread does not listen."""

    def kill(self) -> None:
        """Give it up, and the slot with it."""
        if not self._is_over:
            self._is_over = self.slot_lost = True
            self._trouble = "given up: a thread cannot be stopped"
            self._ended()
