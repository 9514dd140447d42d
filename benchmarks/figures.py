"""Single figures with their goal: what the engine benchmarks give."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something measured a few times."""

    name: str
    unit: str
    samples: tuple[float, ...]
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The figure that counts."""
        return statistics.median(self.samples)

    @property
    def verdict(self) -> str:
        """Whether the goal was met; empty without one."""
        if self.at_most is not None:
            return "met" if self.median <= self.at_most else "MISSED"
        if self.at_least is not None:
            return "met" if self.median >= self.at_least else "MISSED"
        return ""

    @property
    def goal(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most:,g}"
        return f"at least {self.at_least:,g}" if self.at_least is not None else ""

    def as_json(self) -> dict[str, Any]:
        """Return everything, each sample included."""
        return asdict(self) | {"median": self.median, "verdict": self.verdict}


HEAD = ("", "median", "min", "max", "runs", "unit", "goal", "")


def render(figures: Sequence[Figure]) -> str:
    """Return a table of *figures* in their order, their notes below it."""
    cells = [HEAD, *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for name, *rest in cells:
        line = [name.ljust(widths[0])]
        line += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(line).rstrip())
    lines += [f"{figure.name}: {figure.note}" for figure in figures if figure.note]
    return "\n".join(lines)


def _cells(figure: Figure) -> tuple[str, ...]:
    numbers = (figure.median, min(figure.samples), max(figure.samples))
    median, least, most = (f"{n:,.0f}" if n >= 100 else f"{n:.3g}" for n in numbers)
    runs = str(len(figure.samples))
    return (figure.name, median, least, most, runs, figure.unit, figure.goal, figure.verdict)
