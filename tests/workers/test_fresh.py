"""Workers that are fresh interpreters: nothing is inherited, everything is told.

Each test is a whole program, because what such a worker is told begins with the main script.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each worker starts an interpreter

Run = Callable[..., list[str]]

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
def run(tmp_path: Path) -> Run:
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


def script(tests: str, options: str = 'start_method="spawn"') -> str:
    return f"""
from drivers import *
from runner import run_all
if __name__ == "__main__":
    run_all([{tests}], {options})
"""


def test_drivers_are_made_anew_and_told_about_the_suite(run: Run) -> None:
    assert run(script("Simple, Simple", 'jobs=1, start_method="spawn"')) == [
        "t0.run hello 0 True 0",
        "t1.run hello 1 True 0",
    ]


def test_along_a_chain_the_driver_and_what_cannot_be_sent_stay(run: Run) -> None:
    """Also where a fragment has another name than the method that it is."""
    assert run(script("Chain", 'jobs=1, start_method="spawn"')) == [
        "t0.one Returned(value=None, raised='', aborted=False, unpicklable='', leaks=())",
        "t0.three nor this made by one",
        "t0.two not sendable made by one",
    ]


def test_attributes_travel_where_a_test_forks_and_joins(run: Run) -> None:
    assert run(script("Diamond"))[-1] == "t0.z 1 2 3"


def test_what_cannot_be_made_there_is_an_error_of_that_test_only(run: Run) -> None:
    tests = "Unsendable, FailsElsewhere, ForgetsElsewhere, Simple"
    lines = run(script(tests, 'jobs=1, start_method="spawn"'))

    assert lines[0].startswith(
        "t0.run RuntimeError: this test cannot be sent to a fresh interpreter, "
        "use --start-method=fork: "
    )
    assert lines[1:] == [
        "t1.run ValueError: planted",
        "t2.run KeyError: 't2.run'",
        "t3.run hello 3 True 0",
    ]


def test_programs_of_a_test_get_neither_the_channel_nor_the_setup(run: Run) -> None:
    assert run(script("Looks")) == ["t0.run 0"]


def test_slots_have_numbers_of_which_some_are_those_of_descriptors(run: Run) -> None:
    tests = ", ".join(["Simple"] * 12)
    lines = run(script(tests, 'jobs=12, start_method="spawn"'))

    assert len(lines) == 12
    assert all(line.split()[1] == "hello" for line in lines)


IN_MAIN = """
from drivers import Base
from runner import run_all

class Local(Base):
    def add_test(self, dag):
        self.add(dag, "run")
    def run(self, previous, slot):
        print(type(self).__module__, helper())

def helper():
    return "found"

if __name__ == "__main__":
    run_all([Local], start_method="spawn")
"""


@pytest.mark.parametrize("how", [(), ("-m", "suite"), ("suite.py",)])
def test_drivers_may_live_in_the_main_script_or_module(run: Run, how: tuple[str, ...]) -> None:
    assert run(IN_MAIN, *how) == ["t0.run __main__ found"]


def test_a_main_script_that_cannot_be_imported_again_ends_the_run(run: Run) -> None:
    code = """
from drivers import *
from runner import run_all
from testloom.model.errors import WorkersCannotStart
if __name__ != "__main__":
    raise ValueError("planted")
try:
    run_all([Simple], start_method="spawn")
except WorkersCannotStart as error:
    print(error)
"""
    lines = run(code)

    assert lines[-1] == (
        "3 workers in a row could not be started; "
        "the last: ended with exit status 1 ValueError: planted"
    )


def test_in_this_process_the_same_tests_run_one_after_the_other(run: Run) -> None:
    lines = run(script("Simple, Chain, Diamond", "jobs=1, in_process=True"))

    assert lines[:4] == [
        "hello 0 True 0",
        "not sendable made by one",
        "nor this made by one",
        "1 2 3",
    ]
    assert len(lines) == 4 + 8
    assert os.getpid() > 0
