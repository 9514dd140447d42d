"""What a fragment costs that does nothing, in one of two warm workers.

Unlike `scheduling`, this sends every fragment to a process and hears of its end; unlike
`whole_runs`, nothing is discovered, journalled or shown.  Forking the processes is included.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from e3.collection.dag import DAG
from figures import Figure
from scheduling import GROWTH, SLOTS, deep_chain

from testloom.drivers import TestDriver
from testloom.model.outcome import Returned
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Worker
from testloom.scheduling.graph import Graph
from testloom.workers.making import WorkerSettings, make_workers

PER_SECOND = 15_000
ENV = SimpleNamespace(working_dir="", options=argparse.Namespace())


class Empty(TestDriver):
    """A test whose fragments do nothing."""

    def add_test(self, dag: DAG) -> None:
        """The shapes below add what they need."""

    def nothing(self, previous_values: dict[str, Any], slot: int) -> None:  # noqa: ARG002 - given
        return


def driver(number: int) -> Empty:
    return Empty(ENV, {"test_name": f"t{number}"})


def independent(dag: DAG, count: int) -> None:
    for number in range(count):
        test = driver(number)
        test.add_fragment(dag, "f", fun=test.nothing)


def chains_of_4(dag: DAG, count: int) -> None:
    for number in range(count // 4):
        test = driver(number)
        for step in range(4):
            after = [f"f{step - 1}"] if step else None
            test.add_fragment(dag, f"f{step}", fun=test.nothing, after=after)


def one_deep_chain(dag: DAG, count: int) -> None:
    test = driver(0)
    for uid, after in deep_chain(count):
        test.add_fragment(dag, uid, fun=test.nothing, after=after)


def fan_in(dag: DAG, count: int) -> None:
    """Build a test that waits for one fragment of each of many others."""
    independent(dag, count - 1)
    roots = list(dag.vertex_data)
    last = driver(count)
    last.add_fragment(dag, "last", fun=last.nothing)
    dag.update_vertex(f"{last.test_name}.last", predecessors=roots, enable_checks=False)


SHAPES: tuple[tuple[str, Callable[[DAG, int], None], int], ...] = (
    ("chains of 4", chains_of_4, 64_000),
    ("deep chain", one_deep_chain, 10_000),
    ("fan-in", fan_in, 50_000),
)


def figures(scale: float, repeat: int) -> Iterator[Figure]:
    """Yield fragments per second, then the cost per fragment and its growth for each shape."""
    count = max(16, int(30_000 * scale))
    rates = tuple(1e6 / cost_us(independent, count) for _ in range(repeat))
    title = f"empty fragments, {count:,}, 2 warm workers"
    yield Figure(name=title, unit="/s", samples=rates, at_least=PER_SECOND)
    for name, shape, full in SHAPES:
        count = max(16, int(full * scale))
        costs, growths = [], []
        for _ in range(repeat):
            small = cost_us(shape, count // 4)
            costs.append(cost_us(shape, count))
            growths.append(costs[-1] / small)
        title = f"empty fragments, {count:,} in {name}"
        yield Figure(name=title, unit="us/fragment", samples=tuple(costs))
        yield Figure(name=f"{title}: growth", unit="x", samples=tuple(growths), at_most=GROWTH)


def cost_us(shape: Callable[[DAG, int], None], count: int) -> float:
    """Return the microseconds per fragment of running *shape*, from an idle start to the end.

    Raises:
        AssertionError: not every fragment ended well.
    """
    dag = DAG()
    shape(dag, count)
    graph = Graph.of(dag)
    del dag
    well = 0

    def job_factory(uid: str, data: Any, slot: int) -> Worker:
        return workers.worker(uid, data, slot)

    def collect(worker: Any) -> None:
        nonlocal well
        assert isinstance(worker.end, Returned), worker.end
        assert not worker.end.raised, worker.end.raised
        well += 1

    loop = EventLoop()
    gc.collect()
    started_at = time.perf_counter()
    scheduler = MultiprocessScheduler(graph, job_factory, collect, SLOTS, loop=loop)
    workers = make_workers(
        WorkerSettings(name="benchmark"),
        fragments=graph.vertex_data,
        predecessors=graph.predecessors,
        loop=loop,
        env=ENV,
        continues=scheduler.continues,
        note=print,
        slots=SLOTS,
    )
    scheduler.lay_out = workers.lays_out
    try:
        scheduler.run()
        took_s = time.perf_counter() - started_at
    finally:
        workers.close()
        loop.close()
    assert well == count, f"{well} of {count} ended well"
    return took_s / count * 1e6
