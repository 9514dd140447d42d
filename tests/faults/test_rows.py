"""Every kind of fault is tried, or says why not; see ``tools/fault_rows.py`` for the verdicts."""

from __future__ import annotations

from pathlib import Path

from tests.faults.row import rows

ROOT = Path(__file__).parents[2]


def test_every_row_is_tried_or_says_why_not() -> None:
    assert [row.name for row in rows() if row.is_tried == bool(row.reason)] == []


def test_every_scenario_belongs_to_a_row() -> None:
    assert [row.scenarios for row in rows() if not row.what] == []


def test_tests_that_try_a_row_are_there() -> None:
    for row in rows():
        for test in row.tests:
            path, _, name = test.partition("::")
            assert (ROOT / path).is_file(), test
            assert not name or f"def {name}(" in (ROOT / path).read_text(), test
