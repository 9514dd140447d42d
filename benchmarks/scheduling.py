"""What deciding costs: the scheduler on large graphs whose fragments take no time at all.

The workers end in the round after the one they started in, so that nothing is measured but the
ready queue, the slots, the event loop and the scheduler that ties them together.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from e3.collection.dag import DAG
from figures import Figure

from testloom.scheduling import MultiprocessScheduler, Worker
from testloom.scheduling.ready import ReadyQueue

if TYPE_CHECKING:
    from testloom.processes.loop import EventLoop

SLOTS = 2
COST_US = 60.0
"""What scheduling one fragment may cost."""
GROWTH = 2.0
"""How much more a fragment may cost in a graph four times as big; 4 would be quadratic."""

Edges = Iterator[tuple[str, list[str]]]
Shape = Callable[[int], Edges]


class Instant(Worker):
    """Has ended as soon as somebody looks."""

    def start(self) -> None:
        return

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the interface
        return False

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        loop.call_soon(ended)
        return True


def chains_of_4(count: int) -> Edges:
    for number in range(count):
        yield f"f{number}", [f"f{number - 1}"] if number % 4 else []


def deep_chain(count: int) -> Edges:
    for number in range(count):
        yield f"f{number}", [f"f{number - 1}"] if number else []


def fan_in(count: int) -> Edges:
    roots = [f"f{number}" for number in range(count - 1)]
    for root in roots:
        yield root, []
    yield "last", roots


SHAPES: tuple[tuple[str, Shape, int], ...] = (
    ("chains of 4", chains_of_4, 64_000),
    ("deep chain", deep_chain, 10_000),
    ("fan-in", fan_in, 50_000),
)


def figures(scale: float, repeat: int) -> Iterator[Figure]:
    """Yield cost per fragment and its growth for each shape; sizes are multiplied by *scale*."""
    count = max(8, int(64_000 * scale))
    costs = [queue_cost_us(count) for _ in range(repeat)]
    title = f"ready queue alone, {count:,} in chains of 4"
    yield Figure(name=title, unit="us/fragment", samples=tuple(costs))
    for name, shape, full in SHAPES:
        count = max(8, int(full * scale))
        costs, growths = [], []
        for _ in range(repeat):
            small = cost_us(shape, count // 4)
            costs.append(cost_us(shape, count))
            growths.append(costs[-1] / small)
        title = f"scheduling, {count:,} in {name}"
        yield Figure(name=title, unit="us/fragment", samples=tuple(costs), at_most=COST_US)
        yield Figure(name=f"{title}: growth", unit="x", samples=tuple(growths), at_most=GROWTH)


def queue_cost_us(count: int) -> float:
    """Return the microseconds per fragment that the ready queue takes for chains of four."""
    edges = dict(chains_of_4(count))
    gc.collect()
    started_at = time.perf_counter()
    queue = ReadyQueue(edges)
    while queue:
        queue.done(queue.take())
    took_s = time.perf_counter() - started_at
    assert queue.left == 0
    return took_s / count * 1e6


def cost_us(shape: Shape, count: int) -> float:
    """Return the microseconds per fragment that making and running a scheduler takes.

    Raises:
        AssertionError: not every fragment ran once, or one before what it needs.
    """
    dag: Any = DAG()
    edges = dict(shape(count))
    for uid, needed in edges.items():
        dag.update_vertex(uid, data=None, predecessors=needed, enable_checks=False)
    ended: dict[str, None] = {}

    def job_factory(uid: str, data: object, slot: int) -> Instant:
        return Instant(uid, data, "run", slot, None)

    def collect(worker: Worker) -> None:
        ended[worker.uid] = None

    gc.collect()
    started_at = time.perf_counter()
    MultiprocessScheduler(dag, job_factory, collect, SLOTS).run()
    took_s = time.perf_counter() - started_at
    place = {uid: at for at, uid in enumerate(ended)}
    assert len(ended) == count
    assert all(place[before] < place[uid] for uid, needed in edges.items() for before in needed)
    return took_s / count * 1e6
