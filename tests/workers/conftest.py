"""Tests in small: a few functions as the fragments of a graph, run by real warm workers.

And what every test here has to leave behind: nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.model.fragment import FragmentData
from testloom.model.outcome import FragmentEnd
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler
from testloom.workers.forking import forking
from testloom.workers.warm import WarmPool, WarmWorker

LIMIT_S = 20.0
"""How long anything may take before a test gives up on it; nothing waits that long."""


@pytest.fixture(autouse=True)
def _clean(nothing_is_left: None) -> None:
    """See to it."""


class Test:
    """A driver whose fragments are functions of it, the values before it, and the slot."""

    __test__ = False
    on_push: Callable[[Any], None] | None = None

    def __init__(self, **fragments: Callable[[Any, dict[str, Any], int], Any]) -> None:
        self._fragments = fragments

    def __getattr__(self, name: str) -> Any:
        fragments = self.__dict__.get("_fragments", {})
        if name not in fragments:
            raise AttributeError(name)
        return lambda previous, slot: fragments[name](self, previous, slot)


class Ran:
    """What came of a run."""

    def __init__(self) -> None:
        self.workers: dict[str, WarmWorker] = {}
        self.order: list[str] = []
        self.notes: list[str] = []

    def __getitem__(self, uid: str) -> FragmentEnd | None:
        return self.workers[uid].end

    def output(self, uid: str) -> str:
        return self.workers[uid].output.decode()


class Lab:
    """Makes tests and runs them. While they run, `pool` and `scheduler` are there to interfere."""

    test = Test

    def __init__(self) -> None:
        self.fragments: dict[str, FragmentData] = {}
        self.dag = DAG()
        self.loop = EventLoop()
        self.pool: WarmPool
        self.scheduler: MultiprocessScheduler
        self.ran = Ran()
        self.on_collect: Callable[[WarmWorker], None] = lambda _worker: None

    def add(self, uid: str, driver: Any = None, after: str = "", **attributes: Any) -> Any:
        """Add fragment ``TEST.NAME`` of *driver*; *after* names those that it follows.

        A function in place of a driver is the only fragment of a test.
        """
        name = uid.rpartition(".")[2]
        if not hasattr(driver, "on_push"):
            driver = Test(**{name: driver})
        vars(driver).update(attributes)
        data = FragmentData(uid, driver, name, None)
        self.fragments[uid] = data
        self.dag.update_vertex(uid, data=data, predecessors=after.split(), enable_checks=False)
        return driver

    def run(self, jobs: int = 2, timeout_s: float | None = None, **options: Any) -> Ran:
        """Run everything."""
        self.scheduler = MultiprocessScheduler(
            self.dag, self._make, self._collect, jobs, loop=self.loop
        )
        name = f"testloom-test-{os.getpid()}"
        options.setdefault("make_nursery", forking(list(self.fragments.values()), name=name))
        self.pool = WarmPool(
            fragments=self.fragments,
            predecessors=dict(self.dag.vertex_predecessors_items()),
            loop=self.loop,
            env=None,
            continues=self.scheduler.continues,
            timeout_s=timeout_s,
            note=self.ran.notes.append,
            **options,
        )
        try:
            self.scheduler.run()
        finally:
            self.pool.close()
        return self.ran

    def _make(self, uid: str, data: Any, slot: int) -> WarmWorker:
        return self.pool.worker(uid, data, slot)

    def _collect(self, worker: Any) -> None:
        self.ran.order.append(worker.uid)
        self.ran.workers[worker.uid] = worker
        self.on_collect(worker)


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.loop.close()


@pytest.fixture
def fast_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time between asking and killing be short."""
    monkeypatch.setattr(WarmWorker, "grace_s", 0.2)
