"""Prints, for each scenario of a fault, its verdict and what is promised.

    python tools/fault_rows.py          runs tests/faults and prints the table
    python tools/fault_rows.py A B7     prints these kinds and rows only

Needs PyYAML; the interpreter of ``./check`` has it.  A row is ``ok``, ``unmet`` (its reason follows) or
``FAIL``; the exit status is 1 if one is ``FAIL``.
"""

from __future__ import annotations

import sys

import rows

sys.path.insert(0, str(rows.ROOT))

from tests.faults.scenario import Scenario, scenarios


def main() -> int:
    """Print the table."""
    tests = rows.ROOT / "tests" / "faults" / "test_scenarios.py"
    verdicts = rows.verdicts([tests], apart=True)
    code = 0
    for scenario in filter(_is_wanted, scenarios()):
        verdict = verdicts.get(f"test_it_ends_as_promised[{scenario.row}]", "no test")
        promise = f"{scenario.provoke}: {scenario.expect}"
        if verdict == "skip" and scenario.unmet:
            verdict = "unmet"
            promise += f"; unmet: {scenario.unmet}"
        code |= verdict in ("no test", "FAIL")
        print(f"{scenario.row:<14}{verdict:<8}{promise}")  # noqa: T201 - a tool
    return code


def _is_wanted(scenario: Scenario) -> bool:
    wanted = sys.argv[1:]
    return (
        not wanted or scenario.row[0] in wanted or not set(wanted).isdisjoint(scenario.row.split())
    )


if __name__ == "__main__":
    sys.exit(main())
