"""What testloom promises beside its peers, and whether a run of the benchmarks kept it.

The goals are those of the design ("How fast is fast enough").  They are ratios of two runners in
the same rounds on the same tree: absolute times say more about the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from table import Row


@dataclass(frozen=True, slots=True)
class Goal:
    """testloom's time per test is at most *at_most* times that of *peer*."""

    peer: str
    at_most: float
    tests: int | None = None
    """On a tree of this size only; None: on any."""


GOALS = (
    Goal("xargs", 2.0, tests=1_000),
    Goal("xargs", 1.5, tests=10_000),
    Goal("ninja", 1.0),
    Goal("ninja-compare", 1.0),
    Goal("ctest", 1.0),
    Goal("ctest-compare", 1.0),
    Goal("e3-threads", 1 / 8),
    Goal("e3-processes", 1 / 100),
    Goal("lit", 1 / 10),
)
MORE_JOBS_AT_MOST = 1.2
"""testloom with more jobs than cores, against testloom with as many."""


def judge(tests: int, rows: Sequence[Row]) -> list[str]:
    """Return a line for each goal that *rows*, measured on a tree of *tests*, can decide.

    The rows with the lowest number of jobs decide; testloom's rows with more are compared with it.
    """
    done = [row for row in rows if not row.trouble]
    ours = sorted((row for row in done if row.peer == "testloom"), key=lambda row: row.jobs)
    if not ours:
        return []
    jobs = ours[0].jobs
    theirs = {row.peer: row for row in done if row.jobs == jobs}
    lines = [
        _line(f"testloom / {goal.peer} -j{jobs}, {tests:,} tests", ours[0], theirs[goal.peer], goal)
        for goal in GOALS
        if goal.peer in theirs and goal.tests in {None, tests}
    ]
    more = Goal("testloom", MORE_JOBS_AT_MOST)
    for row in ours[1:]:
        title = f"testloom -j{row.jobs} / testloom -j{jobs}, {tests:,} tests"
        lines.append(_line(title, row, ours[0], more))
    return lines


def _line(title: str, ours: Row, theirs: Row, goal: Goal) -> str:
    ratio = ours.per_test_s / theirs.per_test_s
    verdict = "met   " if ratio <= goal.at_most else "MISSED"
    return f"{verdict}  {title}: {ratio:.3g} (at most {goal.at_most:.3g})"
