"""The files through which main and nodes talk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from testloom.model.outcome import (
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.workers.exchange import (
    Exchange,
    ExchangeError,
    NodeOrder,
    NodeOutcome,
    NodeSetup,
    end_of,
    outcome_of,
)
from testloom.workers.fresh import Setup
from testloom.workers.messages import Order

SETUP = NodeSetup(Setup([b"/a"], b"", "", {"x": b"1"}), b"/", {b"WORD": b"\xff"})
ORDER = NodeOrder("t.run", "run", 3, Order(0, 7, values={b"a": None}, states=[b"s"]), 1.5)


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    exchange = Exchange(str(tmp_path / "exchange"))
    exchange.make(SETUP)
    return exchange


def test_what_is_written_is_read_by_others(exchange: Exchange) -> None:
    exchange.give(7, ORDER)
    exchange.answer(7, NodeOutcome("Returned", results=[b"{}"], value=b"v"))

    other = Exchange(exchange.path)
    assert other.setup() == SETUP
    assert other.order(7) == ORDER
    assert other.has_outcome(7)
    assert other.outcome(7) == NodeOutcome("Returned", results=[b"{}"], value=b"v")


def test_nobody_else_may_look(exchange: Exchange) -> None:
    assert stat.S_IMODE(os.stat(exchange.path).st_mode) == 0o700


def test_what_is_not_there_yet_is_no_outcome(exchange: Exchange) -> None:
    assert not exchange.has_outcome(7)
    assert exchange.outcome(7) is None
    with pytest.raises(ExchangeError, match=r"7\.order: No such file or directory"):
        exchange.order(7)


def test_what_was_forgotten_is_gone_and_the_rest_with_the_directory(exchange: Exchange) -> None:
    exchange.give(7, ORDER)
    exchange.answer(7, NodeOutcome("Returned"))
    exchange.forget(7)
    exchange.forget(7)
    assert os.listdir(exchange.path) == ["setup"]
    exchange.remove()
    assert not os.path.exists(exchange.path)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x90", msgspec.msgpack.encode({"a": 1})])
def test_a_file_of_something_else_is_refused(exchange: Exchange, content: bytes) -> None:
    Path(exchange.path, "7.outcome").write_bytes(content)
    with pytest.raises(ExchangeError, match=r"7\.outcome: it was not written by this version"):
        exchange.outcome(7)


def test_a_file_of_another_version_is_refused(exchange: Exchange) -> None:
    exchange.give(7, msgspec.structs.replace(ORDER, version="0.0.0"))
    with pytest.raises(ExchangeError, match=r"7\.order: written by testloom 0\.0\.0, this is "):
        exchange.order(7)


ENDS: list[FragmentEnd] = [
    Returned(),
    Returned(raised="Traceback", aborted=True, unpicklable="odd", leaks=("threads=1",)),
    WorkerDied(Exited(3), "a note"),
    WorkerDied(Killed(11)),
    FragmentTimedOut(1.5, ignored_term=True),
    Stopped("interrupted"),
    WorkerLost("gone"),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_every_end_survives_the_way(exchange: Exchange, end: FragmentEnd) -> None:
    exchange.answer(1, outcome_of(end))
    outcome = exchange.outcome(1)
    assert outcome is not None
    assert end_of(outcome) == end


def test_no_end_at_all_is_a_loss() -> None:
    assert end_of(outcome_of(None)) == WorkerLost("the node ended before the fragment did")
