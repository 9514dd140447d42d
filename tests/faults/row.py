"""Rows: every kind of fault that a run on one machine can meet, and what tries it.

They are data, in ``rows.yaml``; ``tools/fault_rows.py`` prints them with their verdicts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml
from tests.faults.scenario import scenarios

LIST: Final = Path(__file__).parent / "rows.yaml"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of fault."""

    name: str
    """A letter for what it befalls, and a number."""
    what: str
    scenarios: tuple[str, ...]
    """The scenarios that try it, as they are called."""
    tests: tuple[str, ...] = ()
    """Other tests that do, or files of tests, as pytest names them."""
    reason: str = ""
    """Why nothing does."""

    @property
    def is_tried(self) -> bool:
        return bool(self.scenarios or self.tests)


def rows() -> Iterator[Row]:
    """Yield all of them, in the order of their list."""
    by_row: dict[str, list[str]] = {}
    for scenario in scenarios():
        for word in scenario.row.split():
            by_row.setdefault(word.partition("-")[0], []).append(scenario.row)
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    for name, fields in listed.items():
        yield Row(
            name=name,
            what=fields["what"],
            scenarios=tuple(by_row.pop(name, ())),
            tests=tuple(f"tests/{test}" for test in fields.get("tests", ())),
            reason=fields.get("reason", ""),
        )
    for name, left in by_row.items():
        yield Row(name=name, what="", scenarios=tuple(left))
