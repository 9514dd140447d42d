"""The book of jobs: literal events in, whole states out; no process anywhere."""

from __future__ import annotations

import threading

import pytest

from testloom.cluster.ledger import BEFORE_START, BEING_ENDED, Ledger
from testloom.model.cluster import RemoteExitInfo, RemoteExitInfoNotAvailable

LIMIT_S = 20.0
INFO = RemoteExitInfo("U", "Process exited with code 3")


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger(kept=3)
    ledger.queue(["a", "b", "c"])
    return ledger


def test_a_job_is_active_until_it_is_explained(ledger: Ledger) -> None:
    assert ledger.active() == {"a", "b", "c"}
    assert ledger.begin("a")
    with pytest.raises(RemoteExitInfoNotAvailable, match="how job a ended"):
        ledger.info("a")

    ledger.settle("a", INFO)
    assert ledger.active() == {"b", "c"}
    assert ledger.info("a") is INFO


def test_what_waits_has_ended_as_soon_as_it_is_asked_to(ledger: Ledger) -> None:
    assert ledger.ask_to_end(["b", "unknown"]) == ([], ["b"])
    assert ledger.active() == {"a", "c"}
    assert ledger.info("b") is BEFORE_START
    assert not ledger.begin("b")


def test_what_runs_is_explained_later(ledger: Ledger) -> None:
    ledger.begin("a")
    assert ledger.ask_to_end(["a"]) == (["a"], [])
    assert ledger.active() == {"a", "b", "c"}
    assert ledger.info("a") is BEING_ENDED
    assert not BEING_ENDED.finalized

    assert ledger.ask_to_end(["a"]) == ([], [])  # it is being done
    ledger.settle("a", INFO)
    assert ledger.info("a") is INFO


def test_a_job_begins_once(ledger: Ledger) -> None:
    assert [ledger.begin("a"), ledger.begin("a"), ledger.begin("unknown")] == [True, False, False]


def test_only_those_asked_for_are_told(ledger: Ledger) -> None:
    assert ledger.active(["a", "unknown"]) == {"a"}
    assert ledger.active([]) == set()


def test_errors_are_told_once_and_only_the_latest_are_kept(ledger: Ledger) -> None:
    for job in "abcd":
        ledger.settle(job, INFO, error=f"no {job}")

    assert ledger.take_errors(["a", "b", "unknown"]) == {"b": "no b"}
    assert ledger.take_errors(["b"]) == {}
    with pytest.raises(RemoteExitInfoNotAvailable):
        ledger.info("a")


def test_to_wait_for_what_has_ended_is_not_to_wait(ledger: Ledger) -> None:
    for job in "abc":
        ledger.settle(job, INFO)
    assert ledger.wait(["a", "unknown"]) == set()
    assert ledger.wait() == set()


def test_waiting_ends_with_the_last_or_when_time_is_up(ledger: Ledger) -> None:
    assert ledger.wait(["a", "b"], 0) == {"a", "b"}
    threads = [threading.Thread(target=ledger.settle, args=(job, INFO)) for job in "ab"]
    for thread in threads:
        thread.start()
    left = ledger.wait(["a", "b"], LIMIT_S)
    for thread in threads:
        thread.join()
    assert left == set()
    assert ledger.active() == {"c"}


def test_to_wait_for_all_means_those_that_are_there_now(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_event: threading.Event, _timeout_s: float | None) -> None:
        ledger.queue(["late"])
        for job in "abc":
            ledger.settle(job, INFO)

    monkeypatch.setattr(threading.Event, "wait", meanwhile)
    assert ledger.wait() == set()
    assert ledger.active() == {"late"}
