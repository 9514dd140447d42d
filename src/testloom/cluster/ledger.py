"""What is known about jobs: which wait, run or end, and how those that have gone ended.

No processes here.  A job leaves only together with how it ended, so there is no moment at which
it is neither running nor explained.  Every method may be called from any thread.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterable
from typing import Final

from testloom.cluster.limited import LimitedSizeDict
from testloom.model.cluster import RemoteExitInfo, RemoteExitInfoNotAvailable, TaskInstanceStatus

KEPT: Final = 10_000
"""Of how many jobs that have ended it is remembered how."""
_UNKNOWN: Final = TaskInstanceStatus.UNKNOWN_ERROR.value
BEFORE_START: Final = RemoteExitInfo(_UNKNOWN, "terminated before start")
BEING_ENDED: Final = RemoteExitInfo(_UNKNOWN, "is being terminated", finalized=False)


class State(enum.Enum):
    """What a job does that has not ended."""

    QUEUED = enum.auto()
    RUNNING = enum.auto()
    ENDING = enum.auto()
    """It was asked to end."""


class Ledger:
    """The jobs of a distributor; of those that have ended, the last *kept*."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lock = threading.Lock()
        self._active: dict[str, State] = {}
        self._infos: LimitedSizeDict[str, RemoteExitInfo] = LimitedSizeDict(size_limit=kept)
        self._errors: LimitedSizeDict[str, str] = LimitedSizeDict(size_limit=kept)
        self._waiters: list[_Waiter] = []

    def queue(self, ids: Iterable[str]) -> None:
        """Note that these jobs wait for their turn."""
        with self._lock:
            self._active.update(dict.fromkeys(ids, State.QUEUED))

    def begin(self, job: str) -> bool:
        """Note that *job* runs; False if it has been ended meanwhile, and must not be started."""
        with self._lock:
            if self._active.get(job) is not State.QUEUED:
                return False
            self._active[job] = State.RUNNING
            return True

    def ask_to_end(self, ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Note that these jobs are to end.

        Returns:
            Those that run and have to be ended, and those that waited and have ended herewith.
        """
        running, waited = [], []
        with self._lock:
            for job in ids:
                match self._active.get(job):
                    case State.QUEUED:
                        self._settle(job, BEFORE_START)
                        waited.append(job)
                    case State.RUNNING:
                        self._active[job] = State.ENDING
                        running.append(job)
        return running, waited

    def settle(self, job: str, info: RemoteExitInfo, error: str = "") -> None:
        """Note how *job* ended; with *error*, it could not be run at all."""
        with self._lock:
            if error:
                self._errors[job] = error
            self._settle(job, info)

    def _settle(self, job: str, info: RemoteExitInfo) -> None:
        self._infos[job] = info
        self._active.pop(job, None)
        for waiter in self._waiters:
            waiter.gone(job)

    def active(self, ids: Iterable[str] | None = None) -> set[str]:
        """Return those of *ids* (of all, if None) that have not ended."""
        with self._lock:
            return set(self._active) if ids is None else {job for job in ids if job in self._active}

    def info(self, job: str) -> RemoteExitInfo:
        """Return how *job* ended, or that it is about to.

        Raises:
            RemoteExitInfoNotAvailable: it runs, or nobody remembers it.
        """
        with self._lock:
            if self._active.get(job) is State.ENDING:
                return BEING_ENDED
            if job not in self._infos:
                raise RemoteExitInfoNotAvailable(f"nothing is known about how job {job} ended")
            return self._infos[job]

    def take_errors(self, ids: Iterable[str]) -> dict[str, str]:
        """Return, once, why those of *ids* that could not be run could not."""
        with self._lock:
            return {job: self._errors.pop(job) for job in ids if job in self._errors}

    def wait(self, ids: Iterable[str] | None = None, timeout_s: float | None = None) -> set[str]:
        """Wait until all of *ids* have ended, at most *timeout_s*; return those that have not.

        None for *ids* means all that have not ended now.
        """
        with self._lock:
            asked = self._active if ids is None else ids
            waiter = _Waiter({job for job in asked if job in self._active})
            if not waiter.left:
                return set()
            self._waiters.append(waiter)
        try:
            waiter.all_gone.wait(timeout_s)
        finally:
            with self._lock:
                self._waiters.remove(waiter)
        return waiter.left


class _Waiter:
    """Somebody who waits for the end of the jobs *left*."""

    def __init__(self, left: set[str]) -> None:
        self.left = left
        self.all_gone = threading.Event()

    def gone(self, job: str) -> None:
        self.left.discard(job)
        if not self.left:
            self.all_gone.set()
