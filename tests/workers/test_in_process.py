"""Fragments in the main process, one at a time."""

from __future__ import annotations

import os
import pdb  # noqa: T100 - to see that it is called
import signal
import subprocess
from typing import Any

import pytest

from testloom.model.errors import TestAbort
from testloom.model.outcome import Returned, Stopped
from testloom.processes import signals
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.workers.in_process import InProcessWorkers


@pytest.fixture
def run_here(lab: Any) -> Any:
    def run(jobs: int = 1, **options: Any) -> Any:
        lab.scheduler = MultiprocessScheduler(lab.dag, lab._make, lab._collect, jobs, loop=lab.loop)
        lab.pool = InProcessWorkers(
            fragments=lab.fragments,
            predecessors=dict(lab.dag.vertex_predecessors_items()),
            loop=lab.loop,
            env=None,
            **options,
        )
        lab.scheduler.run()
        lab.pool.close()
        return lab.ran

    return run


def test_values_are_handed_over_as_they_are(lab: Any, run_here: Any) -> None:
    value = object()
    seen: list[Any] = []
    lab.add("a.run", lambda *_: value)
    lab.add("b.run", lambda _s, previous, slot: seen.append((previous, slot)), after="a.run")
    ran = run_here()

    assert seen == [({"a.run": value}, 0)]
    assert (ran["a.run"], ran["b.run"]) == (Returned(), Returned())


def test_values_are_let_go_when_everybody_has_had_them(lab: Any, run_here: Any) -> None:
    lab.add("a.run", lambda *_: "value")
    lab.add("b.run", lambda *_: "nobody wants it", after="a.run")
    lab.add("c.run", lambda *_: None, after="a.run b.run")
    run_here()

    assert lab.pool._values._values == {}


def test_exceptions_and_aborts_are_ends(lab: Any, run_here: Any) -> None:
    def fail(*_: Any) -> None:
        raise SystemExit(3)

    def abort(*_: Any) -> None:
        raise TestAbort

    seen: list[Any] = []
    lab.add("a.run", fail)
    lab.add("b.run", abort)
    lab.add("c.run", lambda _s, previous, _n: seen.append(previous), after="a.run b.run")
    ran = run_here()

    assert ran["a.run"].raised.endswith("SystemExit: 3\n")
    assert ran["b.run"] == Returned(aborted=True)
    assert [repr(value) for value in seen[0].values()] == ["SystemExit(3)", "None"]


def test_the_process_is_restored_after_each(
    lab: Any, run_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pollute(*_: Any) -> None:
        os.chdir("/")
        os.environ["LEAKED"] = "x"

    before = os.getcwd()
    lab.add("a.run", pollute)
    ran = run_here()

    assert ran["a.run"] == Returned(leaks=("directory", "environment"))
    assert (os.getcwd(), "LEAKED" in os.environ) == (before, False)


def test_what_main_has_opened_and_started_is_left_alone(lab: Any, run_here: Any) -> None:
    own: list[Any] = []

    def open_one(_worker: Any) -> None:
        own.append(open("/dev/null", "rb"))  # noqa: SIM115 - closed below
        own.append(subprocess.Popen(["sleep", "99"]))

    lab.add("a.run", lambda *_: None)
    lab.add("b.run", lambda *_: None)
    lab.on_collect = open_one
    run_here()
    alive = [process.poll() for process in own[1::2]]
    for file, process in zip(own[::2], own[1::2], strict=True):
        assert file.read() == b""
        file.close()
        process.kill()
        process.wait()

    assert alive == [None, None]


def test_a_signal_is_heard_between_two_fragments(lab: Any, run_here: Any) -> None:
    """Fragments follow each other without a pause, and must not shut signals out."""
    for n in range(20):
        lab.add(f"t{n}.run", lambda self, *_: self.act(), act=lambda: None)
    lab.fragments["t3.run"].driver.act = lambda: signal.raise_signal(signal.SIGTERM)
    with signals.told_to(lab.loop, lambda _n: lab.scheduler.stop(Phase.TERMINATING)):
        ran = run_here()

    assert 4 <= len(ran.order) < 7
    assert ran[ran.order[-1]] in (Stopped("interrupted"), Returned())


def test_those_that_have_not_begun_when_another_fails_do_not_begin(lab: Any, run_here: Any) -> None:
    begun: list[str] = []
    for uid in "ab":
        lab.add(f"{uid}.run", lambda self, *_: begun.append(self.me), me=uid)

    def fail(_worker: Any) -> None:
        raise ValueError("planted")

    lab.on_collect = fail
    with pytest.raises(ValueError, match="planted"):
        run_here(jobs=2)

    assert begun == ["a"]


def test_the_debugger_starts_where_it_was_raised(
    lab: Any, run_here: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where: list[Any] = []
    monkeypatch.setattr(pdb, "post_mortem", where.append)

    def fail(*_: Any) -> None:
        raise ValueError("planted")

    def abort(*_: Any) -> None:
        raise TestAbort

    lab.add("a.run", fail)
    lab.add("b.run", abort)
    run_here(post_mortem=True)

    assert len(where) == 1
    assert "ValueError: planted" in capsys.readouterr().err


def test_a_test_that_runs_again_is_given_the_same_values_and_an_untouched_driver(
    lab: Any, run_here: Any
) -> None:
    seen: list[Any] = []

    def look(test: Any, previous: dict[str, Any], _slot: int) -> None:
        seen.append((previous, vars(test).get("mark")))
        test.mark = "touched"

    def collect(worker: Any) -> None:
        if worker.uid != "b.look":
            return
        if len(seen) < 3:
            lab.pool.again(["b.look"])
            lab.scheduler.again({"b.look": []})
        else:
            lab.pool.release(["b.look"])

    lab.add("a.run", lambda *_: "value")
    lab.add("b.look", look, after="a.run")
    lab.on_collect = collect
    run_here(repeatable={"b.look"})

    assert seen == [({"a.run": "value"}, None)] * 3
    assert (lab.pool._values._values, lab.pool._untouched) == ({}, {})
