"""The local batch system beyond what `test_weaknesses` shows: restarts, threads, odd requests."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from testloom.cluster import (
    ClusterDistributor,
    MultiprocessDistributor,
    RemoteExitInfoNotAvailable,
    local,
)
from testloom.cluster import distributor as distributor_module
from testloom.cluster.distributor import default_entry_point
from testloom.cluster.engine import Engine

LIMIT_S = 20.0
Make = Callable[..., MultiprocessDistributor]


def message(distributor: MultiprocessDistributor, job: str) -> str:
    assert distributor.wait([job], LIMIT_S) == set()
    return distributor.get_remote_exit_info(job).error_message


def test_it_has_all_that_a_distributor_has(make: Make) -> None:
    distributor = make()
    assert isinstance(distributor, ClusterDistributor)
    assert (distributor.cluster_name, distributor.started) == ("here", False)
    assert local().worker_node_entry_point == default_entry_point()
    assert default_entry_point().endswith(" -P -m testloom worker-node")


def test_without_an_interpreter_the_entry_point_is_looked_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="no program 'testloom' on PATH"):
        _ = local().worker_node_entry_point
    (tmp_path / "testloom").touch(mode=0o755)
    assert local().worker_node_entry_point == f"{tmp_path}/testloom worker-node"


def test_the_arguments_of_other_distributors_are_taken_and_nonsense_is_not() -> None:
    MultiprocessDistributor("here", 2, "more", other=1)
    with pytest.raises(ValueError, match="parallelism must be at least 1, not 0"):
        MultiprocessDistributor("here", 0)


def test_it_may_be_started_twice_stopped_twice_and_used_again(make: Make) -> None:
    distributor = make(parallelism=1)
    distributor.start()
    distributor.start()
    ended: list[str] = []
    distributor.on_ended(ended.append)
    running = distributor.submit_to_batch_distributor("sleep 99", "a", {})
    waiting = distributor.submit_to_batch_distributor("sleep 99", "b", {})
    distributor.stop()
    distributor.stop()

    assert not distributor.started
    assert distributor.get_submitted_or_running() == set()
    assert message(distributor, waiting) == "terminated before start"
    assert message(distributor, running) in (
        "Process exited with code -9",
        "terminated before start",
    )
    assert sorted(ended) == ["1", "2"]
    assert distributor.submit_to_batch_distributor("true", "c", {}) == "3"
    assert message(distributor, "3") == "Process exited with code 0"


def test_each_way_of_ending_has_its_words(make: Make) -> None:
    distributor = make()
    for command, words in (
        ("true", "Process exited with code 0"),
        ("sh -c 'exit 3'", "Process exited with code 3"),
        ("sh -c 'kill -9 $$'", "Process exited with code -9"),
        ("sh -c 'exit 199'", "job was in kill self state"),
        ("", "could not be started: no program is named"),
    ):
        job = distributor.submit_to_batch_distributor(command, "x", {})
        assert message(distributor, job) == words


def test_what_runs_has_no_exit_info(make: Make) -> None:
    distributor = make()
    job = distributor.submit_to_batch_distributor("sleep 99", "x", {})
    for unknown in (job, "no such job"):
        with pytest.raises(RemoteExitInfoNotAvailable):
            distributor.get_remote_exit_info(unknown)


def test_a_submission_that_makes_no_sense_is_refused_at_once(make: Make) -> None:
    distributor = make()
    with pytest.raises(ValueError, match="No closing quotation"):
        distributor.submit_to_batch_distributor("echo 'half", "x", {})
    with pytest.raises(ValueError, match="memory: 'x' is not an amount"):
        distributor.submit_array_to_batch_distributor("true", "x", {"memory": "x"}, 3)
    assert distributor.get_submitted_or_running() == set()
    assert distributor.submit_array_to_batch_distributor("true", "x", {}, 0) == {}


def test_no_job_is_left_in_the_queue_of_a_thread_that_could_not_be_made(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_args: object, **_options: object) -> Engine:
        raise OSError(24, "Too many open files")

    distributor = make()
    monkeypatch.setattr(distributor_module, "Engine", cannot)
    with pytest.raises(OSError, match="Too many open files"):
        distributor.submit_to_batch_distributor("true", "x", {})
    assert distributor.get_submitted_or_running() == set()
    monkeypatch.undo()
    assert message(distributor, distributor.submit_to_batch_distributor("true", "x", {})) == (
        "Process exited with code 0"
    )


def test_when_the_thread_fails_nobody_waits_for_ever(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_engine: Engine, _job: str, _make: object, _slot: int) -> None:
        raise MemoryError

    distributor = make()
    monkeypatch.setattr(Engine, "_start", fails)
    job = distributor.submit_to_batch_distributor("true", "x", {})
    assert message(distributor, job) == "its distributor has ended"
    monkeypatch.undo()
    assert message(distributor, distributor.submit_to_batch_distributor("true", "x", {})) == (
        "Process exited with code 0"
    )


def test_a_callback_that_fails_harms_nobody(make: Make) -> None:
    distributor = make()
    told = threading.Event()

    def fails(_job: str) -> None:
        raise ValueError("planted")

    distributor.on_ended(fails)
    distributor.on_ended(lambda _job: told.set())
    distributor.submit_to_batch_distributor("true", "x", {})
    assert told.wait(LIMIT_S)


def test_a_job_belongs_where_it_was_submitted(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directory, environment and logs are those of that moment, not of its turn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORD", "then")
    distributor = make(parallelism=1, log_dir="logs")
    distributor.submit_to_batch_distributor("sh -c 'echo $WORD; pwd'", "x", {})
    monkeypatch.chdir("/")
    monkeypatch.setenv("WORD", "now")

    assert distributor.wait(timeout=LIMIT_S) == set()
    assert (tmp_path / "logs" / "x.o1").read_text() == f"then\n{tmp_path}\n"


def test_many_threads_may_submit_and_terminate(make: Make) -> None:
    distributor = make(parallelism=4)
    ids: list[str] = []

    def work() -> None:
        for n in range(20):
            job = distributor.submit_to_batch_distributor("sleep 99", "x", {})
            ids.append(job)
            distributor.terminate_task_instances([job] if n % 2 else ids[-3:])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    distributor.terminate_task_instances(ids)

    assert distributor.wait(timeout=LIMIT_S) == set()
    assert sorted(ids, key=int) == [str(n) for n in range(1, 121)]
    assert all(distributor.get_remote_exit_info(job).finalized for job in ids)


FORKS = """
import os, sys
from testloom.cluster import MultiprocessDistributor
distributor = MultiprocessDistributor("here", worker_node_entry_point="")
job = distributor.submit_to_batch_distributor(sys.argv[1], "x", {})
if os.fork() == 0:
    distributor.stop()
    sys.exit(0)  # runs what is registered for the exit, too
assert os.wait()[1] == 0
print(distributor.wait([job], 20), distributor.get_remote_exit_info(job).error_message)
"""


@pytest.mark.slow
def test_a_fork_of_its_process_ends_nothing(tmp_path: Path) -> None:
    command = f"sh -c 'echo >{tmp_path}/begun; sleep 0.5; exit 3'"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, command],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("set() Process exited with code 3\n", "")
    assert os.path.exists(tmp_path / "begun")
