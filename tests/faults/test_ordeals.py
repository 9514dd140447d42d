"""What takes longer than a test may, in small, and what is made of its figures; see ``tools/ordeal.py``."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    import ordeals.numbers

    return ordeals.numbers


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("kills", "-n2"),
        ("interrupts", "-n1"),
        ("crashes", "-n60", "--rounds=1"),
    ],
    ids=lambda words: words[0],
)
def test_an_ordeal_in_small_is_no_problem(words: tuple[str, ...]) -> None:
    assert _ordeal(*words).endswith("no problem\n")


@pytest.mark.slow
def test_system_calls_that_fail_or_kill_are_no_problem() -> None:
    said = _ordeal("inject", "rename", "flock", "-n2")
    if said.startswith("not tried"):
        pytest.skip(said.strip())
    assert said.endswith("no problem\n")


def _ordeal(*words: str) -> str:
    ran = subprocess.run(
        [sys.executable, TOOLS / "ordeal.py", *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_what_grows_is_told_from_what_only_varies(numbers: Any) -> None:
    chance = random.Random(1)

    def runs(growth: float) -> list[list[tuple[float, float]]]:
        return [
            [(x, 10 * run + growth * x + chance.gauss(0, 1)) for x in range(30)] for run in range(5)
        ]

    assert not numbers.slope(runs(0)).is_growth(least=0.05)
    assert not numbers.slope(runs(-1)).is_growth(least=0.05)
    assert numbers.slope(runs(0.5)).is_growth(least=0.05)
    assert not numbers.slope(runs(0.5)).is_growth(least=2)
    assert abs(numbers.slope(runs(0.5)).slope - 0.5) < 0.1


def test_too_few_points_say_nothing(numbers: Any) -> None:
    assert not numbers.slope([[(0, 0), (1, 9)]]).is_growth(least=0)


def test_the_power_of_growth_is_found(numbers: Any) -> None:
    assert abs(numbers.exponent([(x, 3 * x) for x in (1, 2, 4, 8)]) - 1) < 1e-9
    assert abs(numbers.exponent([(x, x * x) for x in (1, 2, 4, 8)]) - 2) < 1e-9


def test_percentiles_are_values_that_were_seen(numbers: Any) -> None:
    said = numbers.percentiles([n / 100 for n in range(1, 101)])
    assert said == "n=100 p50=0.500 s p95=0.950 s p99=0.990 s max=1.000 s"


def test_no_failure_is_not_never(numbers: Any) -> None:
    assert numbers.at_most(0, 300) == "0 of 300 (rate below 1.00% at 95 %)"
    assert numbers.at_most(2, 300) == "2 of 300"
