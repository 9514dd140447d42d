"""The thread that goes to a batch system, sent to ones that are odd in every way."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from testloom.model.cluster import (
    ClusterDistributor,
    RemoteExitAnswer,
    RemoteExitInfo,
    RemoteExitInfoNotAvailable,
)
from testloom.workers import errands as errands_module
from testloom.workers.errands import Errands

LIMIT_S = 20.0


class Fake(ClusterDistributor):
    """A batch system in memory: jobs end when `left` says so, and are then what `infos` says."""

    def __init__(self, cluster_name: str = "fake", *args: Any, **kwargs: Any) -> None:
        self._name = cluster_name
        self.submitted: list[tuple[str, str, Mapping[str, Any]]] = []
        self.terminated: list[str] = []
        self.left: set[str] = set()
        self.infos: dict[str, list[RemoteExitAnswer]] = {}
        self.errors: dict[str, str] = {}
        self.polls = 0
        self.stopped = 0

    def behave(self, **methods: Any) -> None:
        """Let *methods* take the place of those below."""
        vars(self).update(methods)

    @property
    def worker_node_entry_point(self) -> str:
        return "node"

    @property
    def cluster_name(self) -> str:
        return self._name

    def start(self) -> None: ...

    def stop(self) -> None:
        self.stopped += 1

    def submit_to_batch_distributor(
        self, command: str, name: str, requested_resources: Mapping[str, Any]
    ) -> str:
        self.submitted.append((command, name, requested_resources))
        job = f"j{len(self.submitted)}"
        self.left.add(job)
        return job

    def get_submitted_or_running(self, distributor_ids: Iterable[str] | None = None) -> set[str]:
        self.polls += 1
        return set(self.left)

    def terminate_task_instances(self, distributor_ids: Iterable[str]) -> None:
        self.terminated.extend(distributor_ids)
        self.left.difference_update(distributor_ids)

    def get_queueing_errors(self, distributor_ids: Iterable[str]) -> dict[str, str]:
        return {job: self.errors[job] for job in distributor_ids if job in self.errors}

    def get_remote_exit_info(self, distributor_id: str) -> RemoteExitAnswer:
        known = self.infos.get(distributor_id)
        if not known:
            raise RemoteExitInfoNotAvailable
        return known.pop(0)


class Lab:
    """Sends errands to a batch system and notes what is told."""

    def __init__(self) -> None:
        self.fake = Fake()
        self.outcomes: set[int] = set()
        self.told: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._errands: Errands | None = None

    @property
    def errands(self) -> Errands:
        if self._errands is None:
            self._errands = Errands(
                self.fake,
                self.outcomes.__contains__,
                lambda number, why: self.told.put((number, why)),
            )
        return self._errands

    def next(self) -> tuple[int, str]:
        return self.told.get(timeout=LIMIT_S)

    def close(self) -> None:
        if self._errands is not None:
            assert self._errands.close(LIMIT_S)
            self._errands = None


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(errands_module, "FIRST_POLL_S", 0.002)
    monkeypatch.setattr(errands_module, "LATE_S", 0.0)
    lab = Lab()
    yield lab
    lab.close()


def test_a_job_that_has_left_word_is_told_without_a_reason(lab: Lab) -> None:
    lab.outcomes.add(7)
    lab.fake.left = _Never()
    lab.errands.submit(7, "run it", "a-name", {"runtime": 5})

    assert lab.next() == (7, "")
    assert lab.fake.submitted == [("run it", "a-name", {"runtime": 5})]


class _Never(set[str]):
    """Jobs that end at once."""

    def add(self, job: str) -> None: ...


def test_without_word_the_batch_system_is_asked_why(lab: Lab) -> None:
    lab.fake.left = _Never()
    lab.fake.infos = {"j1": [RemoteExitInfo("Z", "out of memory")], "j2": [("U", "lost")]}
    lab.fake.errors = {"j3": "no such queue"}
    for number in (1, 2, 3):
        lab.errands.submit(number, "c", "n", {})

    assert sorted(lab.next() for _ in range(3)) == [
        (1, "job j1: out of memory"),
        (2, "job j2: lost"),
        (3, "job j3: no such queue"),
    ]


def test_what_is_not_the_last_word_is_asked_for_again(lab: Lab) -> None:
    lab.fake.left = _Never()
    pending = RemoteExitInfo("T", "triaging", finalized=False)
    lab.fake.infos = {"j1": [pending, pending, RemoteExitInfo("Z", "out of memory")]}
    lab.errands.submit(1, "c", "n", {})

    assert lab.next() == (1, "job j1: out of memory")


def test_word_that_comes_late_counts(lab: Lab) -> None:
    """File systems of clusters take their time."""
    lab.fake.left = _Never()

    def late(_job: str) -> RemoteExitAnswer:
        lab.outcomes.add(1)
        raise RemoteExitInfoNotAvailable

    lab.fake.behave(get_remote_exit_info=late)
    lab.errands.submit(1, "c", "n", {})

    assert lab.next() == (1, "")


def test_even_after_the_last_word_the_file_may_come_late(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands_module, "LATE_S", LIMIT_S)
    lab.fake.left = _Never()

    def last_word(_job: str) -> RemoteExitAnswer:
        lab.outcomes.add(1)
        return RemoteExitInfo("U", "COMPLETED")

    lab.fake.behave(get_remote_exit_info=last_word)
    lab.errands.submit(1, "c", "n", {})

    assert lab.next() == (1, "")


def test_one_that_tells_of_ends_is_not_asked(lab: Lab) -> None:
    """It shares the disk with us, too: there is nothing to wait for."""
    callbacks: list[Callable[[str], object]] = []
    lab.fake.behave(on_ended=callbacks.append)
    lab.fake.infos = {"j1": [("U", "lost")]}
    lab.errands.submit(1, "c", "n", {})
    lab.errands.terminate(1)
    callbacks[0]("j1")
    callbacks[0]("of somebody else")

    assert lab.next() == (1, "job j1: lost")
    assert lab.fake.polls == 0


def test_patience_has_an_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands_module, "PATIENCE_S", 0.01)
    lab.fake.left = _Never()
    lab.errands.submit(1, "c", "n", {})

    assert lab.next() == (1, "job j1: nothing is known about how it ended")


def test_a_submission_that_fails_is_the_end_of_that_job_only(lab: Lab) -> None:
    submit = lab.fake.submit_to_batch_distributor

    def refuse(command: str, name: str, requested: Mapping[str, Any]) -> str:
        if command == "bad":
            raise ValueError("no such queue")
        return submit(command, name, requested)

    lab.fake.behave(submit_to_batch_distributor=refuse)
    lab.fake.left = _Never()
    lab.outcomes.add(2)
    lab.errands.submit(1, "bad", "n", {})
    lab.errands.submit(2, "good", "n", {})

    assert lab.next() == (1, "it could not be submitted: ValueError: no such queue")
    assert lab.next() == (2, "")


def test_a_batch_system_that_stammers_is_asked_again(lab: Lab) -> None:
    answers: list[Any] = [OSError("busy"), OSError("busy"), set()]

    def stammer(_ids: object = None) -> set[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return set(answer)

    lab.fake.behave(get_submitted_or_running=stammer)
    lab.outcomes.add(1)
    lab.errands.submit(1, "c", "n", {})

    assert lab.next() == (1, "")
    assert answers == []


def test_one_that_never_answers_is_given_up_with_all_its_jobs(lab: Lab) -> None:
    def broken(_ids: object = None) -> set[str]:
        raise OSError("the scheduler is down")

    lab.fake.behave(get_submitted_or_running=broken)
    for number in (1, 2):
        lab.errands.submit(number, "c", "n", {})

    why = "nothing can be learned about it: OSError: the scheduler is down"
    assert {lab.next(), lab.next()} == {(1, f"job j1: {why}"), (2, f"job j2: {why}")}


def test_while_nothing_happens_it_is_asked_less_and_less_often(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float | None] = []
    patience = Errands._patience

    def note(errands: Errands) -> float | None:
        asked.append(patience(errands))
        if lab.fake.polls == 4:
            lab.fake.left.clear()
        return asked[-1]

    monkeypatch.setattr(Errands, "_patience", note)
    lab.outcomes.add(1)
    lab.errands.submit(1, "c", "n", {})
    assert lab.next() == (1, "")
    lab.close()

    first = [s for s in asked if s is not None]
    assert asked[0] is None  # nothing is there to ask about
    assert first == sorted(first)
    assert first[-1] == pytest.approx(0.002 * 1.25**4)


def test_all_jobs_are_asked_about_in_one_question(lab: Lab) -> None:
    questions: list[list[str]] = []
    submit, all_are_there = lab.fake.submit_to_batch_distributor, threading.Event()

    def wait(command: str, name: str, requested: Mapping[str, Any]) -> str:
        assert all_are_there.wait(LIMIT_S)
        return submit(command, name, requested)

    def note(ids: Iterable[str] | None = None) -> set[str]:
        questions.append(sorted(ids or ()))
        return set()

    lab.fake.behave(submit_to_batch_distributor=wait)
    lab.fake.behave(get_submitted_or_running=note)
    lab.outcomes.update(range(20))
    for number in range(20):
        lab.errands.submit(number, "c", "n", {})
    all_are_there.set()
    assert {lab.next()[0] for _ in range(20)} == set(range(20))

    assert list(map(len, questions)) == [20]


def test_to_terminate_names_the_id_of_the_batch_system(lab: Lab) -> None:
    lab.fake.infos = {"j1": [("U", "terminated")]}
    lab.errands.terminate(1)  # not known: passed over
    lab.errands.submit(1, "c", "n", {})
    lab.errands.terminate(1)

    assert lab.next() == (1, "job j1: terminated")
    assert lab.fake.terminated == ["j1"]


def test_in_the_end_all_jobs_are_ended_and_the_batch_system_is_stopped(lab: Lab) -> None:
    lab.errands.submit(1, "c", "n", {})
    lab.errands.submit(2, "c", "n", {})
    lab.close()

    assert sorted(lab.fake.terminated) == ["j1", "j2"]
    assert lab.fake.stopped == 1


def test_one_that_cannot_even_be_stopped_does_not_keep_the_run(lab: Lab) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    lab.fake.behave(stop=broken)
    lab.fake.behave(terminate_task_instances=broken)
    lab.errands.submit(1, "c", "n", {})
    lab.close()
