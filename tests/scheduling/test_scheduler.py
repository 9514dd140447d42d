"""The scheduler's decisions, with workers that end when they are told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.model.errors import CycleError, InternalError, UsageError, WorkersCannotStart
from testloom.processes.clock import ManualClock
from testloom.processes.loop import EventLoop
from testloom.scheduling import (
    MultiprocessScheduler,
    Needs,
    Phase,
    Worker,
    available_cores,
    compute_next_dyn_poll,
)
from testloom.scheduling.opening import FIRST_LOOK_S, WINDOW_S, Opening


class Puppet(Worker):
    """A worker that ends when the lab says so; notes what is asked of it."""

    ended: Callable[[], None]

    def start(self) -> None:
        self.env.say(f"start {self.uid}@{self.slot}")
        self.env.puppets[self.uid] = self

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        self.ended = ended
        return True

    def terminate(self) -> None:
        self.env.say(f"terminate {self.uid}")

    def kill(self) -> None:
        self.env.say(f"kill {self.uid}")
        self.env.loop.call_soon(self.ended)


class Polled(Puppet):
    """One that cannot be waited for."""

    polls = 0

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        self.ended = ended
        return False

    def poll(self, scheduler: object) -> bool:
        self.polls += 1
        return self.polls < 3


class Lab:
    """A scheduler over a drawn graph, its clock, and a log of what it does."""

    def __init__(self, drawing: str, jobs: int, **options: Any) -> None:
        self.clock = ManualClock()
        self.loop = EventLoop(self.clock)
        self.log: list[str] = []
        self.puppets: dict[str, Puppet] = {}
        self.worker_cls: type[Puppet] = Puppet
        self.on_collect: Callable[[Worker], None] = lambda _worker: None
        self.scheduler = MultiprocessScheduler(
            drawn(drawing), self._make, self._collect, jobs, loop=self.loop, **options
        )

    def _make(self, uid: str, data: Any, slot: int) -> Worker:
        return self.worker_cls(uid, None, "run", slot, self)

    def _collect(self, worker: Worker) -> None:
        self.say(f"collect {worker.uid}")
        self.on_collect(worker)

    def say(self, what: str) -> None:
        self.log.append(what)

    def step(self, ends: str = "", seconds: float = 0.0) -> list[str]:
        """Let the workers *ends* end and time pass; return what that led to."""
        self.log.clear()
        self.clock.advance(seconds)
        self.loop.look()  # it has passed while the loop waited
        for uid in ends.split():
            self.loop.call_soon(self.puppets[uid].ended)
        self.loop.call_soon(list)
        self.scheduler.step()
        self.scheduler._fill()
        return list(self.log)

    def run(self) -> None:
        self.loop.call_soon(list)
        self.scheduler.run()


def drawn(drawing: str) -> DAG:
    """Return the graph of ``a -> b c; d``; units with the same letter are of one test."""
    dag = DAG()
    drivers: dict[str, object] = {}
    for line in drawing.split(";"):
        before: list[str] = []
        for step in line.split("->"):
            for uid in step.split():
                data = type(
                    "Data", (), {"driver": drivers.setdefault(uid[0], object()), "uid": uid}
                )
                dag.update_vertex(uid, data=data, predecessors=before, enable_checks=False)
            before = step.split()
    return dag


@pytest.fixture
def lab() -> Iterator[Callable[..., Lab]]:
    labs: list[Lab] = []

    def make(drawing: str, jobs: int = 2, **options: Any) -> Lab:
        labs.append(Lab(drawing, jobs, **options))
        return labs[-1]

    yield make
    for one in labs:
        one.loop.close()


def test_the_lowest_free_slots_are_filled_in_order(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c; d", jobs=3)

    assert it.step() == ["start a@0", "start b@1", "start c@2"]
    assert it.step("b a") == ["collect b", "collect a", "start d@0"]
    assert [worker and worker.uid for worker in it.scheduler.workers] == ["d", None, "c"]


def test_a_unit_starts_when_what_it_needs_has_been_collected(lab: Callable[..., Lab]) -> None:
    it = lab("a b -> c", jobs=3)

    assert it.step() == ["start a@0", "start b@1"]
    assert it.step("a") == ["collect a"]
    assert it.step("b") == ["collect b", "start c@0"]


def test_a_chain_stays_in_its_slot_and_is_not_overtaken(lab: Callable[..., Lab]) -> None:
    it = lab("a1 -> a2 -> a3; b; c", jobs=2)

    assert it.step() == ["start a1@0", "start b@1"]
    assert it.step("b a1") == ["collect b", "collect a1", "start a2@0", "start c@1"]
    assert it.step("a2") == ["collect a2", "start a3@0"]


def test_priorities_decide_among_the_ready(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c", jobs=1, priorities={"c": 5.0})

    assert it.step() == ["start c@0"]


def test_a_run_of_nothing_returns(lab: Callable[..., Lab]) -> None:
    lab("").scheduler.run()


def test_the_documented_attributes_keep_step(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c", jobs=2)
    scheduler = it.scheduler

    def seen() -> tuple[object, ...]:
        return (
            scheduler.active_workers,
            scheduler.has_free_slots,
            scheduler.no_work_left,
            scheduler.waiting,
        )

    at_first = seen()
    it.step()
    busy = seen()
    it.step("a b")
    last = seen()

    assert (at_first, busy, last) == (
        (0, True, False, 3),
        (2, False, False, 1),
        (1, True, True, 0),
    )
    assert (scheduler.parallelism, scheduler.poll_interval) == (2, 0.1)
    assert [w.slot for w in scheduler.workers if w] == [0]
    it.step("c")
    assert not scheduler.step()


def test_who_says_that_no_work_is_left_lets_what_runs_end(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c", jobs=1)
    it.step()
    it.scheduler.no_work_left = True

    assert it.step("a") == ["collect a"]
    assert (it.scheduler.step(), it.scheduler.waiting) == (False, 2)


def test_no_jobs_means_one_a_core() -> None:
    scheduler = MultiprocessScheduler(DAG(), lambda *_: Puppet("", None, "", 0, None), print)
    scheduler.loop.close()

    assert (scheduler.parallelism, available_cores() > 0) == (available_cores(), True)


@pytest.mark.parametrize(
    ("drawing", "jobs", "error", "message"),
    [
        ("a", -1, UsageError, "the number of jobs must not be negative: -1; 0 means one a core"),
        (
            "a -> b; b -> a",
            1,
            CycleError,
            "these fragments wait for each other: a -> b -> a; remove one of these dependencies",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    drawing: str, jobs: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        MultiprocessScheduler(drawn(drawing), print, print, jobs)  # type: ignore[arg-type]  # never called

    assert str(caught.value) == message


def test_what_depends_on_nothing_known_is_refused_with_a_guess() -> None:
    dag = drawn("build; run")
    dag.update_vertex("run", predecessors=["biuld"], data=None, enable_checks=False)
    with pytest.raises(UsageError) as caught:
        MultiprocessScheduler(dag, print, print, 1)  # type: ignore[arg-type]  # never called

    assert str(caught.value) == (
        "a fragment depends on 'biuld', which does not exist; did you mean 'build'?"
    )


# -- time limits and stopping ------------------------------------------------------------------------


def test_when_its_time_is_up_a_worker_is_asked_to_end_then_killed(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Puppet, "timeout_s", 10.0)
    it = lab("a; b", jobs=1)
    it.step()

    assert it.step(seconds=9.9) == []
    assert it.step(seconds=0.2) == ["terminate a"]
    assert it.puppets["a"].timed_out
    assert it.step(seconds=4.9) == []
    assert it.step(seconds=0.2) == ["kill a"]
    assert it.step() == ["collect a", "start b@0"]


def test_a_worker_that_ends_in_time_is_left_alone_afterwards(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Puppet, "timeout_s", 10.0)
    it = lab("a; b", jobs=1)
    it.step()

    assert it.step("a", seconds=9.0) == ["collect a", "start b@0"]
    assert it.step(seconds=2.0) == []
    assert not it.puppets["b"].timed_out


def test_each_phase_of_stopping_does_more(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c", jobs=2)
    it.step()
    it.log.clear()
    it.scheduler.stop(Phase.DRAINING)
    drained = list(it.log)
    it.scheduler.stop(Phase.TERMINATING)
    terminated = it.log[len(drained) :]
    it.scheduler.stop(Phase.TERMINATING)
    it.scheduler.stop(Phase.DRAINING)
    it.scheduler.stop(Phase.KILLING)

    assert (drained, terminated, it.log[2:]) == (
        [],
        ["terminate a", "terminate b"],
        ["kill a", "kill b"],
    )
    assert it.puppets["a"].stopped
    assert it.step() == ["collect a", "collect b"]
    assert not it.scheduler.step()


def test_who_is_asked_to_end_and_does_not_is_killed_after_its_grace(
    lab: Callable[..., Lab],
) -> None:
    it = lab("a", jobs=1)
    it.step()
    it.scheduler.stop(Phase.TERMINATING)

    assert it.step(seconds=5.1) == ["kill a"]


def test_a_chain_does_not_go_on_when_the_run_is_being_stopped(lab: Callable[..., Lab]) -> None:
    it = lab("a1 -> a2", jobs=1)
    it.step()
    it.scheduler.stop(Phase.DRAINING)

    assert it.step("a1") == ["collect a1"]
    assert not it.scheduler.step()


def test_a_worker_that_did_not_get_to_run_can_be_tried_again(lab: Callable[..., Lab]) -> None:
    it = lab("a; b", jobs=1)
    it.step()
    it.scheduler.retry(it.puppets["a"])

    assert it.step() == ["start a@0"]


# -- when something raises ---------------------------------------------------------------------------


def test_a_factory_that_raises_leaves_nothing_running(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c; d", jobs=3)
    make = it.scheduler.job_factory

    def fail_at_c(uid: str, data: Any, slot: int) -> Worker:
        if uid == "c":
            raise ValueError("planted")
        return make(uid, data, slot)

    it.scheduler.job_factory = fail_at_c
    with pytest.raises(ValueError, match="planted"):
        it.run()

    assert it.log == ["start a@0", "start b@1", "kill a", "kill b"]
    assert it.scheduler.workers == [None] * 3


def test_a_factory_that_raises_in_a_chain_leaves_nothing_running(lab: Callable[..., Lab]) -> None:
    it = lab("a1 -> a2; b", jobs=2)
    make = it.scheduler.job_factory

    def fail_at_a2(uid: str, data: Any, slot: int) -> Worker:
        if uid == "a2":
            raise ValueError("planted")
        return make(uid, data, slot)

    it.scheduler.job_factory = fail_at_a2
    it.step()
    it.loop.call_soon(it.puppets["a1"].ended)
    with pytest.raises(ValueError, match="planted"):
        it.run()

    assert it.log == ["start a1@0", "start b@1", "collect a1", "kill b"]


def test_a_collector_that_raises_leaves_nothing_running_and_is_not_called_again(
    lab: Callable[..., Lab],
) -> None:
    it = lab("a; b; c", jobs=2)

    def fail(_worker: Worker) -> None:
        raise ValueError("planted")

    it.on_collect = fail
    it.step()
    it.loop.call_soon(it.puppets["a"].ended)
    with pytest.raises(ValueError, match="planted"):
        it.run()

    assert it.log == ["start a@0", "start b@1", "collect a", "kill b"]
    assert it.scheduler.active_workers == 0


def test_an_interruption_anywhere_leaves_nothing_running(lab: Callable[..., Lab]) -> None:
    it = lab("a; b", jobs=2)

    def interrupt() -> None:
        raise KeyboardInterrupt

    it.step()
    it.loop.call_soon(interrupt)
    with pytest.raises(KeyboardInterrupt):
        it.run()

    assert it.log == ["start a@0", "start b@1", "kill a", "kill b"]


def test_a_worker_that_cannot_be_watched_is_still_seen_to_its_end(lab: Callable[..., Lab]) -> None:
    """No descriptor is left, for instance."""

    class Unwatchable(Polled):
        def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
            raise OSError("planted")

        def kill(self) -> None:
            self.env.say(f"kill {self.uid}")

    it = lab("a", jobs=1)
    it.worker_cls = Unwatchable
    it.clock.advance(0)
    advance_with_each_round(it)
    with pytest.raises(OSError, match="planted"):
        it.run()

    assert (it.log, it.puppets["a"].polls) == (["start a@0", "kill a"], 3)  # type: ignore[attr-defined]  # a Polled


def advance_with_each_round(it: Lab) -> None:
    """Let the clock pass what the loop would wait for."""
    run_once = it.loop.run_once

    def jump(*, wait: bool = True) -> None:
        it.clock.advance(1.0)
        it.loop.look()
        it.loop.call_soon(list)
        run_once(wait=wait)

    it.loop.run_once = jump  # type: ignore[method-assign]  # time passes while it waits


# -- workers that have to be asked -----------------------------------------------------------------


def test_workers_that_cannot_be_waited_for_are_asked(lab: Callable[..., Lab]) -> None:
    it = lab("a; b", jobs=2)
    it.worker_cls = Polled
    advance_with_each_round(it)
    it.scheduler.run()

    assert it.log == ["start a@0", "start b@1", "collect a", "collect b"]


def test_the_interval_adapts_unless_it_may_not(lab: Callable[..., Lab]) -> None:
    intervals = []
    for adapts in (True, False):
        it = lab("a", jobs=1, dyn_poll_interval=adapts)
        it.worker_cls = Polled
        advance_with_each_round(it)
        it.scheduler.run()
        intervals.append(it.scheduler.poll_interval)

    assert intervals == [pytest.approx(0.1 * 1.25 * 1.25 * 0.75), 0.1]


def test_a_worker_that_cannot_even_be_asked_is_given_up(lab: Callable[..., Lab]) -> None:
    class Broken(Polled):
        def poll(self, scheduler: object) -> bool:
            raise RuntimeError("planted")

        def kill(self) -> None:
            self.env.say(f"kill {self.uid}")

    it = lab("a", jobs=1)
    it.worker_cls = Broken
    advance_with_each_round(it)
    with pytest.raises(RuntimeError, match="planted"):
        it.run()

    assert it.log == ["start a@0", "kill a"]


@pytest.mark.parametrize(
    ("scans", "interval", "expected"),
    [
        (9, 0.1, 0.125),
        (9, 0.9, 1.125),
        (9, 1.0, 1.0),
        (8, 0.1, 0.075),
        (0, 0.0001, 0.0001),
        (0, 0.0002, 0.00015),
    ],
)
def test_the_interval_grows_by_a_quarter_and_shrinks_by_a_quarter(
    scans: int, interval: float, expected: float
) -> None:
    assert compute_next_dyn_poll(scans, interval) == pytest.approx(expected)


# -- slots that are lost -------------------------------------------------------------------------------


def test_a_slot_whose_process_cannot_be_ended_is_not_used_again(lab: Callable[..., Lab]) -> None:
    it = lab("a1 -> a2; b; c", jobs=2)
    it.step()
    it.puppets["a1"].slot_lost = True

    assert it.step("a1") == ["collect a1"]
    assert it.step("b") == ["collect b", "start a2@1"]
    assert it.step("a2") == ["collect a2", "start c@1"]


def test_without_any_slot_the_run_gives_up(lab: Callable[..., Lab]) -> None:
    it = lab("a; b", jobs=1)
    it.step()
    it.puppets["a"].slot_lost = True
    it.loop.call_soon(it.puppets["a"].ended)

    with pytest.raises(WorkersCannotStart, match="no slot is left"):
        it.run()


# -- costs, limits, and work that comes while it runs -----------------------------------------


def test_what_vertices_need_decides_what_runs_together(lab: Callable[..., Lab]) -> None:
    needs = {"a": Needs(slots=2), "c": Needs(exclusive=True), "d": Needs(resources={"db": 1})}
    it = lab("a; b; c; d", jobs=3, needs=needs, limits={"db": 1})

    assert it.step() == ["start a@0", "start b@1"]
    assert it.step("a") == ["collect a"]
    assert it.step("b") == ["collect b", "start c@0"]
    assert it.step("c") == ["collect c", "start d@0"]


def test_a_chain_of_those_that_need_the_same_keeps_what_it_has(lab: Callable[..., Lab]) -> None:
    needs = dict.fromkeys(("a1", "a2", "b"), Needs(resources={"db": 1}))
    it = lab("a1 -> a2; b", jobs=2, needs=needs, limits={"db": 1})

    assert it.step() == ["start a1@0"]
    assert it.step("a1") == ["collect a1", "start a2@0"]
    assert it.step("a2") == ["collect a2", "start b@0"]


def test_those_that_need_something_else_are_no_chain(lab: Callable[..., Lab]) -> None:
    needs = {"a2": Needs(resources={"db": 1}), "b": Needs(resources={"db": 1})}
    it = lab("b; a1 -> a2", jobs=2, needs=needs, limits={"db": 1})

    assert not it.scheduler.continues("a1")
    assert it.step() == ["start b@0", "start a1@1"]
    assert it.step("a1") == ["collect a1"]
    assert it.step("b") == ["collect b", "start a2@0"]


def test_the_limit_can_rise_above_the_number_of_slots_and_fall_again(
    lab: Callable[..., Lab],
) -> None:
    it = lab("a; b; c; d", jobs=1)
    assert it.step() == ["start a@0"]
    it.scheduler.limit = 3
    assert it.step() == ["start b@1", "start c@2"]
    assert [it.scheduler.parallelism, it.scheduler.active_workers] == [3, 3]
    it.scheduler.limit = 1

    assert it.step("a") == ["collect a"]
    assert it.step("b c") == ["collect b", "collect c", "start d@0"]


def test_an_open_scheduler_waits_for_more_work_until_it_is_closed(lab: Callable[..., Lab]) -> None:
    it = lab("a", is_open=True)
    assert it.step() == ["start a@0"]
    assert it.step("a") == ["collect a"]
    assert [it.scheduler.no_work_left, it.step()] == [False, []]
    it.scheduler.add("b", None)
    it.scheduler.add("c", None, ["b"])
    assert it.step() == ["start b@0"]
    assert it.step("b") == ["collect b", "start c@0"]
    it.scheduler.close()
    it.step("c")

    assert it.scheduler.step() is False


def test_an_open_scheduler_forgets_what_is_done(lab: Callable[..., Lab]) -> None:
    it = lab("", is_open=True)
    for _ in range(2):
        it.scheduler.add("a", "data")
        it.step()
        it.step("a")

    assert it.scheduler._data == {}
    with pytest.raises(KeyError):
        it.scheduler.add("b", None, ["a"])


def test_a_vertex_that_cannot_be_added_leaves_no_trace(lab: Callable[..., Lab]) -> None:
    it = lab("", is_open=True)
    with pytest.raises(UsageError, match="'a' needs 'db', which has no limit"):
        it.scheduler.add("a", needs=Needs(resources={"db": 1}))
    it.scheduler.set_limit("db", 1)
    it.scheduler.add("a", needs=Needs(resources={"db": 1}))

    assert it.step() == ["start a@0"]


def test_what_has_not_started_can_be_discarded(lab: Callable[..., Lab]) -> None:
    it = lab("a; b; c", jobs=1, is_open=True)
    it.step()

    assert [it.scheduler.discard(uid) for uid in ("a", "b", "b")] == [False, True, False]
    assert it.step("a") == ["collect a", "start c@0"]


def test_what_waits_for_others_can_be_dropped(lab: Callable[..., Lab]) -> None:
    it = lab("a -> b -> c; d", jobs=1)
    it.step()

    assert it.scheduler.drop_waiting() == ["b", "c"]
    assert it.step("a") == ["collect a", "start d@0"]


def test_one_worker_can_be_asked_to_end(lab: Callable[..., Lab]) -> None:
    it = lab("a; b", jobs=2)
    it.step()
    it.scheduler.terminate(it.puppets["a"])
    it.step(seconds=it.puppets["a"].grace_s + 1)

    assert "terminate a" not in it.log
    assert it.log == ["kill a"]
    assert it.step() == ["collect a"]


def test_a_step_that_does_not_wait_starts_what_can_start(lab: Callable[..., Lab]) -> None:
    it = lab("a; b", jobs=1)
    assert it.scheduler.step(wait=False)
    it.loop.call_soon(it.puppets["a"].ended)
    assert it.loop.due() == it.clock.now()
    assert it.scheduler.step(wait=False)
    assert it.log == ["start a@0", "collect a", "start b@0"]
    assert it.loop.due() is None
    it.loop.call_soon(it.puppets["b"].ended)

    assert not it.scheduler.step(wait=False)


def test_when_nothing_can_go_on_the_run_says_so(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a hang: not even if we should lose count."""
    it = lab("a -> b")
    it.step()
    monkeypatch.setattr(it.scheduler._ready, "done", lambda _uid: None)
    it.step("a")

    with pytest.raises(InternalError, match="2 vertices are neither ready nor running"):
        it.scheduler.step()


@pytest.fixture
def idle_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long the cores have been idle, to be set by the test."""
    told = [0.0]
    monkeypatch.setattr("testloom.scheduling.scheduler.cores_idle_s", lambda: told[0])
    return told


def test_slots_beyond_the_cores_are_opened_once_cores_are_idle(
    lab: Callable[..., Lab], idle_s: list[float]
) -> None:
    it = lab("a; b; c; d; e; f; g", jobs=4)
    it.scheduler.open_slots_by(Opening(1))

    assert it.step() == ["start a@0"]
    assert it.step("a", seconds=FIRST_LOOK_S) == ["collect a", "start b@0"]
    assert it.step("b", seconds=WINDOW_S) == ["collect b", "start c@0"]
    idle_s[0] = 1.0
    assert it.step("c", seconds=2 * WINDOW_S) == ["collect c", "start d@0", "start e@1"]
    assert it.step(seconds=FIRST_LOOK_S) == ["start f@2", "start g@3"]
    assert it.loop.due() is None


def test_units_that_wait_for_each_other_in_more_slots_than_cores_are_all_started(
    lab: Callable[..., Lab], idle_s: list[float]
) -> None:
    it = lab("a; b; c", jobs=3)
    it.scheduler.open_slots_by(Opening(1))

    started = it.step() + it.step(seconds=FIRST_LOOK_S) + it.step(seconds=FIRST_LOOK_S)
    assert started == ["start a@0", "start b@1", "start c@2"]
