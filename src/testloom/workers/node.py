"""Runs one fragment on a node of a cluster, as main would run it in a slot of its own.

Nothing of the suite is imported here: that happens in a forked child, so that whatever a driver
does, this process lives to tell what came of it.
"""

from __future__ import annotations

import os
import socket
import types

from testloom.model.errors import WorkersCannotStart
from testloom.model.fragment import FragmentData
from testloom.model.outcome import Stopped, WorkerLost
from testloom.processes import signals
from testloom.processes.loop import EventLoop
from testloom.processes.nursery import Nursery
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.scheduling.graph import Graph
from testloom.workers import fresh
from testloom.workers.exchange import Exchange, NodeOrder, NodeOutcome, outcome_of
from testloom.workers.messages import Order, Report
from testloom.workers.orders import Orders
from testloom.workers.warm import WarmPool, WarmWorker


def run_order(exchange: Exchange, number: int) -> NodeOutcome:
    """Run the fragment of order *number*; return what came of it, which is in *exchange* then.

    Asked to end by a signal, the fragment is asked; at the second it is killed.

    Raises:
        ExchangeError: the files of the run are not what they should be.
    """
    node_order, setup = exchange.order(number), exchange.setup()
    os.environb.update(setup.environ)
    try:
        os.chdir(setup.cwd)
        outcome = _run(node_order, setup.setup)
    except (OSError, WorkersCannotStart) as error:
        outcome = NodeOutcome(WorkerLost.__name__, f"{socket.gethostname()}: {error}")
    exchange.answer(number, outcome)
    return outcome


class _OneOrder(Orders):
    """An order that was made elsewhere; what its fragment leaves is sent back there."""

    def __init__(self, order: Order) -> None:
        super().__init__({}, {}, lambda _uid: False)
        self._order = order
        self.value: bytes | None = None
        self.state: bytes | None = None

    def order(self, data: FragmentData, *, is_last: bool = False) -> Order:  # noqa: ARG002 - there is one
        return self._order

    def settle(self, uid: str, report: Report) -> None:  # noqa: ARG002 - as above
        self.value, self.state = report.value, report.state


def _run(node_order: NodeOrder, setup: fresh.Setup) -> NodeOutcome:
    def child_main(_slot: int, channel: socket.socket) -> None:
        fresh.serve(setup, node_order.slot, channel)

    loop = EventLoop()
    orders = _OneOrder(node_order.order)
    notes: list[str] = []
    ended: list[WarmWorker] = []
    stand_in = types.SimpleNamespace()  # the driver itself is made in the child
    data = FragmentData(node_order.uid, stand_in, node_order.name, None)
    graph = Graph()
    graph.vertex_data, graph.predecessors = {data.uid: data}, {data.uid: frozenset()}
    pool = WarmPool(
        fragments=graph.vertex_data,
        predecessors=graph.predecessors,
        loop=loop,
        env=None,
        make_nursery=lambda: Nursery(child_main, name=f"testloom-node-{os.getpid()}"),
        continues=lambda _uid: False,
        timeout_s=node_order.timeout_s,
        note=notes.append,
    )
    pool.orders = orders
    scheduler = MultiprocessScheduler(
        graph,
        pool.worker,
        ended.append,  # type: ignore[arg-type]  # those that `pool` makes
        jobs=1,
        loop=loop,
    )
    phases = iter((Phase.TERMINATING, Phase.KILLING))

    def stop(_signum: int) -> None:
        scheduler.stop(next(phases, Phase.KILLING))

    try:
        with signals.told_to(loop, stop):
            scheduler.run()
    finally:
        pool.close()
        loop.close()
    return _told(ended, orders, notes)


def _told(ended: list[WarmWorker], orders: _OneOrder, notes: list[str]) -> NodeOutcome:
    if not ended:  # it was stopped before it began
        return NodeOutcome(Stopped.__name__, "interrupted")
    worker = ended[0]
    outcome = outcome_of(worker.end)
    outcome.results, outcome.output = worker.results, worker.output
    outcome.value, outcome.state = orders.value, orders.state
    outcome.wall_s, outcome.cpu_s = worker.wall_s, worker.cpu_s
    outcome.max_rss_bytes, outcome.notes = worker.max_rss_bytes, notes
    return outcome
