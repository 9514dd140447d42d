"""Mutants: deliberate defects in the guards of the program, and which tests have to notice them.

They are data, in ``mutants.yaml``; ``tools/mutants.py`` tries them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

LIST: Final = Path(__file__).parent / "mutants.yaml"
SOURCES: Final = Path("src") / "testloom"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of one file."""

    file: str
    """Its path below the sources."""
    find: str
    """A text that stands in it once."""
    put: str
    """What takes its place."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A program in which one guard is broken."""

    guard: str
    """What the guard promises."""
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    """What must fail then, as pytest names it."""


def mutants() -> Iterator[Mutant]:
    """Yield all of them."""
    for fields in yaml.safe_load(LIST.read_text(encoding="utf-8")):
        scenarios = (
            f"tests/faults/test_scenarios.py::test_it_ends_as_promised[{row}]"
            for row in fields.get("scenarios", ())
        )
        yield Mutant(
            guard=fields["guard"],
            edits=tuple(Edit(**edit) for edit in fields["edits"]),
            tests=(*scenarios, *(f"tests/{test}" for test in fields.get("tests", ()))),
        )


def problem(edit: Edit, root: Path) -> str:
    """Say why *edit* cannot be made in the checkout *root*; empty if it can."""
    path = root / SOURCES / edit.file
    count = path.read_text(encoding="utf-8").count(edit.find) if path.is_file() else 0
    if count == 1:
        return ""
    return (
        f"{SOURCES / edit.file}: holds {edit.find!r} {count} times; bring mutants.yaml up to date"
    )
