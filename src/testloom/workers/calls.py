"""Runs plain functions as the fragments of a graph: in warm processes, in threads, right here.

The doors that are not about tests build on this.  A `Call` stands where a test has its driver.
Its function is given the values of the calls that it follows, by uid; whoever makes it sees to
the arguments.  Functions and what they hold need not be picklable, because processes inherit
them; values that cross from process to process must be.
"""

from __future__ import annotations

import itertools
import os
import pickle
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from testloom.model.errors import TestAbort
from testloom.model.fragment import FragmentData
from testloom.model.outcome import Returned
from testloom.processes.loop import EventLoop
from testloom.processes.nursery import Nursery
from testloom.processes.parcels import Parcels
from testloom.scheduling.worker import Worker
from testloom.workers import running, warm_process
from testloom.workers.warm import WarmPool, WarmWorker, in_words
from testloom.workers.warm_process import Manners

GRACE_S: Final = 1.0
"""Seconds between asking a process to end and killing it: people wait for that."""
_PARCEL_BYTES: Final = 1024 * 1024
_pools: Final = itertools.count(1)
"""Numbers those of this process: each has a control group of its own."""

Function: TypeAlias = Callable[[dict[str, Any]], Any]
"""``function(values) -> value``; *values* has those of the calls before it, by uid."""


class Call:
    """What there is to say about one call, in the place of a test's driver."""

    on_push: Any = None

    def __init__(self, function: Function, timeout_s: float | None = None) -> None:
        self.function = function
        self.fragment_timeout_s = timeout_s

    def fragment(self, uid: str) -> FragmentData:
        """Return the node of the graph that is called *uid*."""
        return FragmentData(uid, self, uid, self._run, callback_by_name=False)

    def _run(self, previous_values: dict[str, Any], _slot: int) -> Any:
        return self.function(previous_values)


class Done(msgspec.Struct, frozen=True):
    """It returned."""

    value: Any


class Failed(msgspec.Struct, frozen=True):
    """It raised, or did not get to return."""

    why: str
    """In a line."""
    error: BaseException | None = None
    """What it raised, if it did."""


CallEnd: TypeAlias = Done | Failed


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in another process: shows where."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class Calls(Protocol):
    """Makes workers for calls, and ends what they have left when all is over."""

    def worker(self, uid: str, data: FragmentData, slot: int) -> Worker:
        """Start call *uid* in *slot*."""

    def end_of(self, worker: Worker) -> CallEnd:
        """Return how the call of *worker*, which has just been collected, ended."""

    def close(self) -> None:
        """End everything."""


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How processes for calls are made, and what they are like."""

    initializer: Callable[..., object] | None = None
    """Called in each process before anything else."""
    initargs: tuple[Any, ...] = ()
    calls_per_process: int | None = None
    """How many calls a process may run before it is replaced; None for any number."""
    on_output: Callable[[int, bytes], None] | None = None
    """Told what the process of a slot writes; None if that goes where main's output goes."""
    is_large: Callable[[Any], bool] | None = None
    """Tells which values are to travel in shared memory, whatever their size."""


class CallsInProcesses:
    """Calls in warm processes, one a slot, that are forked from this one as it is now.

    Args:
        fragments: uid -> call, all that will ever run here.
        predecessors: uid -> the uids it follows.
        loop: the scheduler's event loop.
        settings: what the processes are like.
    """

    def __init__(
        self,
        *,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        loop: EventLoop,
        settings: ProcessSettings,
    ) -> None:
        self._parcels = Parcels()
        table = list(fragments.values())
        manners = Manners(
            tidies=False,
            shows_stacks=False,
            parcels=self._parcels,
            parcel_bytes=_PARCEL_BYTES,
            is_large=settings.is_large,
        )

        def child_main(slot: int, channel: socket.socket) -> None:
            if settings.initializer is not None:
                settings.initializer(*settings.initargs)
            warm_process.serve(slot, channel, lambda order: table[order.index], None, manners)

        self._pool = WarmPool(
            fragments=fragments,
            predecessors=predecessors,
            loop=loop,
            env=None,
            make_nursery=lambda: Nursery(
                child_main,
                name=f"testloom-calls-{os.getpid()}-{next(_pools)}",
                own_output=settings.on_output is None,
                with_threads=True,
            ),
            continues=lambda _uid: False,
            parcels=self._parcels,
            returns=True,
            on_output=settings.on_output,
            fragments_per_process=settings.calls_per_process,
            grace_s=GRACE_S,
        )

    def worker(self, uid: str, data: FragmentData, slot: int) -> WarmWorker:
        return self._pool.worker(uid, data, slot)

    def end_of(self, worker: Worker) -> CallEnd:
        assert isinstance(worker, WarmWorker)
        match worker.end:
            case Returned() as end:
                return self._returned(worker.uid, end)
            case None:
                return Failed("it has not ended")
            case end:
                return Failed(in_words(end))

    def _returned(self, uid: str, end: Returned) -> CallEnd:
        if end.aborted:
            return Failed("TestAbort", TestAbort())
        why = end.unpicklable and f"its value cannot be sent: {end.unpicklable}"
        value: Any = None
        if end.value is not None:
            try:
                value = self._loaded(uid, end.value)
            except Exception as error:  # noqa: BLE001 - foreign classes are made here
                why = f"its value cannot be loaded: {type(error).__name__}: {error}"
        if end.raised:
            return raised(value if isinstance(value, BaseException) else None, end.raised)
        return Failed(why) if why else Done(value)

    def _loaded(self, uid: str, data: bytes) -> Any:
        pickled = running.unpacked(data, self._parcels)
        if pickled is not data and not self._pool.is_wanted(uid):
            self._parcels.remove(data[1:].decode())
        return pickle.loads(pickled)  # noqa: S301 - from a process of our own that runs our caller's code

    def close(self) -> None:
        self._pool.close()
        self._parcels.close()


def raised(error: BaseException | None, traceback: str) -> Failed:
    """Return the end of a call that raised *error* in another process, as *traceback* shows."""
    last_line = traceback.rstrip().rpartition("\n")[2]
    if error is not None:
        error.__cause__ = RemoteTraceback(traceback)
    return Failed(last_line, error)
