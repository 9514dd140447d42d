"""One place to wait: descriptors, instants and signals, each with a callback.

Nothing polls: `run_once` sleeps in the kernel until a descriptor is ready, a timer is due or a
signal came.  Callbacks run one after the other in the thread that calls `run_once`.

Time in which nothing could run (this process was stopped, or the whole machine) does not count:
all timers are put off by it.
"""

from __future__ import annotations

import collections
import heapq
import itertools
import select
import selectors
from collections.abc import Callable

from testloom.processes import own_fds
from testloom.processes.clock import TICK_S, Clock, SystemClock, overslept_s

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_LONGEST_WAIT_S = 86_400.0
"""The kernel counts milliseconds in a few bytes; to wait again once a day costs nothing."""


class Timer:
    """A callback that will be called at an instant, unless cancelled."""

    __slots__ = ("_loop", "callback")

    def __init__(self, loop: EventLoop, callback: Callable[[], object]) -> None:
        self._loop = loop
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._loop.forget_cancelled()


class EventLoop:
    """Waits for whatever comes first and calls back."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._selector = selectors.DefaultSelector()
        fileno = getattr(self._selector, "fileno", None)
        self._own_fd: int = own_fds.add(fileno()) if fileno else -1
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._soon: collections.deque[Callable[[], object]] = collections.deque()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._urgent: set[int] = set()
        """Descriptors that nothing may wait for."""
        self._looked_at = 0.0
        """When the clock was looked at last; 0 before the first time."""
        self.now = self._clock.now

    def watch(
        self,
        fd: int,
        callback: Callable[[], object],
        events: int = READ,
        *,
        is_urgent: bool = False,
    ) -> None:
        """Call *callback* whenever *fd* is ready, until `unwatch`; if *is_urgent*, also in a `rest`."""
        self._selector.register(fd, events, callback)
        self._callbacks[fd] = callback
        if is_urgent:
            self._urgent.add(fd)

    def rewatch(self, fd: int, callback: Callable[[], object], events: int) -> None:
        """Change what is waited for on *fd*."""
        self._selector.modify(fd, events, callback)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Forget *fd*; to be called before it is closed. Unknown ones are passed over."""
        if self._callbacks.pop(fd, None) is not None:
            self._selector.unregister(fd)
            self._urgent.discard(fd)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the next round, which then does not wait for anything."""
        self._soon.append(callback)

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call *callback* once the clock reads *when*."""
        timer = Timer(self, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def forget_cancelled(self) -> None:
        """Note that one more timer is dead; sweep them out once they are the majority."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled > len(self._timers) // 2:
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def fileno(self) -> int:
        """Return the descriptor that is readable when something has happened.

        With it and `due`, another loop can wait in place of this one.

        Raises:
            OSError: the selector of this platform has none.
        """
        if self._own_fd < 0:
            raise OSError("the event loop has no descriptor on this platform")
        return self._own_fd

    def due(self) -> float | None:
        """Return the instant at which `run_once` has something to do whatever else happens."""
        wait_s = 0.0 if self._soon else self._longest_wait()
        return None if wait_s is None else self.now() + wait_s

    def run_once(self, *, wait: bool = True) -> None:
        """Wait for at least one thing to happen, unless told not to; call back for all that has."""
        timeout = 0.0 if self._soon or not wait else self._longest_wait()
        for _ in range(len(self._soon)):
            self._soon.popleft()()
        for key, _events in self._ready(timeout, wait=wait):
            # A callback before may have unwatched it, or closed it and opened another.
            callback = self._callbacks.get(key.fd)
            if callback is not None and callback is key.data:
                callback()
        if self._timers:
            if wait:  # we may have been stopped just now, and news may be waiting
                before = self._looked_at
                self.look()
                self.put_off(overslept_s(before, 0.0, self._looked_at))
            self._run_due()

    def rest(self, seconds: float) -> None:
        """Do not look for so long, unless something urgent happens or a timer is due before.

        What happens meanwhile is found together by the next `run_once`.
        """
        due_s = 0.0 if self._soon else self._longest_wait()
        wait_s = seconds if due_s is None else min(seconds, due_s)
        if wait_s <= 0:
            return
        before = self._looked_at or self.now()
        try:
            # The only call that counts in microseconds.
            select.select(self._urgent, (), (), wait_s)
        except (OSError, ValueError):  # a number too large for it
            return
        self.look()
        self.put_off(overslept_s(before, wait_s, self._looked_at))

    def _ready(
        self, timeout: float | None, *, wait: bool
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the descriptors that are ready, in at most *timeout* seconds."""
        if timeout is None or not wait:  # no timer can be put off, or nobody knows who waited
            ready = self._selector.select(timeout)
            self.look()
            return ready
        while True:
            wait_s = min(timeout, TICK_S)
            before = self._looked_at or self.now()
            ready = self._selector.select(wait_s)
            self.look()
            # What was done between two looks takes no time that is worth mentioning.
            self.put_off(overslept_s(before, wait_s, self._looked_at))
            if ready or not timeout or self._looked_at <= before:  # a clock that somebody moves
                return ready
            timeout = self._longest_wait() or 0.0

    def look(self) -> None:
        """Take note of the time: what was done until now was work, not a pause."""
        self._looked_at = self.now()

    def put_off(self, seconds: float) -> None:
        """Let all timers be due *seconds* later, which have just passed and count no more."""
        if seconds > 0:
            # All of them alike, so that their order stays.
            self._timers = [(at + seconds, order, timer) for at, order, timer in self._timers]
            self.look()

    def _longest_wait(self) -> float | None:
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heapq.heappop(timers)
            self._cancelled -= 1
        if not timers:
            return None
        return min(max(0.0, timers[0][0] - self.now()), _LONGEST_WAIT_S)

    def _run_due(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()

    def close(self) -> None:
        """Let go of the kernel's objects; the loop cannot be used any more."""
        own_fds.discard(self._own_fd)
        self._selector.close()
