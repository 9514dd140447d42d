"""The values of the door: resources, queues, dictionaries with a limit, what a protocol demands."""

from __future__ import annotations

import copy
import json
import os
import pickle
from typing import Any

import pytest

from testloom.cluster import (
    ClusterDistributor,
    ClusterQueue,
    ClusterWorkerNode,
    LimitedSizeDict,
    MultiprocessDistributor,
    MultiprocessQueue,
    MultiprocessWorkerNode,
    RemoteExitInfo,
    ReturnCodes,
    TaskInstanceStatus,
)
from testloom.cluster.request import GIB, Request
from testloom.model.cluster import exit_info

# -- LimitedSizeDict --------------------------------------------------------------------------------


def test_a_limited_dictionary_forgets_what_was_inserted_first() -> None:
    limited: LimitedSizeDict[str, int] = LimitedSizeDict(size_limit=2)
    limited["a"] = 1
    limited["b"] = 2
    limited["a"] = 3  # to set it again does not make it newer
    limited["c"] = 4

    assert dict(limited) == {"b": 2, "c": 4}


def test_the_limit_holds_from_the_beginning_and_in_updates() -> None:
    limited: LimitedSizeDict[str, int] = LimitedSizeDict({"a": 1, "b": 2}, c=3, size_limit=2)
    assert dict(limited) == {"b": 2, "c": 3}

    limited.update(d=4, e=5)
    assert dict(limited) == {"d": 4, "e": 5}

    limited.setdefault("f", 6)
    limited |= {"g": 7}
    assert dict(limited) == {"f": 6, "g": 7}


def test_a_copy_has_the_limit_too() -> None:
    limited: LimitedSizeDict[str, int] = LimitedSizeDict(a=1, b=2, size_limit=2)
    for other in (limited.copy(), copy.copy(limited), pickle.loads(pickle.dumps(limited))):
        other["c"] = 3
        assert dict(other) == {"b": 2, "c": 3}
    assert dict(limited) == {"a": 1, "b": 2}


def test_without_a_limit_nothing_is_forgotten() -> None:
    assert len(LimitedSizeDict({n: n for n in range(5000)})) == 5000


def test_a_limit_of_nothing_keeps_nothing_and_less_makes_no_sense() -> None:
    assert dict(LimitedSizeDict(a=1, size_limit=0)) == {}
    with pytest.raises(ValueError, match="must not be negative: -1"):
        LimitedSizeDict(size_limit=-1)


# -- resources --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requested", "request_"),
    [
        ({}, Request()),
        ({"cores": "2", "queue": "all.q", "project": None}, Request(cores=2)),
        ({"memory": 2}, Request(memory_bytes=2 * GIB)),
        ({"memory": 0.5}, Request(memory_bytes=GIB // 2)),
        ({"memory": "2"}, Request(memory_bytes=2 * GIB)),
        ({"memory": "512M"}, Request(memory_bytes=GIB // 2)),
        ({"memory": "1.5 GiB"}, Request(memory_bytes=3 * GIB // 2)),
        ({"memory": "4096kb"}, Request(memory_bytes=4096 * 1024)),
        ({"memory": "100b"}, Request(memory_bytes=100)),
        ({"runtime": 90}, Request(runtime_s=90.0)),
        ({"runtime": "0.5"}, Request(runtime_s=0.5)),
        ({"runtime": "10m"}, Request(runtime_s=600.0)),
        ({"runtime": "1:30:00"}, Request(runtime_s=5400.0)),
        ({"runtime": "2-00:00:01"}, Request(runtime_s=2 * 86_400 + 1)),
    ],
)
def test_resources_may_be_written_as_people_write_them(
    requested: dict[str, Any], request_: Request
) -> None:
    assert Request.of(requested) == request_


@pytest.mark.parametrize(
    ("requested", "complaint"),
    [
        ({"cores": 0}, "cores: 0 is not a whole number of at least 1"),
        ({"cores": 1.5}, "cores: 1.5 is not a whole number of at least 1"),
        ({"cores": True}, "cores: True is not a whole number of at least 1"),
        ({"cores": "many"}, "cores: 'many' is not a whole number of at least 1"),
        ({"cores": float("inf")}, "cores: inf is not a whole number of at least 1"),
        ({"memory": "lots"}, "memory: 'lots' is not an amount; write 2 for 2 GiB, or '512M'"),
        ({"memory": 0}, "memory: 0 is not an amount; write 2 for 2 GiB, or '512M'"),
        ({"memory": []}, "memory: [] is not an amount; write 2 for 2 GiB, or '512M'"),
        ({"runtime": -1}, "runtime: -1 is not a time; write 90 (seconds), '10m' or '1:30:00'"),
        (
            {"runtime": "soon"},
            "runtime: 'soon' is not a time; write 90 (seconds), '10m' or '1:30:00'",
        ),
    ],
)
def test_resources_that_make_no_sense_are_refused(
    requested: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        Request.of(requested)
    assert str(raised.value) == complaint


# -- queues -----------------------------------------------------------------------------------------


@pytest.fixture
def queue() -> MultiprocessQueue:
    return MultiprocessQueue(7, "short.q", {"cores": (1, 4), "runtime": ("1m", "1h")})


def test_a_queue_says_what_it_is(queue: MultiprocessQueue) -> None:
    assert isinstance(queue, ClusterQueue)
    assert (queue.queue_id, queue.queue_name) == (7, "short.q")
    assert queue.parameters == {"cores": (1, 4), "runtime": ("1m", "1h")}
    assert queue.required_resources == ["cores"]


@pytest.mark.parametrize(
    ("requested", "complaint"),
    [
        ({"cores": 4}, ""),
        ({"cores": 5}, "cores: 5 is more than 4 (queue 'short.q')"),
        ({"cores": 2, "runtime": 5}, "runtime: 5 is less than '1m' (queue 'short.q')"),
        ({"memory": 99}, "no cores are asked for (queue 'short.q')"),
        (
            {"cores": 9, "runtime": "2h"},
            "cores: 9 is more than 4; runtime: '2h' is more than '1h' (queue 'short.q')",
        ),
    ],
)
def test_what_can_be_put_right_is_wrong_only_if_strict(
    queue: MultiprocessQueue, requested: dict[str, Any], complaint: str
) -> None:
    assert queue.validate_resources(**requested) == (True, complaint)
    assert queue.validate_resources(strict=True, **requested) == (complaint == "", complaint)


def test_nonsense_is_wrong_in_any_case(queue: MultiprocessQueue) -> None:
    text = "cores: 'x' is not a whole number of at least 1 (queue 'short.q')"
    assert queue.validate_resources(cores="x") == (False, text)
    with pytest.raises(ValueError, match="cores: 'x'"):
        queue.coerce_resources(cores="x")


@pytest.mark.parametrize(
    ("requested", "coerced"),
    [
        ({}, {"cores": 1}),
        ({"cores": "3", "queue": "a"}, {"cores": 3, "queue": "a"}),
        ({"cores": 99, "runtime": "5h"}, {"cores": 4, "runtime": "1h"}),
        ({"cores": 2, "runtime": 1, "memory": "9T"}, {"cores": 2, "runtime": "1m", "memory": "9T"}),
    ],
)
def test_resources_are_brought_into_the_ranges_of_the_queue(
    queue: MultiprocessQueue, requested: dict[str, Any], coerced: dict[str, Any]
) -> None:
    assert queue.coerce_resources(**requested) == coerced


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({}, r"queue 'q' has no 'cores'.*such as \(1, 4\)"),
        ({"cores": 4}, r"queue 'q': cores must be \(least, most\), not 4"),
        ({"cores": (4, 1)}, r"cores must be \(least, most\), not \(4, 1\)"),
        ({"cores": (1, 2), "memory": ("x", 2)}, r"memory must be \(least, most\)"),
    ],
)
def test_a_queue_without_sensible_parameters_is_refused(
    parameters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        MultiprocessQueue(1, "q", parameters)


# -- worker nodes ------------------------------------------------------------------------------------


def test_a_node_reads_its_identity_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node = MultiprocessWorkerNode()
    monkeypatch.setenv("JOB_ID", "3")
    monkeypatch.setenv("ARRAY_STEP_ID", "0")
    assert isinstance(node, ClusterWorkerNode)
    assert (node.distributor_id, node.array_step_id) == ("3_0", 0)

    monkeypatch.setenv("JOB_ID", "4")
    assert node.distributor_id == "3_0"


def test_outside_of_a_job_there_is_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOB_ID", raising=False)
    monkeypatch.delenv("ARRAY_STEP_ID", raising=False)
    node = MultiprocessWorkerNode()
    assert (node.distributor_id, node.array_step_id) == (None, None)


def test_a_node_tells_what_it_has_used_as_text() -> None:
    stats = MultiprocessWorkerNode().get_usage_stats()

    assert set(stats) == {"maxrss", "cpu", "usage_str"}
    assert int(stats["maxrss"]) > 1_000_000  # bytes, not kilobytes
    assert float(stats["cpu"]) > 0
    usage = json.loads(stats["usage_str"])
    assert {name: str(value) for name, value in usage.items()} == {
        "maxrss": stats["maxrss"],
        "cpu": stats["cpu"],
    }


def test_a_node_explains_how_its_command_ended() -> None:
    assert MultiprocessWorkerNode().get_exit_info(3, "m") == (
        "E",
        "Got exit_code: 3. Error message was: m",
    )


def test_the_logs_of_a_node_are_named_after_job_and_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_ID", "12")
    monkeypatch.delenv("ARRAY_STEP_ID", raising=False)
    node = MultiprocessWorkerNode()

    assert node.initialize_logfile("stdout", "/logs", "fit") == "/logs/fit.o12"
    assert node.initialize_logfile("stderr", "/logs", "a/b") == "/logs/a_b.e12"
    assert node.initialize_logfile("stdout", None, "fit") == os.devnull
    with pytest.raises(ValueError, match="'stdin' is no log of a job"):
        node.initialize_logfile("stdin", "/logs", "fit")


# -- the protocol --------------------------------------------------------------------------------------


def test_exit_infos_of_both_forms_are_understood() -> None:
    assert exit_info(("U", "lost")) == RemoteExitInfo("U", "lost", finalized=True)
    pending = RemoteExitInfo("R", "wait", finalized=False)
    assert exit_info(pending) is pending


def test_states_are_the_letters_that_people_know() -> None:
    known = {status.name: status.value for status in TaskInstanceStatus}
    assert known["UNKNOWN_ERROR"] == "U"
    assert "".join(sorted(known.values())) == "BDEFIKOQRTUWXZ"
    assert list(map(int, ReturnCodes)) == [0, 198, 199]


def test_a_distributor_that_lacks_something_cannot_be_made() -> None:
    class Half(ClusterDistributor):
        def start(self) -> None: ...

    with pytest.raises(TypeError, match=r"abstract method.*submit_to_batch_distributor"):
        Half("half")  # type: ignore[abstract]  # that is the point


def test_a_distributor_without_arrays_says_so() -> None:
    class Plain(MultiprocessDistributor):
        submit_array_to_batch_distributor = ClusterDistributor.submit_array_to_batch_distributor

    with pytest.raises(NotImplementedError, match="plain takes no arrays of 2; submit one"):
        Plain("plain").submit_array_to_batch_distributor("true", "x", {}, 2)


def test_the_command_of_a_node_names_task_or_array_and_the_cluster() -> None:
    distributor = MultiprocessDistributor("my cluster")
    version = distributor.build_worker_node_command(task_instance_id=0).split()[4]

    assert distributor.build_worker_node_command(task_instance_id=5) == (
        f"worker_node_job --task_instance_id 5 --expected_jobmon_version {version} "
        "--cluster_name 'my cluster'"
    )
    assert distributor.build_worker_node_command(array_id=1, batch_number=2) == (
        f"worker_node_array --array_id 1 --batch_number 2 --expected_jobmon_version {version} "
        "--cluster_name 'my cluster'"
    )
    for half in ({}, {"array_id": 1}, {"batch_number": 1}):
        with pytest.raises(ValueError, match="needs a task_instance_id, or an array_id"):
            distributor.build_worker_node_command(**half)
