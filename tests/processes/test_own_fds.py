from __future__ import annotations

import os
import resource
import sys

import pytest

from testloom.processes import own_fds


@pytest.fixture(autouse=True)
def _only_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_fds, "_own", set())


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_child_closes_all_but_those_it_is_given() -> None:
    kept, closed = (own_fds.add(os.dup(0)) for _ in range(2))
    others = os.dup(0)
    own_fds.close_all(but=frozenset({kept}))
    open_after = [is_open(fd) for fd in (kept, closed, others)]
    own_fds.close(kept)
    os.close(others)

    assert open_after == [True, False, True]


def test_what_is_being_closed_elsewhere_is_no_longer_ours() -> None:
    fd = own_fds.add(os.dup(0))
    own_fds.discard(fd)
    own_fds.close_all()
    still = is_open(fd)
    os.close(fd)

    assert still


def test_closing_twice_is_no_error() -> None:
    fd = own_fds.add(os.dup(0))
    own_fds.close(fd)
    own_fds.close(fd)

    assert not is_open(fd)


@pytest.mark.parametrize(
    ("limit", "slots", "tickets"),
    [(3, 1, 0), (48, 12, 4), (1024, 500, 248), (resource.RLIM_INFINITY, sys.maxsize, 10**6)],
)
def test_there_are_as_many_slots_as_there_are_descriptors_for(
    monkeypatch: pytest.MonkeyPatch, limit: int, slots: int, tickets: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _number: (limit, limit))
    assert min(own_fds.slots_that_fit(), 10**6) == min(slots, 10**6)
    assert min(own_fds.tickets_that_fit(4), 10**6) == tickets
