"""The trace of a run: a track a slot, a bar a fragment, an arrow a dependency."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterable
from typing import Any

from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.trace import TraceReport


def span(uid: str, slot: int, start: float, end: float, *after: str) -> FragmentSpan:
    test, _, name = uid.partition(".")
    return FragmentSpan(
        uid=uid,
        test=test,
        name=name,
        slot=slot,
        started_s=start,
        ended_s=end,
        end="Returned",
        after=after,
    )


#   slot 0: rts.build ──────> a.run ──> b.run
#   slot 1:     └────> c.run
SPANS = (
    span("rts.build", 0, 0.0, 1.0),
    span("c.run", 1, 1.25, 1.5, "rts.build"),
    span("a.run", 0, 1.0, 2.0, "rts.build"),
    span("b.run", 0, 2.0, 2.0000005, "a.run"),
)


def events(summary: Summary) -> list[dict[str, Any]]:
    document = json.loads("".join(TraceReport().write(summary)))
    assert document["displayTimeUnit"] == "ms"
    assert isinstance(document["traceEvents"], list)
    return list(document["traceEvents"])


def summary_with(
    spans: Iterable[FragmentSpan], make: Callable[..., Summary], **rest: Any
) -> Summary:
    return make(*rest.pop("entries", ()), spans=lambda: iter(tuple(spans)), **rest)


def test_each_slot_is_a_track_whether_it_did_anything_or_not(
    make_summary: Callable[..., Summary], make_run: Callable[..., RunInfo]
) -> None:
    found = events(summary_with(SPANS, make_summary, run=make_run(jobs=3)))
    names = {e["tid"]: e["args"]["name"] for e in found if e["name"] == "thread_name"}
    assert names == {0: "slot 0", 1: "slot 1", 2: "slot 2"}


def test_the_bars_of_a_track_add_up_to_the_time_it_was_busy(
    make_summary: Callable[..., Summary],
) -> None:
    busy: dict[int, float] = collections.defaultdict(float)
    bars = [e for e in events(summary_with(SPANS, make_summary)) if e["ph"] == "X"]
    for bar in bars:
        busy[bar["tid"]] += bar["dur"]
    assert busy == {0: 2_000_000.5, 1: 250_000.0}
    assert [(bar["name"], bar["cat"], bar["ts"]) for bar in bars] == [
        ("rts", "build", 0.0),
        ("c", "run", 1_250_000.0),
        ("a", "run", 1_000_000.0),
        ("b", "run", 2_000_000.0),
    ]


def test_bars_say_what_came_of_the_test(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    entries = (
        make_entry("c.1", TestStatus.FAIL, test="c"),
        make_entry("c.2", TestStatus.PASS, test="c"),
        make_entry("a", TestStatus.PASS),
    )
    found = events(summary_with(SPANS, make_summary, entries=entries))
    assert {e["name"]: (e["args"]["status"], e.get("cname")) for e in found if e["ph"] == "X"} == {
        "rts": ("", None),
        "c": ("FAIL", "terrible"),
        "a": ("PASS", "good"),
        "b": ("", None),
    }


def test_arrows_go_from_bar_to_bar(make_summary: Callable[..., Summary]) -> None:
    found = events(summary_with(SPANS, make_summary))
    starts = {e["id"]: (e["tid"], e["ts"]) for e in found if e["ph"] == "s"}
    ends = {e["id"]: (e["tid"], e["ts"]) for e in found if e["ph"] == "f"}
    assert [(starts[number], ends[number]) for number in starts] == [
        ((0, 500_000.0), (1, 1_250_000.0)),
        ((0, 500_000.0), (0, 1_000_000.0)),
        ((0, 1_500_000.0), (0, 2_000_000.0)),
    ]


def test_a_run_without_any_fragment_is_a_valid_document(
    make_summary: Callable[..., Summary],
) -> None:
    assert {e["ph"] for e in events(make_summary())} == {"M"}
