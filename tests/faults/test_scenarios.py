"""Every scenario ends as promised, and all invariants hold after it.

Each has PID and mount namespaces of its own, where that is allowed.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults import apart, invariants
from tests.faults.provoking import Provoked, Ran, memory_can_be_limited, write_suite
from tests.faults.scenario import Scenario, scenarios

from testloom.journal.reader import read
from testloom.processes import prctl


def _parameters() -> Iterator[object]:
    for scenario in scenarios():
        marks = [] if scenario.smoke else [pytest.mark.thorough]
        if scenario.unmet:
            marks.append(
                pytest.mark.xfail(reason=scenario.unmet, raises=AssertionError, strict=True)
            )
        yield pytest.param(scenario, id=scenario.row, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", list(_parameters()))
def test_it_ends_as_promised(scenario: Scenario, tmp_path: Path, nothing_is_left: None) -> None:
    provoke = functools.partial(_provoke, scenario, tmp_path)
    if scenario.needs == "memory limits":
        if not memory_can_be_limited():
            pytest.skip("control groups that limit memory cannot be made here")
    elif scenario.needs not in ("", "namespaces") and not _works(*scenario.needs.split()):
        pytest.skip(f"there is no {scenario.needs} here")
    if not apart.why_not():
        apart.in_namespaces(provoke, {tmp_path / at: how for at, how in scenario.disks.items()})
    elif scenario.disks or scenario.needs == "namespaces":
        pytest.skip(apart.why_not())
    else:
        provoke()


def _works(program: str, *words: str) -> bool:
    """Tell whether *program* is there, and can do what *words* ask of it, if there are any."""
    if shutil.which(program) is None:
        return False
    tried = [program, *words]
    return not words or subprocess.run(tried, capture_output=True, check=False).returncode == 0


def test_scenarios_have_namespaces_of_their_own() -> None:
    if apart.why_not():
        pytest.skip(f"{apart.why_not()}; scenarios run without, if they can")
    apart.in_namespaces(_is_the_first_process)
    with pytest.raises(AssertionError, match="no such luck"):
        apart.in_namespaces(lambda: pytest.fail("no such luck"))


def _is_the_first_process() -> None:
    assert os.getpid() == 1
    assert not [name for name in os.listdir("/proc") if name.isdecimal() and name != "1"]


def _provoke(scenario: Scenario, root: Path) -> None:
    prctl.become_subreaper()
    write_suite(scenario, root)
    provoked = Provoked(scenario, root)
    try:
        ran = provoked.run()
        invariants.check(scenario, ran)
        _is_as_promised(scenario, ran)
        if scenario.resumes:
            resumed = provoked.run("--resume", steps=False)
            assert resumed.exit_code == 0, resumed.out + resumed.err
            clean = dataclasses.replace(scenario, ends=True, stops=False, leaves=False)
            if scenario.leaves:
                invariants.is_swept(resumed)
            invariants.check(clean, resumed)
    finally:
        provoked.close()


def _is_as_promised(scenario: Scenario, ran: Ran) -> None:
    written = ran.out + ran.err
    assert ran.exit_code == scenario.exit, written
    for words in scenario.says:
        assert re.search(words, written), f"{words!r} is not in {written}"
    for words in scenario.hides:
        assert not re.search(words, written), f"{words!r} is in {written}"
    for secret in scenario.keeps_secret:
        assert secret not in written
        for path in ran.run_dir.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    if not (scenario.runs and scenario.keeps):
        return
    entries = read(str(ran.run_dir / "run.journal")).entries
    seen = {entry.name: f"{entry.status.name} {entry.reason}".strip() for entry in entries}
    for name, wanted in scenario.sees.items():
        got = seen.get(name, "no result")
        assert re.fullmatch(wanted, got), f"{name}: {got}, not {wanted}"


def test_rows_are_told_apart() -> None:
    rows = [scenario.row for scenario in scenarios()]
    assert len(rows) == len(set(rows))
