from __future__ import annotations

import os
import subprocess

import msgspec
import pytest

from testloom.processes import identity
from testloom.processes.identity import Identity, own


def of(**different: object) -> Identity:
    me = own()
    assert me is not None
    return msgspec.structs.replace(me, **different)


def test_this_process_has_not_ended() -> None:
    assert not of().has_ended()


def test_a_process_of_the_same_number_that_began_at_another_time_is_another_one() -> None:
    assert of(started=1).has_ended()


def test_a_number_that_nobody_has_is_that_of_a_process_that_has_ended() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert of(pid=child.pid).has_ended()


def test_a_process_that_waits_to_be_reaped_has_ended() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    started = identity._state_and_start(child.pid)[1]
    assert of(pid=child.pid, started=started).has_ended()
    child.wait()


def test_what_ran_before_the_machine_was_started_has_ended() -> None:
    assert of(boot="before").has_ended()


@pytest.mark.parametrize(
    "different", [{"host": "elsewhere", "boot": "before"}, {"namespace": 7, "pid": 1}]
)
def test_nothing_is_known_of_other_machines_and_containers(different: dict[str, object]) -> None:
    assert not of(**different, started=1).has_ended()


def test_nothing_is_known_where_starts_of_the_machine_cannot_be_told_apart() -> None:
    assert not of(boot="", started=1).has_ended()
