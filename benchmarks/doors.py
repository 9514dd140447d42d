"""What the other doors take for next to nothing: graphs of calls, lists of tasks, processes.

AsyncProcessScheduler, which can be installed, is measured in the same rounds by its public
interface; it times itself, so that its start does not count, as ours does not.
"""

from __future__ import annotations

import gc
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from e3.collection.dag import DAG
from figures import Figure

from testloom.graph import SCHEDULERS
from testloom.scheduling import MultiprocessScheduler, Worker
from testloom.tasks import Scheduler

GROWTH = 2.0
"""How much more a node may cost in a graph four times as big; 4 would be quadratic."""


def add(*numbers: int) -> int:
    return sum(numbers)


def double(number: int) -> int:
    return 2 * number


def figures(scale: float, repeat: int, peer: Path | None) -> Iterator[Figure]:
    """Yield the seconds that each takes; the sizes of what grows are multiplied by *scale*.

    *peer* is an interpreter that has AsyncProcessScheduler.
    """
    for name in ("multiprocessing", "threads", "single-threaded"):
        samples = samples_of(repeat, lambda name=name: chain(name, 10))  # type: ignore[misc]
        yield Figure(name=f"chain of 10, {name}", unit="s", samples=samples, at_most=0.1)
    count = max(40, int(10_000 * scale))
    small = samples_of(repeat, lambda: fan_in("multiprocessing", count // 4))
    large = samples_of(repeat, lambda: fan_in("multiprocessing", count))
    title = f"fan-in of {count:,}, multiprocessing"
    yield Figure(name=title, unit="s", samples=large, at_most=3.0)
    growths = tuple(b / a / 4 for a, b in zip(small, large, strict=True))
    yield Figure(name=f"{title}: growth", unit="x", samples=growths, at_most=GROWTH)
    ours, theirs = [], []
    for _ in range(repeat):
        ours += samples_of(1, lambda: mapped(50))
        if peer:
            theirs.append(peer_sample(peer))
    yield Figure(name="50 calls, map_blocking", unit="s", samples=tuple(ours), at_most=0.15)
    if theirs:
        yield Figure(name="50 calls, AsyncProcessScheduler", unit="s", samples=tuple(theirs))
        ratios = tuple(b / a for a, b in zip(ours, theirs, strict=True))
        yield Figure(name="50 calls, times faster", unit="x", samples=ratios)
    samples = samples_of(repeat, lambda: programs(20))
    yield Figure(name="20 times true, 1 slot", unit="s", samples=samples, at_most=0.1)


def samples_of(repeat: int, run: Callable[[], object]) -> tuple[float, ...]:
    run()  # what is imported and read for the first time does not count
    found = []
    for _ in range(repeat):
        gc.collect()
        started_at = time.perf_counter()
        run()
        found.append(time.perf_counter() - started_at)
    return tuple(found)


def chain(name: str, length: int) -> None:
    graph: dict[str, Any] = {"n0": (add, 1)}
    graph |= {f"n{n}": (add, f"n{n - 1}", 1) for n in range(1, length)}
    with SCHEDULERS[name](2) as scheduler:
        assert scheduler.run(graph) == {f"n{length - 1}": length}


def fan_in(name: str, width: int) -> None:
    graph: dict[str, Any] = {f"r{n}": (add, n) for n in range(width)}
    graph["all"] = (add, *graph)
    with SCHEDULERS[name](2) as scheduler:
        assert scheduler.run(graph) == {"all": width * (width - 1) // 2}


def mapped(count: int) -> None:
    outputs = Scheduler().map_blocking(double, [(n,) for n in range(count)])
    assert outputs == [2 * n for n in range(count)]


class Program(Worker):
    def start(self) -> Any:
        return subprocess.Popen(["true"])


def programs(count: int) -> None:
    dag: Any = DAG()
    for n in range(count):
        dag.update_vertex(f"v{n}", data=n, predecessors=[], enable_checks=False)
    ended: list[int] = []

    def start(uid: str, data: Any, slot: int) -> Worker:
        return Program(uid, data, "", slot, None)

    def collect(worker: Worker) -> None:
        ended.append(worker.process.returncode)

    MultiprocessScheduler(dag, start, collect, 1).run()
    assert ended == [0] * count


PEER = """
import time
from scheduler.Scheduler import Scheduler

def double(number):
    return 2 * number

def once():
    started_at = time.perf_counter()
    outputs = Scheduler().map_blocking(double, [(n,) for n in range(50)])
    assert outputs == [2 * n for n in range(50)], outputs
    return time.perf_counter() - started_at

if __name__ == "__main__":
    once()
    print(once())
"""


def peer_sample(python: Path) -> float:
    command = [python, "-c", PEER]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    return float(ended.stdout)
