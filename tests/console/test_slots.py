"""What is said of the slots of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from testloom.console.look import ASCII, Look
from testloom.console.slots import slots_line
from testloom.console.spans import render
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.summary import RunInfo, Summary

RUN = RunInfo(
    run_id="r",
    suite="s",
    root="/",
    output_dir="",
    command=(),
    jobs=2,
    started_at=0.0,
    duration_s=40.0,
)

LOOK = Look(width=80, glyphs=ASCII)


def span(uid: str, slot: int, started_s: float, ended_s: float, *after: str) -> FragmentSpan:
    test, _, name = uid.partition(".")
    return FragmentSpan(
        uid=uid, test=test, name=name, slot=slot, started_s=started_s, ended_s=ended_s, after=after
    )


def shown(spans: Sequence[FragmentSpan], run: RunInfo = RUN, look: Look = LOOK) -> str:
    summary = Summary(
        run=run,
        entries=(),
        load=lambda e: ResultRecord(name=e.name, status="PASS"),
        spans=lambda: spans,
    )
    return render(slots_line(summary, look, " Slots    "), color=False)


# slot 0  build──────────── x.run─── ...
# slot 1  y.run───────                  (idle)
SPANS = (
    span("build.run", 0, 0.0, 20.0),
    span("x.run", 0, 20.0, 40.0, "build.run"),
    span("y.run", 1, 0.0, 28.0),
)


def test_the_shares_of_the_slots_and_the_chain_that_decides() -> None:
    assert shown(SPANS) == (
        " Slots    85 % busy, 15 % idle at the end   critical path 40.00s: build > x\n"
    )


def test_a_chain_that_does_not_matter_is_not_named() -> None:
    many = [span(f"t{n}.run", n % 2, n // 2 * 4.0, n // 2 * 4.0 + 4.0) for n in range(20)]
    assert shown(many) == " Slots    100 % busy, 0 % idle at the end\n"


def test_a_slot_that_was_never_used_is_idle_all_the_time() -> None:
    assert shown([span("a.run", 0, 0.0, 40.0)]).startswith(
        " Slots    50 % busy, 50 % idle at the end   critical path 40.00s: a"
    )


def test_of_a_long_chain_both_ends_are_named() -> None:
    names = [f"directory/of/test{n}" for n in range(9)]
    chain = [
        span(f"{name}.run", 0, n * 4.0, n * 4.0 + 4.0, *([f"{names[n - 1]}.run"] if n else []))
        for n, name in enumerate(names)
    ]
    assert shown(chain) == (
        " Slots    45 % busy, 55 % idle at the end\n"
        "          critical path 36.00s: di~test0 > di~test1 > di~test2 > ~ > di~test8\n"
    )


def test_short_runs_and_lost_journals_say_nothing() -> None:
    assert shown(SPANS, run=msgspec.structs.replace(RUN, duration_s=29.0)) == ""
    assert shown(()) == ""

    def gone() -> Iterable[FragmentSpan]:
        raise FileNotFoundError

    summary = Summary(
        run=RUN, entries=(), load=lambda e: ResultRecord(name=e.name, status=""), spans=gone
    )
    assert slots_line(summary, Look(), "") == []
