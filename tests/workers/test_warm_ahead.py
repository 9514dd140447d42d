"""Slots that go on by themselves with what is laid out for them: real processes, short fragments."""

from __future__ import annotations

import os
import signal
import types
from collections.abc import Callable
from typing import Any

import pytest

from testloom.model import records
from testloom.model.outcome import Exited, FragmentTimedOut, Killed, Returned, WorkerDied
from testloom.model.result import TestResult
from testloom.model.status import TestStatus
from testloom.scheduling import Phase
from testloom.scheduling.ahead import DEPTH
from testloom.workers.slot import Slot

MANY = 150


@pytest.fixture
def gone_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the fragments that a slot has gone on with."""
    found: list[str] = []
    begin = Slot.begin_laid_out

    def note(slot: Slot, worker: Any) -> bool:
        was_laid_out = begin(slot, worker)
        if was_laid_out:
            found.append(worker.uid)
        return was_laid_out

    monkeypatch.setattr(Slot, "begin_laid_out", note)
    return found


def pushes(name: str) -> Callable[..., None]:
    def run(driver: Any, _previous: Any, _slot: int) -> None:
        driver.on_push(types.SimpleNamespace(result=TestResult(name, status=TestStatus.PASS)))

    return run


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_each_runs_once_and_has_its_own_results(lab: Any, jobs: int, gone_on: list[str]) -> None:
    for number in range(MANY):
        lab.add(f"t{number}.run", lab.test(run=pushes(f"t{number}")))

    ran = lab.run_ahead(jobs)

    assert len(ran.order) == MANY
    for uid, worker in ran.workers.items():
        assert worker.end == Returned()
        assert [f"{records.decode(data).name}.run" for data in worker.results] == [uid]
    assert len(gone_on) > MANY / 10


def test_each_begins_after_the_one_before_it_in_its_slot(lab: Any, gone_on: list[str]) -> None:
    """Though main hears of several at a time."""
    for number in range(MANY):
        lab.add(f"t{number}.run", lambda *_: None)

    ran = lab.run_ahead()

    free_at = [0.0, 0.0]
    for uid in ran.order:
        worker = ran.workers[uid]
        assert worker.started_at >= free_at[worker.slot]
        free_at[worker.slot] = worker.started_at + worker.wall_s
    assert len(gone_on) > MANY / 10


def test_each_has_its_own_output(lab: Any, gone_on: list[str]) -> None:
    def says(name: str) -> Callable[..., None]:
        def run(*_: Any) -> None:
            os.write(1, name.encode())

        return run

    for number in range(MANY):
        # A silent one before each: what follows it is not waited with.
        lab.add(f"s{number}.run", lambda *_: None)
        lab.add(f"t{number}.run", says(f"t{number}.run"))

    ran = lab.run_ahead()

    for uid, worker in ran.workers.items():
        assert worker.output.decode() == (uid if uid.startswith("t") else "")
    assert len(gone_on) > MANY / 10


def test_a_slot_stays_with_a_test_until_its_last_fragment(lab: Any, gone_on: list[str]) -> None:
    """Also if the first one was laid out among others."""

    def first(driver: Any, _previous: Any, slot: int) -> None:
        driver.was_in = slot, os.getpid()

    def second(driver: Any, _previous: Any, slot: int) -> None:
        assert driver.was_in == (slot, os.getpid())

    for number in range(MANY):
        lab.add(f"t{number}.first", driver := lab.test(first=first, second=second))
        if number % 3 == 0:
            lab.add(f"t{number}.second", driver, after=f"t{number}.first")

    ran = lab.run_ahead()

    assert {uid: worker.end for uid, worker in ran.workers.items() if worker.end.raised} == {}
    assert len(gone_on) > MANY / 10


def test_who_dies_dies_alone(lab: Any, gone_on: list[str]) -> None:
    deaths: dict[int, Exited | Killed]
    deaths = {7: Exited(3), 8: Exited(3), 40: Killed(signal.SIGKILL), 90: Killed(signal.SIGSEGV)}

    def die(how: Exited | Killed) -> Callable[..., None]:
        if isinstance(how, Exited):
            return lambda *_: os._exit(how.code)
        return lambda *_: os.kill(os.getpid(), how.signal)

    for number in range(MANY):
        how = deaths.get(number)
        run = die(how) if how else pushes(f"t{number}")
        lab.add(f"t{number}.run", lab.test(run=run))

    ran = lab.run_ahead()

    ends = {int(uid[1:-4]): worker.end for uid, worker in ran.workers.items()}
    died = {number: end for number, end in ends.items() if end != Returned()}
    assert died == {number: WorkerDied(how) for number, how in deaths.items()}
    assert sum(len(worker.results) for worker in ran.workers.values()) == MANY - len(deaths)
    assert gone_on


def test_who_dies_while_something_is_laid_out_has_run_once(
    lab: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was laid out runs in the next process, once as well."""
    fd = os.open(tmp_path / "begun", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    reader, writer = os.pipe()
    lay_out, go_on = Slot.lay_out, Slot.begin_laid_out

    def let_die(slot: Slot) -> None:
        if slot.laid_out and slot._worker and slot._worker.uid == "t30.run":
            os.write(writer, b".")

    def lay_out_and_let_die(slot: Slot, order: Any) -> None:
        lay_out(slot, order)
        let_die(slot)

    def go_on_and_let_die(slot: Slot, worker: Any) -> bool:
        has_gone_on = go_on(slot, worker)
        let_die(slot)
        return has_gone_on

    def begin(number: int) -> Callable[..., None]:
        def run(*_: Any) -> None:
            os.write(fd, f"t{number}.run\n".encode())
            if number == 30:
                os.read(reader, 1)
                os._exit(3)

        return run

    monkeypatch.setattr(Slot, "lay_out", lay_out_and_let_die)
    monkeypatch.setattr(Slot, "begin_laid_out", go_on_and_let_die)
    for number in range(60):
        lab.add(f"t{number}.run", begin(number))
    ran = lab.run_ahead(1)
    for one in (fd, reader, writer):
        os.close(one)

    assert ran["t30.run"] == WorkerDied(Exited(3))
    begun = (tmp_path / "begun").read_text().split()
    assert sorted(begun) == sorted(ran.order)


def test_nothing_waits_behind_one_that_takes_long(lab: Any) -> None:
    """What was laid out for its slot is run elsewhere, long before that one ends."""
    reader, writer = os.pipe()

    def run(*_: Any) -> None:
        os.read(reader, 1)

    for number in range(40):
        lab.add(f"a{number}.run", lambda *_: None)
    lab.add("long.run", run)
    for number in range(40):
        lab.add(f"b{number}.run", lambda *_: None)

    def release(worker: Any) -> None:
        if len(lab.ran.order) == 80:
            assert worker.uid != "long.run"
            os.write(writer, b".")

    lab.on_collect = release
    ran = lab.run_ahead()
    os.close(reader)
    os.close(writer)

    assert ran.order[-1] == "long.run"


def test_one_that_takes_too_long_takes_nobody_with_it(lab: Any, fast_grace: None) -> None:
    def hang(*_: Any) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        while True:
            signal.pause()

    for number in range(60):
        lab.add(f"t{number}.run", hang if number == 30 else lambda *_: None)

    ran = lab.run_ahead(timeout_s=0.3)

    for uid, worker in ran.workers.items():
        late = FragmentTimedOut(0.3, ignored_term=True)
        assert worker.end == (late if uid == "t30.run" else Returned())


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.TERMINATING, Phase.KILLING])
def test_what_has_begun_when_the_run_is_stopped_is_heard_of(
    lab: Any, phase: Phase, tmp_path: Any
) -> None:
    """And nothing else begins."""
    fd = os.open(tmp_path / "begun", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def begin(name: str) -> Callable[..., None]:
        def run(*_: Any) -> None:
            os.write(fd, f"{name}\n".encode())

        return run

    for number in range(MANY):
        lab.add(f"t{number}.run", begin(f"t{number}.run"))

    def stop(_worker: Any) -> None:
        if len(lab.ran.order) == 50:
            lab.scheduler.stop(phase)

    lab.on_collect = stop
    ran = lab.run_ahead()
    os.close(fd)

    begun = (tmp_path / "begun").read_text().split()
    assert len(set(begun)) == len(begun)
    assert set(begun) <= set(ran.order)
    assert len(ran.order) <= 50 + 2 * (1 + DEPTH)


def test_who_leaves_something_behind_is_told_so_and_nobody_else(lab: Any) -> None:
    def leave(*_: Any) -> None:
        if os.fork() == 0:
            while True:
                signal.pause()

    for number in range(40):
        lab.add(f"t{number}.run", leave if number == 20 else lambda *_: None)

    ran = lab.run_ahead(1)

    assert len(ran.order) == 40
    assert [uid for uid, worker in ran.workers.items() if worker.end.leaks] == ["t20.run"]
