"""The state of a run at one instant, for somebody who wonders whether it hangs: SIGUSR1.

It is made from what main knows and from ``/proc``; nothing is asked of workers, which may hang.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Any, Final

from testloom.console.text import counted
from testloom.model.names import shown_line
from testloom.processes.picture import picture
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.workers.making import Workers

_TAIL_LINES: Final = 3
_PHASES: Final = {
    Phase.RUNNING: "running",
    Phase.DRAINING: "starts nothing more",
    Phase.TERMINATING: "ends what runs",
    Phase.KILLING: "kills what runs",
}


def state_lines(
    scheduler: MultiprocessScheduler, workers: Workers, *, now: float, started_at: float
) -> Iterator[str]:
    """Yield the state of the run that began at *started_at*, line by line."""
    running = counted(scheduler.active_workers, "fragment")
    phase = _PHASES[scheduler.phase]
    waiting = f"{running} in {counted(scheduler.parallelism, 'slot')}, {scheduler.waiting} waiting"
    yield f"state after {now - started_at:.1f} s: {phase}; {waiting}"
    for slot, worker in enumerate(scheduler.workers):
        if worker is not None:
            yield from _of_slot(slot, worker, workers, now)
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = "" if soft == resource.RLIM_INFINITY else f" of {soft}"
    yield f"  main: pid {os.getpid()}, {_open_files()}{limit} files open"


def _of_slot(slot: int, worker: Any, workers: Workers, now: float) -> Iterator[str]:
    pid, output = workers.look(slot)
    limit = "" if worker.timeout_s is None else f" of {worker.timeout_s:g} s"
    facts = [f"{now - worker.started_at - worker.paused_s:.1f} s{limit}"]
    facts += [f"pid {pid}"] if pid else []
    facts += ["its time is up"] if worker.timed_out else []
    yield f"  slot {slot}: {shown_line(worker.uid)}: {', '.join(facts)}"
    for line in picture(pid) if pid else ():
        yield f"    {shown_line(line)}"
    written = output.decode("utf-8", "backslashreplace").rstrip().splitlines()
    for line in written[-_TAIL_LINES:]:
        yield f"    > {shown_line(line)}"


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # not the one that it is read by
    except OSError:
        return 0
