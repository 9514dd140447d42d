"""The mutants can be made; whether they are noticed, ``tools/mutants.py`` tells, which takes minutes."""

from __future__ import annotations

from pathlib import Path

from tests.faults.mutant import mutants, problem
from tests.faults.scenario import scenarios

ROOT = Path(__file__).parents[2]


def test_every_text_that_a_mutant_changes_stands_in_the_sources_once() -> None:
    found = [problem(edit, ROOT) for mutant in mutants() for edit in mutant.edits]
    assert [one for one in found if one] == []


def test_every_mutant_names_tests_that_are_there() -> None:
    rows = {scenario.row for scenario in scenarios()}
    for mutant in mutants():
        assert mutant.tests, mutant.guard
        for test in mutant.tests:
            path, _, name = test.partition("::")
            if name.endswith("]"):
                assert name.partition("[")[2][:-1] in rows, test
            else:
                assert f"def {name}(" in (ROOT / path).read_text() or not name, test


def test_guards_are_told_apart() -> None:
    guards = [mutant.guard for mutant in mutants()]
    assert len(guards) == len({*guards}) >= 25
