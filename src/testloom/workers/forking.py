"""Starts slots' processes by forking main: they inherit drivers, closures and ``__main__``."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from testloom.model.fragment import FragmentData
from testloom.processes.nursery import Nursery
from testloom.workers import warm_process
from testloom.workers.desk import Desk


def forking(
    fragments: Sequence[FragmentData],
    *,
    name: str,
    desk: Desk | None = None,
    with_threads: bool = False,
    isolated: bool = False,
) -> Callable[[], Nursery]:
    """Return what makes the nursery of a `WarmPool` whose workers are forks of this process.

    *name* is that of the run's control group; *desk* is what they share with main;
    *with_threads* allows other threads, *isolated* gives each worker a namespace, see `Nursery`.
    """

    def child_main(slot: int, channel: socket.socket) -> None:
        warm_process.main(slot, channel, fragments, desk)

    return lambda: Nursery(child_main, name=name, with_threads=with_threads, isolated=isolated)
