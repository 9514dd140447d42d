"""Prints, for each row of what a suite of e3-testsuite can observe, its tests and their verdict.

    python tools/e3_rows.py             runs tests/compat and prints the table
    python tools/e3_rows.py --no-run    only which row has which tests

Any Python will do: the tests are run by the first one that has testloom and pytest, this one or
that of ``./check``.  With E3_TESTSUITE_PYTHON naming one that has e3-testsuite 27.3, both are compared.

A test names its rows: ``test_a3_a7_what_makes_no_sense`` is for rows A3 and A7.  The exit status
is 1 if a row has no test, or one that failed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import rows

ROOT: Final = Path(__file__).resolve().parents[1]
TESTS: Final = ROOT / "tests" / "compat"
LAST: Final = {
    "A": 14, "B": 19, "C": 6, "D": 15, "E": 15, "F": 10, "G": 9, "H": 3, "J": 7, "K": 10,
    "L": 2, "M": 5, "N": 3, "O": 5, "P": 8, "Q": 6, "R": 2, "S": 4,
}  # fmt: skip
"""The number of the last row under each letter."""
DIFFERENCES: Final[Mapping[str, str]] = {
    "A5": "better: what of the environment cannot be pickled does not matter",
    "A14": "better: results and reports are written first",
    "B10": "as 27.4: patterns match the path below the tests",
    "B13": "better: selected twice is selected once",
    "B14": "better: the first test of that name has its verdict",
    "C1": "better: tags that make objects are refused",
    "C3": "better: no YAML error ends the run",
    "D3": "better: of a test whose driver fails while it is made, nothing runs",
    "D8": "better: results come in the order in which they were pushed",
    "D14": "better: a circle makes errors of its tests, and the others run",
    "E12": "better: a time-out is marked TIMEOUT; programs killed by a signal have status 128+N",
    "F7": "better: a pattern that is none is said to be so, under the name of the test",
    "H2": "better: conditions run no code of tests",
    "J2": "better: a message is one line, however it was given",
    "K1": "same verdicts: fragments run in forked workers, or fresh ones if forced",
    "K2": "same verdicts: no threads",
    "K5": "better: drivers of the main script and values between fragments work",
    "K8": "better: in both modes, what did not run is in the report",
    "K9": "better: results are kept, what runs is ended",
    "M5": "better: always called from the main thread",
    "N1": "better: no left-overs of GAIA; run.journal beside the rest",
    "N3": "better: each result is on disk as soon as it is there",
    "P3": "as 27.3; as 27.4 with settings for attachments",
    "P6": "as 27.3; as 27.4 with settings for attachments",
    "Q1": "better: in directories, *.xml only",
}


def main() -> int:
    """Print the table."""
    tests = {row: sorted(set(names)) for row, names in _tests_by_row().items()}
    verdicts = {} if "--no-run" in sys.argv else rows.verdicts([TESTS])
    worst = 0
    for row in _rows():
        verdict = rows.worst([verdicts.get(name, "") for name in tests.get(row, [])])
        worst |= verdict in ("no test", "FAIL")
        names = ", ".join(tests.get(row, []))
        print(f"{row:<4}{verdict:<8}{DIFFERENCES.get(row, 'same')}\n            {names}")  # noqa: T201 - a tool
    return worst


def _rows() -> Iterator[str]:
    for letter, last in LAST.items():
        for number in range(1, last + 1):
            yield f"{letter}{number}"


def _tests_by_row() -> dict[str, list[str]]:
    return rows.tests_by_row([TESTS], r"test_((?:[a-s]\d+_)+)", str.upper)


if __name__ == "__main__":
    sys.exit(main())
