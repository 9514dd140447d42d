"""A hundred thousand fragments with a million edges go through the scheduler: does the cost grow with their number?

Each size runs in a process of its own, so that what it takes in memory is known.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from ordeals.numbers import exponent
from ordeals.trial import say, verdict
from testloom.scheduling import MultiprocessScheduler, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from testloom.processes.loop import EventLoop

EDGES = 10
"""Of each fragment."""
SLOTS = 16
MOST = 1.4
"""The power of the size that time and memory may grow with: 2 is quadratic, and a graph that does not
fit into the caches of the processor any more costs a little more each."""


class Instant(Worker):
    """Has ended as soon as somebody looks."""

    def start(self) -> None:
        return

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the interface
        return False

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        loop.call_soon(ended)
        return True


def main(count: int) -> int:
    """Run graphs of up to *count* fragments; print what they cost."""
    times, sizes, problems = [], [], []
    # What a tiny graph takes is what the modules and the scheduler itself do.
    empty = _measured(1000)["rss"] - 1000 * 2048
    for number in (count // 8, count // 4, count // 2, count):
        found = min((_measured(number) for _ in range(5)), key=lambda one: one["seconds"])
        memory = max(found["rss"] - empty, 1)
        times.append((float(number), found["seconds"]))
        sizes.append((float(number), memory))
        say(
            f"{number:>8} fragments, {found['edges']:>8.0f} edges: {found['seconds']:7.2f} s"
            f" ({found['seconds'] / number * 1e6:5.1f} us each), {memory / 2**20:6.1f} MiB"
            f" ({memory / number:5.0f} B each)"
        )
    for what, points in (("time", times), ("memory", sizes)):
        power = exponent(points)
        say(f"{what} grows with the power {power:.2f} of the number of fragments")
        if power > MOST:
            problems.append(f"{what} is not linear")
    return verdict(problems)


def _measured(count: int) -> dict[str, float]:
    code = f"from ordeals.graph import measure; measure({count})"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=sys.path[0]
    )
    return dict(json.loads(ran.stdout))


def measure(count: int) -> None:
    """Run a graph of *count* fragments in this process, and print what that has cost."""
    from e3.collection.dag import DAG  # noqa: PLC0415 - its memory is not that of the graph

    chance = random.Random(1)
    before = {
        f"f{n}": [f"f{chance.randrange(max(0, n - 5000), n)}" for _ in range(EDGES)] if n else []
        for n in range(count)
    }
    dag = DAG()
    for uid, others in before.items():
        dag.update_vertex(uid, predecessors=others, enable_checks=False)
    seen = 0

    def collect(_worker: Any) -> None:
        nonlocal seen
        seen += 1

    began = time.process_time()
    scheduler = MultiprocessScheduler(
        dag, lambda uid, _data, slot: Instant(uid, None, "run", slot, None), collect, SLOTS
    )
    scheduler.run()
    seconds = time.process_time() - began
    if seen != count:
        raise AssertionError(f"{seen} of {count} have run")
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    edges = sum(map(len, before.values()))
    print(json.dumps({"seconds": seconds, "rss": rss, "edges": edges}))  # noqa: T201 - read by `main`
