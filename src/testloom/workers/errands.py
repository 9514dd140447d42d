"""Goes to a batch system and back, in a thread of its own: its commands may take their time.

Whoever wants a job run says so and goes on; what becomes of it is told with *tell*, in this
thread.  A distributor that has ``on_ended`` says when a job ends.  Others can only be asked: all
jobs in one question, at intervals that grow while nothing happens.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from testloom.model.cluster import ClusterDistributor, RemoteExitInfoNotAvailable, exit_info
from testloom.processes.clock import SystemClock

FIRST_POLL_S: Final = 1.0
"""Those who run a cluster do not like to be asked more often."""
LONGEST_POLL_S: Final = 10.0
LATE_S: Final = 2.0
"""How much later than the end of a job its outcome may be seen, where file systems are remote."""
PATIENCE_S: Final = 30.0
"""How long a job may be gone before nothing more is expected to become known about it."""
_MAX_FAILED_POLLS: Final = 5

_now = SystemClock.now


@runtime_checkable
class TellsOfEnds(Protocol):
    """A distributor that says by itself when a job has ended."""

    def on_ended(self, callback: Callable[[str], object]) -> None:
        """Call *callback* with the id of each job that ends, from whatever thread."""


class Job(msgspec.Struct):
    """One job, by the number that it has here."""

    number: int
    distributor_id: str
    gone_at: float | None = None
    """When it was first seen to have ended."""


class Errands:
    """The thread that talks to *distributor*.

    Args:
        distributor: the batch system.
        has_outcome: tells whether the node has left word about a job of this number.
        tell: called with the number of a job that has ended, and what the batch system says about
            it if the node has left no word.
    """

    def __init__(
        self,
        distributor: ClusterDistributor,
        has_outcome: Callable[[int], bool],
        tell: Callable[[int, str], object],
    ) -> None:
        self._distributor = distributor
        self._has_outcome = has_outcome
        self._tell = tell
        self._wanted: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._ids: dict[int, str] = {}
        self._poll_s = FIRST_POLL_S
        self._failed_polls = 0
        self._ended = False
        self._is_told = isinstance(distributor, TellsOfEnds)
        if isinstance(distributor, TellsOfEnds):
            distributor.on_ended(lambda job: self._wanted.put(lambda: self._check([job])))
        self._thread = threading.Thread(target=self._run, name="testloom-errands", daemon=True)
        self._thread.start()

    def submit(self, number: int, command: str, name: str, requested: Mapping[str, Any]) -> None:
        """Have *command* run as job *number*."""
        self._wanted.put(lambda: self._submit(number, command, name, requested))

    def terminate(self, number: int) -> None:
        """Have job *number* ended."""
        self._wanted.put(lambda: self._terminate([number]))

    def close(self, timeout_s: float) -> bool:
        """End all jobs and the thread; tell whether that was done within *timeout_s*."""
        self._wanted.put(self._close)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended:
            try:
                wanted = self._wanted.get(timeout=self._patience())
            except queue.Empty:
                self._poll()
            else:
                wanted()

    def _patience(self) -> float | None:
        """Return how long to wait for something to do before asking; None for ever."""
        is_asked = self._jobs and not self._is_told
        is_late = any(job.gone_at is not None for job in self._jobs.values())
        return self._poll_s if is_asked or is_late else None

    def _submit(self, number: int, command: str, name: str, requested: Mapping[str, Any]) -> None:
        try:
            distributor_id = self._distributor.submit_to_batch_distributor(command, name, requested)
        except Exception as error:  # noqa: BLE001 - foreign code
            self._tell(number, f"it could not be submitted: {_said(error)}")
            return
        self._jobs[distributor_id] = Job(number, distributor_id)
        self._ids[number] = distributor_id

    def _terminate(self, numbers: list[int]) -> None:
        ids = [self._ids[number] for number in numbers if number in self._ids]
        if ids:
            # Foreign code; if it fails, the job may still end by itself.
            with contextlib.suppress(Exception):
                self._distributor.terminate_task_instances(ids)
            self._poll_s = FIRST_POLL_S

    def _poll(self) -> None:
        asked = list(self._jobs)
        try:
            left = set(self._distributor.get_submitted_or_running(asked))
        except Exception as error:  # noqa: BLE001 - foreign code
            self._failed_polls += 1
            if self._failed_polls >= _MAX_FAILED_POLLS:
                self._give_up(f"nothing can be learned about it: {_said(error)}")
            self._poll_s = min(2 * self._poll_s, LONGEST_POLL_S)
            return
        self._failed_polls = 0
        gone = [job for job in asked if job not in left]
        if gone:
            self._check(gone)
        else:
            self._poll_s = min(1.25 * self._poll_s, LONGEST_POLL_S)

    def _check(self, gone: list[str]) -> None:
        """Tell about the jobs of *gone*, as far as it is known how they ended."""
        for distributor_id in gone:
            job = self._jobs.get(distributor_id)
            if job is None:
                continue
            if self._has_outcome(job.number):
                self._forget(job, "")
                continue
            why, is_final = self._why(distributor_id)
            job.gone_at = _now() if job.gone_at is None else job.gone_at
            patience_s = PATIENCE_S if not is_final else 0.0 if self._is_told else LATE_S
            if _now() - job.gone_at >= patience_s:
                self._forget(job, why)

    def _why(self, distributor_id: str) -> tuple[str, bool]:
        """Return what the batch system says about a job, and whether that is its last word."""
        distributor = self._distributor
        try:
            errors = distributor.get_queueing_errors([distributor_id])
            if distributor_id in errors:
                return errors[distributor_id], True
            info = exit_info(distributor.get_remote_exit_info(distributor_id))
        except RemoteExitInfoNotAvailable:
            return "nothing is known about how it ended", False
        except Exception as error:  # noqa: BLE001 - foreign code
            return _said(error), False
        return info.error_message, info.finalized

    def _forget(self, job: Job, why: str) -> None:
        del self._jobs[job.distributor_id], self._ids[job.number]
        self._tell(job.number, why and f"job {job.distributor_id}: {why}")
        self._poll_s = FIRST_POLL_S

    def _give_up(self, why: str) -> None:
        for job in list(self._jobs.values()):
            self._forget(job, why)

    def _close(self) -> None:
        self._ended = True
        self._terminate(list(self._ids))
        with contextlib.suppress(Exception):  # foreign code, and nobody waits for anything more
            self._distributor.stop()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
