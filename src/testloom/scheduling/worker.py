"""What runs one unit of work in a slot, and how the scheduler learns that it has ended.

Subclasses say in `Worker.start` how the work is begun.  One that returns something like a
`subprocess.Popen` (with a ``pid`` and ``poll()``) is waited for without polling, and what it
writes to pipes is read all the time, so that it never blocks on a full one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol, runtime_checkable

from testloom.processes import own_fds, tree
from testloom.processes.drain import Drain, popen_of
from testloom.processes.loop import EventLoop


@runtime_checkable
class ProcessLike(Protocol):
    """What `Worker.start` usually returns: `subprocess.Popen`, `e3.os.process.Run`, ..."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""


class Worker:
    """One unit of work in a slot. Making it starts it.

    The names of the arguments are those of the attributes they are kept in.
    """

    index_generator: ClassVar[Iterator[int]] = itertools.count(1)

    grace_s: float = 5.0
    """Seconds between `terminate` and `kill` when its time is up."""
    timeout_s: float | None = None
    """Seconds it may run; None for ever."""
    timed_out = False
    """Whether it was asked to end because its time was up."""
    stopped = False
    """Whether it was asked to end because the run is being stopped."""
    started_at: float = 0.0
    """When it began, on the clock of the loop, where it is one that fragments run in."""
    slot_lost = False
    """Whether something in its slot could not be ended, so that the slot must not be used again."""

    def __init__(self, uid: str, driver: Any, callback_name: str, slot: int, env: Any) -> None:
        self.uid = uid
        self.driver = driver
        self.callback_name = callback_name
        self.slot = slot
        self.env = env
        self.index = next(self.index_generator)
        self.process = self.start()

    def start(self) -> Any:
        """Begin the work and return what represents it.

        Raises:
            NotImplementedError: a subclass has to say how.
        """
        raise NotImplementedError

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the documented interface
        """Tell whether the work is still going on. Never blocks."""
        if self.process.poll() is None:
            return True
        self.process.wait()
        return False

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        """Arrange for *ended* to be called by *loop* once the work has ended.

        Returns:
            False if that cannot be done; then the scheduler asks `poll` now and then.
        """
        process = self.process
        if not isinstance(process, ProcessLike):
            return False
        # Asked at its innermost: `poll` of e3's Run reads the pipes that are being drained.
        inner = popen_of(process)
        if inner.poll() is None:
            try:
                pidfd = own_fds.add(os.pidfd_open(process.pid))
            except OSError:
                return False
        else:
            pidfd = -1  # reaped: the number may be somebody else's by now
        drain = Drain.of(process, loop)

        def see_it_off() -> None:
            try:
                self.poll(None)
            finally:  # whatever a foreign `poll` does
                inner.poll()
                ended()

        def leader_ended() -> None:
            loop.unwatch(pidfd)
            own_fds.close(pidfd)
            drain.finish(see_it_off)

        if pidfd < 0:
            loop.call_soon(lambda: drain.finish(see_it_off))
        else:
            loop.watch(pidfd, leader_ended)
        return True

    def terminate(self) -> None:
        """Ask the work to end."""
        pid = self._running_pid()
        if pid is None:
            with contextlib.suppress(AttributeError):
                self.process.terminate()
        elif pid:
            tree.signal_all([*tree.descendants(pid), pid], signal.SIGTERM)

    def kill(self) -> None:
        """End the work now, with all it has started."""
        pid = self._running_pid()
        if pid is None:
            with contextlib.suppress(AttributeError):
                self.process.kill()
        elif pid:
            tree.kill_tree(pid)

    def _running_pid(self) -> int | None:
        """Return the process's number, 0 if it has ended, None if it has no number."""
        pid: int | None = getattr(self.process, "pid", None)
        if pid is None:
            return None
        return pid if popen_of(self.process).poll() is None else 0
