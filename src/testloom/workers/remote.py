"""Fragments as jobs of a batch system: each is submitted, run by a node, and its outcome read.

Orders and outcomes go through files (`exchange`), commands through a `ClusterDistributor`
(`errands`).  A node sees to the time limit itself, because only it knows when it began; the batch
system is told a limit that is somewhat longer.  The number of slots is how many jobs are
submitted at the same time.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from typing import Any, Final

from testloom.model.cluster import ClusterDistributor
from testloom.model.fragment import FragmentData
from testloom.model.names import encodable
from testloom.model.outcome import FragmentEnd, Stopped, WorkerDied, WorkerLost
from testloom.processes.loop import EventLoop
from testloom.processes.thread_calls import ThreadCalls
from testloom.workers.errands import Errands
from testloom.workers.exchange import (
    Exchange,
    ExchangeError,
    NodeOrder,
    NodeOutcome,
    NodeSetup,
    end_of,
)
from testloom.workers.fresh import setup_of
from testloom.workers.messages import Report
from testloom.workers.orders import Orders, time_limit
from testloom.workers.pooled import PooledWorker
from testloom.workers.warm import in_words

EXCHANGE_OPTION: Final = "--exchange"
_MARGIN_S: Final = 60.0
"""How much longer than its fragment a job may take: to start, and to end politely."""
_LEAVE_S: Final = 15.0
_OF_A_JOB: Final = (b"JOB_ID", b"ARRAY_STEP_ID", b"SLURM_", b"SGE_", b"PBS_", b"LSB_")
"""How variables begin that batch systems set for each job."""


class RemoteWorker(PooledWorker):
    """One fragment on a node."""

    number = 0
    """That of its order; 0 until it is given."""


class RemotePool:
    """The jobs of a run.

    Args:
        distributor: the batch system; it is stopped in the end.
        exchange: the directory for orders and outcomes, which does not exist yet.
        orders: makes orders with recipes.
        loop: the event loop of the scheduler that uses the workers.
        env: the suite's environment.
        timeout_s: the time limit of fragments whose driver has none.
        note: told, in one line, what people should know.
    """

    def __init__(
        self,
        distributor: ClusterDistributor,
        exchange: Exchange,
        orders: Orders,
        *,
        loop: EventLoop,
        env: Any,
        timeout_s: float | None,
        note: Callable[[str], None],
    ) -> None:
        self.loop = loop
        self.env = env
        self._distributor = distributor
        self._exchange = exchange
        self._orders = orders
        self._timeout_s = timeout_s
        self._note = note
        self._running: dict[int, RemoteWorker] = {}
        self._is_closed = False
        exchange.make(NodeSetup(setup_of(env), os.fsencode(os.getcwd()), _environ()))
        self._calls = ThreadCalls(loop)
        self._errands = Errands(distributor, self._has_outcome, self._told)

    lays_out = None
    """What runs here does not go on by itself."""

    def worker(self, uid: str, data: FragmentData, slot: int) -> RemoteWorker:
        """Submit fragment *uid*: the job factory of a scheduler."""
        return RemoteWorker(self, uid, data, slot)

    def run(self, worker: RemoteWorker) -> None:
        """Submit the fragment of *worker*."""
        data = worker.data
        order = self._orders.order(data)
        limit_s = time_limit(data, self._timeout_s, self._note)
        number = worker.number = order.attempt
        self._running[number] = worker
        try:
            self._exchange.give(
                number,
                NodeOrder(encodable(data.uid), encodable(data.name), worker.slot, order, limit_s),
            )
        except OSError as error:
            why = f"its order cannot be written: {error.strerror}"
            self.loop.call_soon(lambda: self._lose(worker, why))
            return
        requested = self._requested(data)
        if limit_s is not None:
            requested.setdefault("runtime", limit_s + _MARGIN_S)
        self._errands.submit(number, self._command(number), _job_name(worker.uid), requested)

    def _requested(self, data: FragmentData) -> dict[str, Any]:
        """Return the resources that the driver asks for."""
        try:
            return dict(getattr(data.driver, "requested_resources", None) or {})
        except Exception as error:  # noqa: BLE001 - it may be a property of a foreign driver
            self._note(f"{data.uid}: its resources are not known: {type(error).__name__}: {error}")
            return {}

    def _command(self, number: int) -> str:
        command = self._distributor.build_worker_node_command(task_instance_id=number)
        return f"{command} {EXCHANGE_OPTION} {shlex.quote(self._exchange.path)}"

    def again(self, uids: Iterable[str]) -> None:
        """Nothing has to be done: each fragment has a process and a driver of its own."""

    def release(self, uids: Iterable[str]) -> None:
        """Note that *uids*, all fragments of a test, do not run again."""
        self._orders.release(uids)

    def terminate(self, worker: RemoteWorker) -> None:
        """Have the job of *worker* ended."""
        if worker.number in self._running:
            self._errands.terminate(worker.number)

    def kill(self, worker: RemoteWorker) -> None:
        """Have the job of *worker* ended, and take it for ended."""
        if worker.number in self._running:
            self._errands.terminate(worker.number)
            self.loop.call_soon(lambda: self._lose(worker, "it was killed"))

    def look(self, slot: int) -> tuple[int, bytes]:  # noqa: ARG002 - the interface's argument
        """Know nothing: there is no process of a slot here."""
        return 0, b""

    def pause(self) -> bool:
        """Do nothing: nodes of a cluster go on."""
        return False

    def resume(self, paused_s: float) -> None:
        """Do nothing."""

    def dismiss(self) -> None:
        """End all jobs, and remove the files: people are told, and not too late, if that fails."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._errands.close(_LEAVE_S):
            self._note(f"{self._distributor.cluster_name}: it does not answer; look for jobs there")
        self._calls.close()
        self._orders.close()
        self._exchange.remove()

    def close(self) -> None:
        """See that all is as `dismiss` leaves it."""
        self.dismiss()

    # -- in the thread of `Errands` -----------------------------------------------------------

    def _has_outcome(self, number: int) -> bool:
        return self._exchange.has_outcome(number)

    def _told(self, number: int, why: str) -> None:
        self._calls.call(lambda: self._settle(number, why))

    # -- in the thread of the loop ------------------------------------------------------------

    def _settle(self, number: int, why: str) -> None:
        """Job *number* has ended: take its outcome, or say why there is none."""
        worker = self._running.get(number)
        if worker is None:
            return
        try:
            outcome = self._exchange.outcome(number)
        except ExchangeError as error:
            outcome, why = None, str(error)
        if outcome is None:
            self._lose(worker, why)
            return
        self._forget(worker)
        for line in outcome.notes:
            self._note(f"{worker.uid}: {line}")
        self._take(worker, outcome)

    def _take(self, worker: RemoteWorker, outcome: NodeOutcome) -> None:
        worker.results, worker.output = outcome.results, outcome.output
        worker.wall_s, worker.cpu_s = outcome.wall_s, outcome.cpu_s
        worker.max_rss_bytes = outcome.max_rss_bytes
        end = _end_of(outcome, is_stopped=worker.stopped)
        report = Report(0, outcome.value, state=outcome.state, unpicklable=outcome.unpicklable)
        if outcome.end == "Returned":
            self._orders.settle(worker.uid, report)
        else:
            self._orders.lose(worker.uid, in_words(end))
        worker.finish(end)

    def _lose(self, worker: RemoteWorker, why: str) -> None:
        if worker.number not in self._running:
            return
        self._forget(worker)
        worker.wall_s = self.loop.now() - worker.started_at
        end: FragmentEnd = Stopped("interrupted") if worker.stopped else WorkerLost(why)
        self._orders.lose(worker.uid, in_words(end))
        worker.finish(end)

    def _forget(self, worker: RemoteWorker) -> None:
        del self._running[worker.number]
        self._exchange.forget(worker.number)


def _end_of(outcome: NodeOutcome, *, is_stopped: bool) -> FragmentEnd:
    """Return how a fragment ended; one that was asked to end may be said to have died of that."""
    end = end_of(outcome)
    if is_stopped and isinstance(end, WorkerDied | WorkerLost):
        return Stopped("interrupted")
    return end


def _environ() -> dict[bytes, bytes]:
    """Return the environment for nodes: main may be a job itself, but another one."""
    return {name: value for name, value in os.environb.items() if not name.startswith(_OF_A_JOB)}


def _job_name(uid: str) -> str:
    """Return a name that batch systems and file systems take."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in uid)[:128]
