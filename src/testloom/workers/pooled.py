"""A fragment that runs in one of the processes of a pool, as the scheduler sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from testloom.model.fragment import FragmentData
from testloom.model.outcome import FragmentEnd
from testloom.processes.loop import EventLoop
from testloom.scheduling.worker import Worker


class Pool(Protocol):
    """Runs the fragments of its workers, and calls `PooledWorker.finish` with what came of each."""

    @property
    def loop(self) -> EventLoop:
        """The event loop of the scheduler."""

    @property
    def env(self) -> Any:
        """The suite's environment."""

    def run(self, worker: Any) -> None:
        """Begin with the fragment of *worker*."""

    def terminate(self, worker: Any) -> None:
        """Ask what runs it to end."""

    def kill(self, worker: Any) -> None:
        """End what runs it now."""


class PooledWorker(Worker):
    """One fragment; the pool tells when it has ended, and how."""

    def __init__(self, pool: Pool, uid: str, data: FragmentData, slot: int) -> None:
        self.pool = pool
        self.data = data
        self.results: list[bytes] = []
        """What was pushed: the JSON of a `ResultRecord` each."""
        self.end: FragmentEnd | None = None
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.paused_s = 0.0
        """How long it was kept from running, which does not count."""
        self.max_rss_bytes = 0
        self.output = b""
        """What the fragment itself wrote to its standard streams."""
        self.started_at = pool.loop.now()
        self._ended: Callable[[], None] | None = None
        super().__init__(uid, data.driver, data.name, slot, pool.env)

    def start(self) -> None:
        """Have the pool run it."""
        self.pool.run(self)

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:  # noqa: ARG002 - the pool's loop
        """The pool tells."""
        self._ended = ended
        return True

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the documented interface
        return self.end is None

    def terminate(self) -> None:
        self.pool.terminate(self)

    def kill(self) -> None:
        self.pool.kill(self)

    def finish(self, end: FragmentEnd) -> None:
        """The pool knows how it ended."""
        self.end = end
        if self._ended is not None:
            self._ended()
