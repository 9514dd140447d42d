"""Tests in small: a few functions as the fragments of a graph, run by real warm workers.

And what every test here has to leave behind: nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.model.fragment import FragmentData
from testloom.model.outcome import FragmentEnd
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler
from testloom.workers.desk import Desk
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

    def run_ahead(self, jobs: int = 2, timeout_s: float | None = None) -> Ran:
        """Run everything, letting slots go on by themselves while fragments are short."""
        desk = Desk(jobs)
        name = f"testloom-test-{os.getpid()}"
        make = forking(list(self.fragments.values()), name=name, desk=desk)
        return self.run(jobs, timeout_s, desk=desk, make_nursery=make)

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
        self.scheduler.lay_out = self.pool.lays_out
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


DRIVERS = '''
"""Drivers that anybody can import."""
import os, sys

class Base:
    on_push = None
    def __init__(self, env, test_env):
        self.env, self.test_env, self.name = env, test_env, test_env["test_name"]
        self.made_in = os.getpid()
    def add(self, dag, name, fun=None, after=()):
        from testloom.model.fragment import FragmentData
        uid = f"{self.name}.{name}"
        data = FragmentData(uid, self, name, fun or getattr(self, name), fun is None)
        dag.update_vertex(uid, data=data, predecessors=[f"{self.name}.{a}" for a in after], enable_checks=False)

class Simple(Base):
    def add_test(self, dag):
        self.add(dag, "run")
    def run(self, previous, slot):
        print(self.env.suite_word, self.test_env["n"], self.made_in == os.getpid(), slot)

class Chain(Base):
    def add_test(self, dag):
        self.add(dag, "one")
        self.add(dag, "two", self.second, ["one"])
        self.add(dag, "three", lambda previous, slot: self.third(previous), ["two"])
    def one(self, previous, slot):
        self.mark = "made by one"
        return lambda: "not sendable"
    def second(self, previous, slot):
        print(previous["one"](), self.mark)
        return lambda: "nor this"
    def third(self, previous):
        print(previous["two"](), self.mark)

class Diamond(Base):
    def add_test(self, dag):
        self.add(dag, "a")
        self.add(dag, "l", after=["a"])
        self.add(dag, "r", after=["a"])
        self.add(dag, "z", after=["l", "r"])
    def a(self, previous, slot): self.x = 1
    def l(self, previous, slot): self.y = self.x + 1
    def r(self, previous, slot): self.z_ = self.x + 2
    def z(self, previous, slot): print(self.x, self.y, self.z_)

class Unsendable(Simple):
    def add_test(self, dag):
        super().add_test(dag)
        self.test_env["odd"] = lambda: 0

class FailsElsewhere(Simple):
    """Made well in main, but not in a worker."""
    def __init__(self, env, test_env):
        super().__init__(env, test_env)
        if os.getppid() != env.main_parent:
            raise ValueError("planted")

class ForgetsElsewhere(Simple):
    def add_test(self, dag):
        if os.getppid() == self.env.main_parent:
            self.add(dag, "run", lambda previous, slot: print("never"))

class Looks(Simple):
    def run(self, previous, slot):
        sys.stdout.flush()
        os.system("ls -l /proc/self/fd | grep -c 'socket:\\\\|memfd:'")
'''

RUNNER = """
import os, sys
from e3.collection.dag import DAG
from e3.env import Env
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler
from testloom.workers.making import WorkerSettings, make_workers

def run_all(tests, jobs=2, **options):
    if "distributor" in options:
        options["exchange_dir"] = os.getcwd()
        options["distributor"].start()
    env = Env()
    env.suite_word = "hello"
    env.main_parent = os.getppid()
    env.cannot_be_sent = lambda: 0
    dag = DAG()
    for n, cls in enumerate(tests):
        driver = cls(env, {"test_name": f"t{n}", "n": n})
        driver.add_test(dag)
    fragments, loop, ended = dict(dag.vertex_data), EventLoop(), {}
    scheduler = MultiprocessScheduler(dag, lambda u, d, s: workers.worker(u, d, s),
        lambda w: ended.update({w.uid: w}), jobs, loop=loop)
    workers = make_workers(WorkerSettings(name=f"testloom-test-{os.getpid()}", **options), fragments=fragments,
        predecessors=dict(dag.vertex_predecessors_items()), loop=loop, env=env,
        continues=scheduler.continues, note=lambda line: print("note:", line), slots=jobs)
    try:
        scheduler.run()
    finally:
        workers.close()
    for uid, worker in sorted(ended.items()):
        end = worker.end
        print(uid, worker.output.decode().strip() or getattr(end, "raised", "").strip().rpartition("\\n")[2] or end)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[str]]:
    """Run a script that imports `drivers` and `runner`; return the lines it prints."""
    (tmp_path / "drivers.py").write_text(DRIVERS)
    (tmp_path / "runner.py").write_text(RUNNER)

    def run_script(code: str, *how: str) -> list[str]:
        (tmp_path / "suite.py").write_text(code)
        ran = subprocess.run(
            [sys.executable, *(how or (str(tmp_path / "suite.py"),))],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ran.stderr == ""
        return ran.stdout.splitlines()

    return run_script
