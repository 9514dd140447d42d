"""Drives a scheduler from somebody else's loop: asyncio, and through it that of a GUI.

The scheduler does all its work in the thread of that loop, between its other callbacks, and only
when something has happened.  A loop that can watch descriptors watches that of the scheduler's
own loop; for one that cannot, a thread waits and wakes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Protocol

from testloom.processes import own_fds
from testloom.scheduling.scheduler import MultiprocessScheduler, Phase


async def run_in_asyncio(scheduler: MultiprocessScheduler) -> None:
    """Run everything, as `MultiprocessScheduler.run` does, without blocking the asyncio loop.

    If this is cancelled, what runs is asked to end, and awaited; if it is once more, or
    *job_factory* or *collect_result* raises, what runs is killed and waited for, which blocks for
    a moment.
    """
    try:
        try:
            await _Driver(scheduler).run()
        except asyncio.CancelledError:
            scheduler.stop(Phase.TERMINATING)
            await _Driver(scheduler).run()
            raise
    except BaseException:
        scheduler.kill_all()
        raise


class _Driver:
    def __init__(self, scheduler: MultiprocessScheduler) -> None:
        self._scheduler = scheduler
        self._asyncio = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._asyncio.create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        watch = _watch(self._asyncio, self._scheduler.loop.fileno(), self._tick)
        try:
            self._tick()
            await self._done
        finally:
            watch.close()
            if self._timer is not None:
                self._timer.cancel()

    def _tick(self) -> None:
        if self._done.done():
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            goes_on = self._scheduler.step(wait=False)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever awaits
            self._done.set_exception(error)
            return
        if not goes_on:
            self._done.set_result(None)
            return
        loop = self._scheduler.loop
        due = loop.due()
        if due is not None:
            self._timer = self._asyncio.call_later(max(0.0, due - loop.now()), self._tick)


class _Watch(Protocol):
    def close(self) -> None:
        """Call back no more."""


def _watch(loop: asyncio.AbstractEventLoop, fd: int, callback: Callable[[], object]) -> _Watch:
    try:
        return _Reader(loop, fd, callback)
    except NotImplementedError:
        return _Waiter(loop, fd, callback)


class _Reader:
    """Watches a descriptor by the asyncio loop's own means."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, callback: Callable[[], object]
    ) -> None:
        loop.add_reader(fd, callback)
        self._loop = loop
        self._fd = fd

    def close(self) -> None:
        self._loop.remove_reader(self._fd)


class _Waiter:
    """Watches a descriptor in a thread, one wait at a time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, callback: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._callback = callback
        self._fd = fd
        self._seen = threading.Semaphore(0)
        self._is_closed = False
        self._end, self._close = socket.socketpair()
        for end in (self._end, self._close):
            own_fds.add(end.fileno())
        self._thread = threading.Thread(target=self._wait, name="testloom-waiter", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        poller.register(self._end.fileno(), select.POLLIN)
        while not self._is_closed:
            poller.poll()
            with contextlib.suppress(RuntimeError):  # the asyncio loop has been closed
                self._loop.call_soon_threadsafe(self._call_back)
            self._seen.acquire()

    def _call_back(self) -> None:
        try:
            if not self._is_closed:
                self._callback()
        finally:
            self._seen.release()

    def close(self) -> None:
        self._is_closed = True
        self._close.send(b"\0")
        self._seen.release()
        self._thread.join()
        for end in (self._end, self._close):
            own_fds.discard(end.fileno())
            end.close()
