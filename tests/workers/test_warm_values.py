"""What fragments hand to those that follow: values, exceptions, attributes of their driver."""

from __future__ import annotations

import os
import pickle
import signal
from typing import Any

import pytest

from testloom.model.outcome import Exited, Returned, WorkerDied
from testloom.workers import running
from testloom.workers import values as values_module


def shows(_self: Any, previous: dict[str, Any], _slot: int) -> None:
    print(previous)


def test_values_go_by_name_in_a_test_and_by_uid_across_tests(lab: Any) -> None:
    a = lab.add("a.one", lab.test(one=lambda *_: {"x": [1, 2]}, two=shows))
    lab.add("b.other", lambda *_: (3, "é", None))
    lab.add("a.two", a, after="a.one b.other")

    assert lab.run().output("a.two") == "{'one': {'x': [1, 2]}, 'b.other': (3, 'é', None)}\n"


def test_no_value_is_none(lab: Any) -> None:
    lab.add("a.run", lambda *_: None)
    lab.add("b.run", shows, after="a.run")

    assert lab.run().output("b.run") == "{'a.run': None}\n"


def test_a_value_reaches_everybody_who_follows(lab: Any) -> None:
    lab.add("a.run", lambda *_: "x" * 10)
    for n in range(20):
        lab.add(f"b{n}.run", shows, after="a.run")
    ran = lab.run(jobs=3)

    assert {ran.output(f"b{n}.run") for n in range(20)} == {"{'a.run': 'xxxxxxxxxx'}\n"}


def test_what_was_raised_is_the_value(lab: Any) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("planted")

    lab.add("a.run", fail)
    lab.add("b.run", lambda _s, p, _n: print(repr(p["a.run"])), after="a.run")

    assert lab.run().output("b.run") == "ValueError('planted')\n"


class TwoArguments(Exception):
    """Pickles well and cannot be loaded."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_an_exception_that_cannot_be_loaded_comes_as_another(lab: Any) -> None:
    def fail(*_: Any) -> None:
        raise TwoArguments(1, 2)

    lab.add("a.run", fail)
    lab.add("b.run", lambda _s, p, _n: print(repr(p["a.run"])), after="a.run")

    assert lab.run().output("b.run") == "RuntimeError('TwoArguments: 1 and 2')\n"


class Reduces:
    """A value that does something while it is pickled."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        if self.how == "raise":
            raise ValueError("planted")
        if self.how == "exit":
            raise SystemExit(0)
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        return loads, (self.how,)


def loads(how: str) -> str:
    if how == "raise at load":
        raise ValueError("planted")
    if how == "exit at load":
        raise SystemExit(0)
    if how == "die at load":
        os._exit(9)
    return how


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda: 0, "function: "),
        ((n for n in "x"), "generator: cannot pickle 'generator' object"),
        (Reduces("raise"), "Reduces: planted"),
        (Reduces("exit"), "Reduces: 0"),
    ],
    ids=["function", "generator", "raises", "exits"],
)
def test_what_cannot_be_sent_is_said_and_lost(lab: Any, value: Any, why: str) -> None:
    lab.add("a.run", lambda *_: value)
    lab.add("b.run", shows, after="a.run")
    ran = lab.run()
    end = ran["a.run"]

    assert isinstance(end, Returned)
    assert end == Returned(unpicklable=end.unpicklable)
    assert end.unpicklable.startswith(why)
    assert "FragmentLost" in ran.output("b.run")
    assert f"a.run: its value cannot be sent: {why}" in ran.output("b.run")


def test_what_nobody_follows_need_not_be_sendable(lab: Any) -> None:
    lab.add("a.run", lambda *_: lambda: 0)

    assert lab.run()["a.run"] == Returned()


def test_who_dies_while_it_is_pickled_is_its_fragments_fault(lab: Any) -> None:
    lab.add("a.run", lambda *_: Reduces("die"))
    lab.add("b.run", shows, after="a.run")
    ran = lab.run()

    assert isinstance(ran["a.run"], WorkerDied)
    assert ran["b.run"] == Returned()


@pytest.mark.parametrize("how", ["raise at load", "exit at load"])
def test_a_value_that_cannot_be_loaded_is_lost(lab: Any, how: str) -> None:
    lab.add("a.run", lambda *_: Reduces(how))
    lab.add("b.run", shows, after="a.run")
    ran = lab.run()

    assert ran["b.run"] == Returned()
    assert "FragmentLost" in ran.output("b.run")
    assert "a.run: its value cannot be loaded: " in ran.output("b.run")


def test_a_value_that_kills_harms_only_who_asked_for_it(lab: Any) -> None:
    lab.add("a.run", lambda *_: Reduces("die at load"))
    lab.add("b.run", shows, after="a.run")
    lab.add("c.run", lambda *_: None)
    ran = lab.run()

    assert (ran["a.run"], ran["b.run"], ran["c.run"]) == (
        Returned(),
        WorkerDied(Exited(9)),
        Returned(),
    )


# -- chains: one worker, one driver ------------------------------------------------------------


def test_along_a_chain_values_that_cannot_be_sent_arrive_as_they_are(lab: Any) -> None:
    def first(self: Any, _previous: Any, _slot: int) -> Any:
        self.made = lambda: "the same"
        return self.made

    def second(self: Any, previous: Any, _slot: int) -> Any:
        print(previous["first"] is self.made, previous["first"]())
        return 2

    a = lab.add("a.first", lab.test(first=first, second=second, third=shows))
    lab.add("a.second", a, after="a.first")
    lab.add("a.third", a, after="a.second")
    ran = lab.run()

    assert (ran["a.first"], ran.output("a.second")) == (Returned(), "True the same\n")
    assert ran.output("a.third") == "{'second': 2}\n"


def test_a_chain_runs_in_one_process_and_slot_whatever_else_runs(lab: Any) -> None:
    def where(_self: Any, _previous: Any, slot: int) -> None:
        print(slot, os.getpid())

    for test in "abcdefgh":
        driver = lab.test(**dict.fromkeys(["f1", "f2", "f3"], where))
        for n in (1, 2, 3):
            lab.add(f"{test}.f{n}", driver, after=f"{test}.f{n - 1}" if n > 1 else "")
    ran = lab.run(jobs=3)

    for test in "abcdefgh":
        assert len({ran.output(f"{test}.f{n}") for n in (1, 2, 3)}) == 1


def test_a_value_that_its_dead_worker_had_is_lost(lab: Any) -> None:
    """The worker is killed between two fragments of a chain."""
    a = lab.add("a.first", lab.test(first=lambda *_: lambda: 0, second=shows))
    lab.add("a.second", a, after="a.first")

    def kill_idle(worker: Any) -> None:
        if worker.uid == "a.first":
            kill_and_wait(*lab.pool.pids)

    lab.on_collect = kill_idle
    ran = lab.run(jobs=1)

    assert ran["a.second"] == Returned()
    assert "the worker that had it is gone" in ran.output("a.second")


def test_another_test_does_not_get_a_value_that_cannot_be_sent(lab: Any) -> None:
    a = lab.add("a.first", lab.test(first=lambda *_: lambda: 0, second=lambda *_: None))
    lab.add("a.second", a, after="a.first")
    lab.add("b.run", shows, after="a.first")

    assert "FragmentLost" in lab.run().output("b.run")


def kill_and_wait(*pids: int) -> None:
    from testloom.processes import tree

    tree.signal_all(pids, signal.SIGKILL)
    assert tree.wait_gone(pids, 20)


# -- forks and joins: attributes travel -----------------------------------------------------------


def test_attributes_reach_those_that_follow_wherever_they_run(lab: Any) -> None:
    """a -> l, r -> j: both sides see what a set, and j what all have set."""

    def start(self: Any, *_: Any) -> None:
        self.base = 1
        self.shared = [self.base]
        self.unsendable = lambda: 0

    def left(self: Any, *_: Any) -> None:
        self.left = self.base + 1
        self.base = 10

    def right(self: Any, *_: Any) -> None:
        self.right = self.base + 2

    def join(self: Any, *_: Any) -> None:
        print(self.left, self.right, self.base, self.shared)

    driver = lab.test(start=start, left=left, right=right, join=join)
    lab.add("a.start", driver)
    lab.add("a.left", driver, after="a.start")
    lab.add("a.right", driver, after="a.start")
    lab.add("a.join", driver, after="a.left a.right")
    ran = lab.run(jobs=3)

    assert ran.output("a.join") == "2 3 10 [1]\n"


def test_what_a_test_has_set_is_forgotten_when_it_is_over(lab: Any) -> None:
    """The worker keeps a driver of each test: their logs would pile up."""

    def fill(self: Any, *_: Any) -> None:
        self.log = "x" * 1_000_000

    def look(self: Any, *_: Any) -> None:
        print(sum("log" in vars(driver) for driver in self.drivers))

    drivers = [lab.add(f"t{n}.run", fill) for n in range(5)]
    forked = lab.test(one=fill, two=fill, three=fill, four=fill)
    lab.add("f.one", forked)
    lab.add("f.two", forked, after="f.one")
    lab.add("f.three", forked, after="f.one")
    lab.add("f.four", forked, after="f.two f.three")
    lab.add("look.run", look, after="f.four " + " ".join(f"t{n}.run" for n in range(5)))
    lab.fragments["look.run"].driver.drivers = [*drivers, forked]

    assert lab.run(jobs=1).output("look.run") == "0\n"


# -- processes of their own ---------------------------------------------------------------------------


def test_who_asks_for_a_process_of_its_own_gets_one_each_time(lab: Any) -> None:
    def count(self: Any, previous: Any, _slot: int) -> int:
        self.calls = [*getattr(self, "calls", []), os.getpid()]
        print(len(self.calls), len(set(self.calls)), previous)
        return len(self.calls)

    driver = lab.test(**dict.fromkeys(["f1", "f2", "f3"], count))
    lab.add("other.run", lambda *_: None)
    for n in (1, 2, 3):
        lab.add(
            f"a.f{n}", driver, after=f"a.f{n - 1}" if n > 1 else "other.run", isolation="process"
        )
    ran = lab.run(jobs=1)

    assert [ran.output(f"a.f{n}") for n in (1, 2, 3)] == [
        "1 1 {'other.run': None}\n",
        "2 2 {'f1': 1}\n",
        "3 3 {'f2': 2}\n",
    ]


def test_processes_of_their_own_cannot_share_what_cannot_be_sent(lab: Any) -> None:
    driver = lab.test(f1=lambda *_: lambda: 0, f2=shows)
    lab.add("a.f1", driver, isolation="process")
    lab.add("a.f2", driver, after="a.f1")
    ran = lab.run()
    end = ran["a.f1"]

    assert isinstance(end, Returned)
    assert end.unpicklable
    assert "FragmentLost" in ran.output("a.f2")


# -- large values ---------------------------------------------------------------------------------------


def test_a_large_value_arrives_whole(lab: Any) -> None:
    data = os.urandom(3_000_000)
    lab.add("a.run", lambda *_: data)
    lab.add("b.run", lambda _s, p, _n: print(p["a.run"] == data), after="a.run")
    lab.add("c.run", lambda _s, p, _n: print(p["a.run"] == data), after="a.run b.run")
    ran = lab.run()

    assert (ran.output("b.run"), ran.output("c.run")) == ("True\n", "True\n")


def test_a_value_over_the_limit_is_not_sent(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_VALUE_BYTES", 1000)
    lab.add("a.run", lambda *_: bytes(2000))
    lab.add("b.run", shows, after="a.run")
    ran = lab.run()

    size = len(pickle.dumps(bytes(2000), protocol=pickle.HIGHEST_PROTOCOL))
    assert ran["a.run"] == Returned(unpicklable=f"{size} bytes, the limit is 1000")
    assert f"its value cannot be sent: {size} bytes" in ran.output("b.run")


def test_values_that_are_too_much_together_are_lost_together(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values_module, "MAX_TOGETHER", 5000)
    for n in range(3):
        lab.add(f"a{n}.run", lambda *_: bytes(2000))
    lab.add("few.run", lambda _s, p, _n: print(*map(type, p.values())), after="a0.run a1.run")
    lab.add(
        "all.run", lambda _s, p, _n: print(*map(repr, p.values())), after="a0.run a1.run a2.run"
    )
    ran = lab.run()

    assert ran.output("few.run") == "<class 'bytes'> <class 'bytes'>\n"
    assert ran.output("all.run").count("FragmentLost") == 3


def test_many_values_for_one(lab: Any) -> None:
    for n in range(2000):
        lab.add(f"a{n}.run", lambda self, *_: self.n, n=n)
    lab.add(
        "z.run",
        lambda _s, p, _n: print(len(p), sum(p.values())),
        after=" ".join(f"a{n}.run" for n in range(2000)),
    )

    assert lab.run().output("z.run") == f"2000 {sum(range(2000))}\n"


@pytest.mark.slow
def test_large_values_on_their_way_are_not_kept_in_memory(script: Any) -> None:
    """Forty of three megabytes each; four at a time are given to others."""
    code = """
import os, resource, sys
from e3.collection.dag import DAG
from testloom.model.fragment import FragmentData
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler
from testloom.workers.forking import forking
from testloom.workers.warm import WarmPool

class D:
    on_push = None
    def run(self, previous, slot):
        return bytes(3_000_000)
    def last(self, previous, slot):
        return None

dag, fragments = DAG(), {}
def add(uid, name, before):
    fragments[uid] = FragmentData(uid, D(), name, None)
    dag.update_vertex(uid, data=fragments[uid], predecessors=before, enable_checks=False)
for n in range(40):
    add(f"a{n}", "run", [])
for n in range(4):
    add(f"z{n}", "last", [f"a{m}" for m in range(n * 4, n * 4 + 4)])
add("zz", "last", [f"a{m}" for m in range(40)])
loop, ended = EventLoop(), []
scheduler = MultiprocessScheduler(dag, lambda u, d, s: pool.worker(u, d, s), ended.append, jobs=2, loop=loop)
pool = WarmPool(fragments=fragments, predecessors=dict(dag.vertex_predecessors_items()), loop=loop, env=None,
    make_nursery=forking(list(fragments.values()), name=f"testloom-test-{os.getpid()}"), continues=scheduler.continues)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scheduler.run()
pool.close()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(len(ended), {type(w.end).__name__ for w in ended}, grown)
"""
    ran = script(code)
    count, ends, grown = ran.stdout.split()

    assert (count, ends, ran.stderr) == ("45", "{'Returned'}", "")
    assert int(grown) < 80_000


def test_a_test_that_runs_again_is_given_the_same_values_and_an_untouched_driver(lab: Any) -> None:
    def first(test: Any, previous: dict[str, Any], _slot: int) -> None:
        print(previous, vars(test).get("seen"))
        test.seen = os.getpid()

    def second(test: Any, _previous: dict[str, Any], _slot: int) -> None:
        print(test.seen == os.getpid())

    lab.add("a.run", lambda *_: "value")
    test = lab.add("b.first", lab.test(first=first, second=second), after="a.run")
    lab.add("b.second", test, after="b.first")
    repeatable = {"b.first", "b.second"}
    outputs: list[str] = []

    def collect(worker: Any) -> None:
        outputs.append(worker.output.decode())
        if worker.uid == "b.second" and len(outputs) < 9:
            lab.pool.again(repeatable)
            lab.scheduler.again({"b.first": [], "b.second": ["b.first"]}, after_s=0.01)

    lab.on_collect = collect
    lab.run(jobs=1, repeatable=repeatable)
    assert outputs == ["", *["{'a.run': 'value'} None\n", "True\n"] * 4]
