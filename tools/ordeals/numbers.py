"""What many measurements come to: percentiles, and whether something grows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence


def percentiles(values: Sequence[float]) -> str:
    """Return the usual ones of *values*, which are seconds, in a line."""
    if not values:
        return "n=0"
    ordered = sorted(values)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]

    return (
        f"n={len(ordered)} p50={at(0.5):.3f} s p95={at(0.95):.3f} s p99={at(0.99):.3f} s"
        f" max={ordered[-1]:.3f} s"
    )


def at_most(failures: int, rounds: int) -> str:
    """Say what *rounds* with no failure are worth: the rule of three."""
    return f"{failures} of {rounds}" + (
        f" (rate below {3 / rounds:.2%} at 95 %)" if rounds and not failures else ""
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Slope:
    """How much something grows per unit of what it was measured over."""

    slope: float
    error: float
    """Standard error of that."""
    mean: float
    n: int

    @property
    def t(self) -> float:
        """How many errors it is away from none at all."""
        return self.slope / self.error if self.error > 0 else math.copysign(math.inf, self.slope)

    def is_growth(self, least: float) -> bool:
        """Tell whether it surely grows, and by more than *least*, which is too little to matter."""
        return self.slope > least and (self.t > 4 or self.error == 0)


def slope(groups: Iterable[Sequence[tuple[float, float]]]) -> Slope:
    """Fit one line to all *groups* of points, each of which may lie higher or lower than others."""
    xx = xy = yy = total = 0.0
    count = kept = 0
    for points in groups:
        if len(points) < 3:
            continue
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        xx += sum((x - mean_x) ** 2 for x, _ in points)
        xy += sum((x - mean_x) * (y - mean_y) for x, y in points)
        yy += sum((y - mean_y) ** 2 for _, y in points)
        total += sum(y for _, y in points)
        count += len(points)
        kept += 1
    if xx == 0 or count - kept - 1 <= 0:
        return Slope(0.0, math.inf, total / count if count else 0.0, count)
    fitted = xy / xx
    rest = max(0.0, yy - fitted * xy)
    return Slope(fitted, math.sqrt(rest / (count - kept - 1) / xx), total / count, count)


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the power of x that y grows with: 1 is linear, 2 quadratic."""
    return slope([[(math.log(x), math.log(y)) for x, y in points]]).slope
