"""Every scenario ends as promised, and all invariants hold after it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from tests.faults import invariants
from tests.faults.provoking import Provoked, Ran, write_suite
from tests.faults.scenario import Scenario, scenarios

from testloom.journal.reader import read


def _parameters() -> list[object]:
    return [
        pytest.param(
            scenario,
            id=scenario.row,
            marks=[pytest.mark.xfail(reason=scenario.unmet, raises=AssertionError, strict=True)]
            if scenario.unmet
            else [],
        )
        for scenario in scenarios()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", _parameters())
def test_it_ends_as_promised(scenario: Scenario, tmp_path: Path, nothing_is_left: None) -> None:
    write_suite(scenario, tmp_path)
    provoked = Provoked(scenario, tmp_path)
    try:
        ran = provoked.run()
        invariants.check(scenario, ran)
        _is_as_promised(scenario, ran)
        if scenario.resumes:
            resumed = provoked.run("--resume", steps=False)
            assert resumed.exit_code == 0, resumed.out + resumed.err
            invariants.check(dataclasses.replace(scenario, ends=True, stops=False), resumed)
    finally:
        provoked.close()


def _is_as_promised(scenario: Scenario, ran: Ran) -> None:
    assert ran.exit_code == scenario.exit, ran.out + ran.err
    for words in scenario.says:
        assert re.search(words, ran.out + ran.err), f"{words!r} is not in {ran.out}{ran.err}"
    if not scenario.runs:
        return
    entries = read(str(ran.run_dir / "run.journal")).entries
    seen = {entry.name: f"{entry.status.name} {entry.reason}".strip() for entry in entries}
    for name, wanted in scenario.sees.items():
        got = seen.get(name, "no result")
        assert re.fullmatch(wanted, got), f"{name}: {got}, not {wanted}"


def test_rows_are_told_apart() -> None:
    rows = [scenario.row for scenario in scenarios()]
    assert len(rows) == len(set(rows))
