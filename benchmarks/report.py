"""A whole comparison as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from goals import judge
from machine import Machine
from peers import FLOOR, Peer
from table import Row, as_json, render


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was measured, on what, and what could not be."""

    machine: Machine
    load_before: str
    load_after: str
    peers: Sequence[Peer]
    missing: Mapping[str, str]
    """Why a peer, by name, was not measured."""
    tables: Mapping[int, Sequence[Row]]
    """The rows for each size of tree."""

    def text(self) -> str:
        """Return all tables, what the figures mean and where they were measured."""
        lines = [*self.machine.lines(), f"load: {self.load_before}; after: {self.load_after}"]
        for tests, rows in self.tables.items():
            lines += ["", render(f"{tests:,} tests of one cat", rows, _floor(rows))]
            lines += judge(tests, rows)
        lines += ["", "what each does for a test"]
        lines += [f"  {peer.name} ({peer.version()}): {peer.note}" for peer in self.peers]
        lines += [f"  {name}: not measured: {why}" for name, why in self.missing.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return everything, each single run included, as values that JSON knows."""
        return {
            "format": 1,
            "machine": asdict(self.machine),
            "load": {"before": self.load_before, "after": self.load_after},
            "peers": {p.name: {"version": p.version(), "note": p.note} for p in self.peers},
            "missing": dict(self.missing),
            "tables": [
                {
                    "tests": tests,
                    "rows": [as_json(row, _floor(rows)) for row in rows],
                    "goals": judge(tests, rows),
                }
                for tests, rows in self.tables.items()
            ],
        }


def _floor(rows: Sequence[Row]) -> Row:
    return min((row for row in rows if row.peer == FLOOR), key=lambda row: row.jobs)
