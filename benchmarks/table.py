"""The figures of a comparison, as a table for people and as values for programs.

The fastest is on top, whoever it is.  A ratio compares the median time per test with that of the
floor in the same tree; no best-of figure is shown anywhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from measure import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All runs of one peer with one number of jobs on one tree."""

    peer: str
    jobs: int
    tests: int
    """How many tests it was given; fewer than the tree has for a peer that is too slow."""
    samples: tuple[Sample, ...]
    trouble: str = ""
    """Why the runs count for nothing; empty if every run passed every test."""

    @property
    def median_s(self) -> float:
        """The median wall time of a run."""
        return statistics.median(sample.wall_s for sample in self.samples)

    @property
    def per_test_s(self) -> float:
        """The median wall time divided by the number of tests."""
        return self.median_s / self.tests

    @property
    def others_share(self) -> float:
        """The highest share of the machine's CPU time that went elsewhere during a run.

        Shares are of the wall time of one core: 1.0 is a core kept busy by somebody else.
        """
        return max((s.others_cpu_s + s.steal_s) / s.wall_s for s in self.samples)


HEAD = ("", "-j", "tests", "runs", "median", "min", "max", "ms/test", "x floor", "CPU s", "others")


def render(title: str, rows: Sequence[Row], floor: Row) -> str:
    """Return the table of *rows*, the fastest per test first; *floor* is what 1.0 means."""
    good = sorted((row for row in rows if not row.trouble), key=lambda row: row.per_test_s)
    cells = [HEAD, *(_cells(row, floor) for row in good)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [title]
    for line in cells:
        first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        lines.append("  ".join((first.strip().ljust(widths[0]), *rest)))
    lines += [f"{row.peer} -j{row.jobs}: {row.trouble}" for row in rows if row.trouble]
    if any(row.tests < floor.tests for row in good):
        lines.append("* fewer tests, because it is so slow; compare the time per test")
    return "\n".join(lines)


def as_json(row: Row, floor: Row) -> dict[str, Any]:
    """Return *row* with every sample."""
    if row.trouble:
        return asdict(row)
    figures = {"median_s": row.median_s, "per_test_s": row.per_test_s}
    return asdict(row) | figures | {"ratio": row.per_test_s / floor.per_test_s}


def _cells(row: Row, floor: Row) -> tuple[str, ...]:
    walls = [sample.wall_s for sample in row.samples]
    return (
        row.peer,
        str(row.jobs),
        f"{row.tests:,}" + ("*" if row.tests < floor.tests else ""),
        str(len(walls)),
        f"{row.median_s:.2f}",
        f"{min(walls):.2f}",
        f"{max(walls):.2f}",
        f"{row.per_test_s * 1000:.2f}",
        f"{row.per_test_s / floor.per_test_s:.2f}",
        f"{statistics.median(sample.cpu_s for sample in row.samples):.2f}",
        f"{row.others_share:.0%}",
    )
