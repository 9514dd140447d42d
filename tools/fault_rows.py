"""Prints, for each kind of fault that a run can meet, whether what is promised was kept.

    python tools/fault_rows.py          runs what tries them and prints the table
    python tools/fault_rows.py A B7     prints these kinds and rows only

The rows are data, in tests/faults/rows.yaml.  One is ``ok``, ``skip`` (something is missing here
that it takes to try it), ``unmet`` or ``untried`` (its reason follows), or ``FAIL``; the exit status is
1 if one is ``FAIL``.  Needs PyYAML; the interpreter of ``./check`` has it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import rows as shared

sys.path.insert(0, str(shared.ROOT))

from tests.faults.row import Row, rows
from tests.faults.scenario import Scenario, scenarios

SCENARIOS = "tests/faults/test_scenarios.py"


def main() -> int:
    """Print the table."""
    wanted = [row for row in rows() if _is_wanted(row)]
    known = {scenario.row: scenario for scenario in scenarios()}
    found = _verdicts(wanted)
    counts: dict[str, int] = {}
    for row in wanted:
        verdict, remark = _verdict(row, known, found)
        counts[verdict] = counts.get(verdict, 0) + 1
        print(f"{row.name:<5}{verdict:<9}{row.what}{remark and f' ({remark})'}")  # noqa: T201 - a tool
    total = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
    share = counts.get("ok", 0) / max(len(wanted), 1)
    print(f"{len(wanted)} rows: {total}; {share:.0%} met")  # noqa: T201
    return 1 if "FAIL" in counts else 0


def _verdicts(wanted: list[Row]) -> dict[str, str]:
    """Run what tries *wanted*; return the verdicts of tests by file and name, or by file alone."""
    names = {test for row in wanted for test in row.tests}
    names |= {f"{SCENARIOS}::{_test_of(one)}" for row in wanted for one in row.scenarios}
    found: dict[str, str] = {}
    by_file: dict[str, list[str]] = {}
    for name in sorted(names):
        by_file.setdefault(name.partition("::")[0], []).append(name)
    for file, tests in by_file.items():
        whole = file in tests
        chosen = [file] if whole else tests
        ran = shared.verdicts([Path(one) for one in chosen], apart=file == SCENARIOS)
        found.update({f"{file}::{name}": verdict for name, verdict in ran.items()})
        if whole:
            found[file] = shared.worst([one for one in ran.values() if one != "skip"])
    return found


def _verdict(row: Row, known: dict[str, Scenario], found: dict[str, str]) -> tuple[str, str]:
    """Return the verdict of *row*, and why it is no better."""
    if not row.is_tried:
        return "untried", row.reason or "not yet"
    unmet = [known[one].unmet for one in row.scenarios if known[one].unmet]
    names = [*row.tests, *(f"{SCENARIOS}::{_test_of(one)}" for one in row.scenarios)]
    verdicts = [found.get(name, "FAIL") for name in names]
    if unmet and "FAIL" not in verdicts:
        return "unmet", "; ".join(unmet)
    return shared.worst(verdicts), ""


def _test_of(scenario: str) -> str:
    return f"test_it_ends_as_promised[{scenario}]"


def _is_wanted(row: Row) -> bool:
    wanted = sys.argv[1:]
    return not wanted or row.name[0] in wanted or row.name in wanted


if __name__ == "__main__":
    sys.exit(main())
