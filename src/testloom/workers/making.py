"""Chooses what fragments run in."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from testloom.model.fragment import FragmentData
from testloom.processes.loop import EventLoop
from testloom.scheduling.ahead import LayOut
from testloom.scheduling.worker import Worker
from testloom.workers.desk import Desk
from testloom.workers.forking import forking
from testloom.workers.fresh import recipe_of, spawning
from testloom.workers.orders import Orders
from testloom.workers.warm import WarmPool

if TYPE_CHECKING:
    from testloom.model.cluster import ClusterDistributor


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How fragments are to be run."""

    name: str
    """Names the run's control group."""
    start_method: str = "fork"
    """``fork`` or ``spawn``."""
    in_process: bool = False
    post_mortem: bool = False
    timeout_s: float | None = None
    """Limit of fragments whose driver has none."""
    distributor: ClusterDistributor | None = None
    """The batch system whose nodes run fragments, started."""
    exchange_dir: str = ""
    """Where to make the directory through which main and these nodes talk."""
    isolated: bool = False
    """Whether each worker has a PID namespace of its own."""
    with_threads: bool = False
    """Whether to fork even though other threads run, see `testloom.processes.nursery.Nursery`."""


class Workers(Protocol):
    """Makes workers, and ends what they have left when the run is over."""

    @property
    def lays_out(self) -> LayOut | None:
        """Who lets slots go on by themselves; None if they cannot."""

    def worker(self, uid: str, data: FragmentData, slot: int) -> Worker:
        """Start fragment *uid* in *slot*."""

    def again(self, uids: Iterable[str]) -> None:
        """Let all fragments of a test run once more, on a driver as it was at first."""

    def release(self, uids: Iterable[str]) -> None:
        """Note that all fragments of a test, which might have, do not run again."""

    def look(self, slot: int) -> tuple[int, bytes]:
        """Return the process of *slot*, or 0, and the end of what it has written by itself."""

    def pause(self) -> bool:
        """Let nothing run until `resume`; False where that cannot be done."""

    def resume(self, paused_s: float) -> None:
        """Let everything go on, after so long a pause, which does not count."""

    def dismiss(self) -> None:
        """Have everything end that may still run; nothing can be started any more."""

    def close(self) -> None:
        """See that everything has ended."""


def make_workers(
    settings: WorkerSettings,
    *,
    fragments: Mapping[str, FragmentData],
    predecessors: Mapping[str, frozenset[str]],
    loop: EventLoop,
    env: Any,
    continues: Callable[[str], bool],
    note: Callable[[str], None],
    slots: int = 0,
    repeatable: Collection[str] = (),
) -> Workers:
    """Return the workers that *settings* ask for.

    *slots* is the number of slots, if it is known: results then go through shared memory.
    *repeatable* are the fragments that may run more than once.
    """
    # What few runs need is imported where it is asked for.
    if settings.in_process:
        from testloom.workers.in_process import InProcessWorkers  # noqa: PLC0415 - see above

        return InProcessWorkers(
            fragments=fragments,
            predecessors=predecessors,
            loop=loop,
            env=env,
            post_mortem=settings.post_mortem,
            repeatable=repeatable,
        )
    if settings.distributor is not None:
        from testloom.workers.exchange import Exchange  # noqa: PLC0415 - see above
        from testloom.workers.remote import RemotePool  # noqa: PLC0415 - see above

        return RemotePool(
            settings.distributor,
            Exchange(os.path.join(settings.exchange_dir, "exchange")),
            Orders(fragments, predecessors, lambda _uid: False, recipe_of, repeatable),
            loop=loop,
            env=env,
            timeout_s=settings.timeout_s,
            note=note,
        )
    is_fork = settings.start_method == "fork"
    desk = Desk(slots) if is_fork and slots else None
    table = list(fragments.values())
    how = {"with_threads": settings.with_threads, "isolated": settings.isolated}
    return WarmPool(
        fragments=fragments,
        predecessors=predecessors,
        loop=loop,
        env=env,
        make_nursery=(
            forking(table, name=settings.name, desk=desk, **how)
            if is_fork
            else spawning(env, name=settings.name, **how)
        ),
        recipe_of=None if is_fork else recipe_of,
        continues=continues,
        timeout_s=settings.timeout_s,
        note=note,
        desk=desk,
        repeatable=repeatable,
    )
