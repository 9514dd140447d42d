"""Calls in this process: in threads, or right here in the thread of the scheduler.

Values are handed on as they are.  A thread cannot be ended: one that is to be is given up
together with its slot, and does not keep the interpreter from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from testloom.model.fragment import FragmentData
from testloom.processes import signals
from testloom.processes.loop import EventLoop
from testloom.processes.thread_calls import ThreadCalls
from testloom.scheduling.worker import Worker
from testloom.workers import running
from testloom.workers.calls import CallEnd, Done, Failed
from testloom.workers.live_values import LiveValues


class LocalWorker(Worker):
    """One call in this process."""

    end: CallEnd | None = None
    grace_s = 0.0

    def __init__(self, uid: str, data: FragmentData, slot: int, values: LiveValues) -> None:
        self.data = data
        self.values = values
        self._ended: Callable[[], None] = lambda: None
        self._is_wanted = True
        self.timeout_s = data.driver.fragment_timeout_s
        super().__init__(uid, data.driver, data.name, slot, None)

    def start(self) -> None:
        """Leave it to `watch`: the scheduler first has to know about this worker."""

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the documented interface
        return self.end is None

    def given(self) -> dict[str, Any]:
        """Return the values that it is called with, which nobody else may need then."""
        values = self.values.of_those_before(self.uid)
        self.values.release(self.uid)
        return values

    def finish(self, end: CallEnd) -> None:
        """Note how the call ended, unless it was given up before."""
        if self.end is None:
            self.end = end
            self.values.put(self.uid, end.value if isinstance(end, Done) else None)
            self._ended()


class CallsHere:
    """Calls in the thread that runs the scheduler, one after the other.

    Nothing can interrupt a call but Ctrl-C, which then ends the run.
    """

    def __init__(
        self,
        *,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
    ) -> None:
        self._values = LiveValues(fragments, predecessors)

    def worker(self, uid: str, data: FragmentData, slot: int) -> Worker:
        return _HereWorker(uid, data, slot, self._values)

    def end_of(self, worker: Worker) -> CallEnd:
        return _end_of(worker)

    def close(self) -> None:
        """Nothing is left running."""


class _HereWorker(LocalWorker):
    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        """Run the call in the loop's next round."""
        self._ended = ended
        loop.call_soon(self._run)
        return True

    def _run(self) -> None:
        if not self._is_wanted:
            self.finish(Failed("interrupted"))
            return
        values = self.given()
        with signals.interruptible():
            end = _called(self.data, values)
        self.finish(end)
        match end:
            case Failed(error=KeyboardInterrupt() as error):
                raise error

    def terminate(self) -> None:
        """Not if it has begun."""
        self._is_wanted = False

    kill = terminate


class CallsInThreads:
    """Calls in threads, one a slot; *initializer* is called first in each."""

    def __init__(
        self,
        *,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        loop: EventLoop,
        initializer: Callable[[], object] | None = None,
    ) -> None:
        self._values = LiveValues(fragments, predecessors)
        self._calls = ThreadCalls(loop)
        self._initializer = initializer
        self._threads: dict[int, _Thread] = {}

    def worker(self, uid: str, data: FragmentData, slot: int) -> Worker:
        thread = self._threads.get(slot)
        if thread is None:
            thread = self._threads[slot] = _Thread(slot, self._calls, self._initializer)
        return _ThreadWorker(uid, data, slot, self._values, thread)

    def end_of(self, worker: Worker) -> CallEnd:
        return _end_of(worker)

    def close(self) -> None:
        """End the threads that do nothing; the others are given up."""
        for thread in self._threads.values():
            thread.close()
        self._calls.close()


class _ThreadWorker(LocalWorker):
    def __init__(
        self, uid: str, data: FragmentData, slot: int, values: LiveValues, thread: _Thread
    ) -> None:
        self._thread = thread
        super().__init__(uid, data, slot, values)

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:  # noqa: ARG002 - the thread tells
        self._ended = ended
        self._thread.run(self.data, self.given(), self.finish)
        return True

    def terminate(self) -> None:
        """A thread does not listen."""

    def kill(self) -> None:
        """Give it up, and the slot with it."""
        if self.end is None:
            self.slot_lost = True
            self._thread.is_lost = True
            self.finish(Failed("given up: a thread cannot be stopped"))


class _Thread:
    """The thread of a slot: takes a call, runs it, has the loop told."""

    def __init__(
        self, slot: int, calls: ThreadCalls, initializer: Callable[[], object] | None
    ) -> None:
        self._calls = calls
        self._initializer = initializer
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.is_lost = False
        self._broken: Failed | None = None
        """Why nothing can run here: it could not be initialized."""
        # A daemon, so that one that was given up does not keep the interpreter from ending.
        self._thread = threading.Thread(
            target=self._serve, name=f"testloom-slot{slot}", daemon=True
        )
        self._thread.start()

    def run(
        self, data: FragmentData, values: dict[str, Any], finish: Callable[[CallEnd], None]
    ) -> None:
        def order() -> None:
            end = self._broken or _called(data, values)
            self._calls.call(lambda: finish(end))

        self._orders.put(order)

    def _serve(self) -> None:
        if self._initializer is not None:
            end = _ended_by(self._initializer)
            self._broken = end if isinstance(end, Failed) else None
        while (order := self._orders.get()) is not None:
            order()

    def close(self) -> None:
        self._orders.put(None)
        if not self.is_lost:
            self._thread.join()


def _called(data: FragmentData, values: dict[str, Any]) -> CallEnd:
    callback = data.callback
    assert callback is not None
    return _ended_by(lambda: callback(values, 0))


def _ended_by(function: Callable[[], Any]) -> CallEnd:
    try:
        return Done(function())
    except BaseException as error:  # noqa: BLE001 - whatever a foreign function raises
        return Failed(running.line_of(error), error)


def _end_of(worker: Worker) -> CallEnd:
    assert isinstance(worker, LocalWorker)
    return worker.end or Failed("it has not ended")
