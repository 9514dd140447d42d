"""When fragments ran, and what they had waited for, as a journal tells it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from testloom.journal import spans
from testloom.journal.format import Edges, PlannedTest
from testloom.journal.reader import read, summary_of
from testloom.journal.writer import JournalWriter
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock

RUN = RunInfo(
    run_id="r1",
    suite="calc",
    root="/calc",
    output_dir="/calc/out",
    command=(),
    jobs=2,
    started_at=1000.0,
)
#   a.build ──> a.run ──> b.run        c.run
FOLLOWS = {
    "b.run": frozenset({"a.run"}),
    "c.run": frozenset[str](),
    "a.build": frozenset[str](),
    "a.run": frozenset({"a.build"}),
}


def write(path: Path) -> tuple[JournalWriter, ManualClock]:
    """Write a run in which ``b.run`` has started and nothing has ended it."""
    clock = ManualClock(now=50.0)
    writer = JournalWriter(str(path), clock)
    writer.run_started(RUN, [PlannedTest(name) for name in "abc"], FOLLOWS)
    writer.fragment_started("a.build", "a", 0)
    writer.fragment_started("c.run", "c", 1, attempt=2)
    clock.advance(0.5)
    writer.fragment_ended("a.build", 0, "Returned", 0.25, 0.125)
    writer.fragment_started("a.run", "a", 0)
    clock.advance(0.5)
    writer.fragment_ended("a.run", 0, "WorkerDied", 0.5, 0.25)
    writer.fragment_ended("c.run", 1, "Returned", 1.0, 0.0)
    writer.fragment_started("b.run", "b", 0)
    clock.advance(2.0)
    entry = ResultEntry(name="b.sub", test="b", status=TestStatus.PASS)
    writer.result(entry, msgspec.json.encode(ResultRecord(name="b.sub", status="PASS")))
    return writer, clock


def a_span(uid: str, started_s: float, ended_s: float, **more: Any) -> FragmentSpan:
    """Return the span of the fragment called ``TEST.NAME``, in slot 0 unless told otherwise."""
    test, _, name = uid.partition(".")
    facts = {"slot": 0, "started_s": started_s, "ended_s": ended_s, **more}
    return FragmentSpan(uid=uid, test=test, name=name, **facts)


SPANS = [
    a_span("a.build", 0.0, 0.25, cpu_s=0.125, end="Returned"),
    a_span("a.run", 0.5, 1.0, cpu_s=0.25, end="WorkerDied", after=("a.build",)),
    a_span("c.run", 0.0, 1.0, slot=1, attempt=2, end="Returned"),
    a_span("b.run", 1.0, 3.0, after=("a.run",)),
]


def test_spans_come_in_the_order_in_which_fragments_ended(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer, _ = write(path)
    writer.close()
    journal = read(str(path))
    assert journal.skipped == 0
    summary = summary_of(journal)
    assert list(summary.spans()) == SPANS
    assert list(summary.spans()) == SPANS  # they can be asked for again


def test_spans_can_be_read_while_the_journal_is_open(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer, clock = write(path)
    path.unlink()  # what is open stays readable
    first, second = writer.spans(), writer.spans()
    assert next(first) == SPANS[0]
    assert list(second) == SPANS
    assert [*first] == SPANS[1:]
    clock.advance(1.0)
    writer.fragment_ended("b.run", 0, "Returned", 3.0, 0.0)
    writer.flush()
    last = msgspec.structs.replace(SPANS[3], ended_s=4.0, end="Returned")
    assert list(writer.spans()) == [*SPANS[:3], last]
    os.close(writer.fileno())


def test_a_journal_of_no_dependent_fragments_has_no_edges() -> None:
    assert list(spans.edges_of({"a.run": frozenset(), "b.run": frozenset()}, 0.0)) == []


def test_edges_are_numbers_across_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_FRAGMENTS_A_RECORD", 2)
    assert list(spans.edges_of(FOLLOWS, 0.5)) == [
        Edges(t=0.5, uids=("b.run", "a.build"), after=((2,), ())),
        Edges(t=0.5, uids=("a.run",), after=((1,),)),
    ]


def test_the_journal_of_a_run_without_edges_or_with_a_cut_gives_what_is_there(
    tmp_path: Path,
) -> None:
    v1 = Path(__file__).parent / "data" / "v1.journal"
    assert [(span.uid, span.end, span.after) for span in spans.spans_in(str(v1))] == [
        ("u1", "Returned", ()),
        ("u2", "Returned", ()),
        ("u3", "", ()),
    ]
    cut = tmp_path / "cut.journal"
    cut.write_bytes(v1.read_bytes()[:-10])
    assert [span.uid for span in spans.spans_in(str(cut))] == ["u1", "u2", "u3"]


def test_large_results_in_between_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    writer, clock = write(path)
    large = ResultRecord(name="a", status="PASS", log="x" * 200_000)
    entry = ResultEntry(name="a", test="a", status=TestStatus.PASS)
    place = writer.result(entry, msgspec.json.encode(large))
    clock.advance(1.0)
    writer.fragment_ended("b.run", 0, "Returned", 3.0, 0.0)
    writer.flush()
    expected = [*SPANS[:3], msgspec.structs.replace(SPANS[3], ended_s=4.0, end="Returned")]
    assert list(writer.spans()) == expected
    assert list(spans.spans_in(str(path))) == expected
    assert writer.load(msgspec.structs.replace(entry, place=place)) == large
    writer.close()
