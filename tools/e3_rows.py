"""Prints, for each row of what a suite of e3-testsuite can observe, its tests and their verdict.

    python tools/e3_rows.py             runs tests/compat and prints the table
    python tools/e3_rows.py --no-run    only which row has which tests

Any Python will do: the tests are run by the first one that has testloom and pytest, this one or
that of ``./check``.  With E3_TESTSUITE_PYTHON naming one that has e3-testsuite 27.3, both are compared.

A test names its rows: ``test_a3_a7_what_makes_no_sense`` is for rows A3 and A7.  The exit status
is 1 if a row has no test, or one that failed.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

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
    verdicts = {}
    if "--no-run" not in sys.argv:
        python = _python()
        if python is None:
            sys.exit("e3_rows: no Python here has testloom and pytest; run ./check -q lint first")
        verdicts = _verdicts(python)
    worst = 0
    for row in _rows():
        verdict = _verdict([verdicts.get(name, "") for name in tests.get(row, [])])
        worst |= verdict in ("no test", "FAIL")
        names = ", ".join(tests.get(row, []))
        print(f"{row:<4}{verdict:<8}{DIFFERENCES.get(row, 'same')}\n            {names}")  # noqa: T201 - a tool
    return worst


def _rows() -> Iterator[str]:
    for letter, last in LAST.items():
        for number in range(1, last + 1):
            yield f"{letter}{number}"


def _tests_by_row() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                rows = re.match(r"test_((?:[a-s]\d+_)+)", node.name)
                for row in rows[1].split("_") if rows else ():
                    if row:
                        found.setdefault(row.upper(), []).append(node.name)
    return found


def _python() -> str | None:
    """Return an interpreter that can run the tests."""
    made = ROOT.glob(".run-tests/venv-check-*/bin/python")
    newest_first = sorted(made, key=lambda path: path.lstat().st_mtime, reverse=True)
    for python in (sys.executable, *map(str, newest_first)):
        command = [python, "-c", "import testloom, pytest"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return python
    return None


def _verdicts(python: str) -> dict[str, str]:
    """Run the tests with *python*; return the worst verdict of each function."""
    worst: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [python, "-m", "pytest", str(TESTS), "-q", f"--junit-xml={report}"]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if not report.is_file():
            sys.exit(f"e3_rows: pytest made no report:\n{ended.stdout}")
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
            name = (case.get("name") or "").partition("[")[0]
            tags = {child.tag for child in case}
            verdict = (
                "FAIL" if tags & {"failure", "error"} else "skip" if "skipped" in tags else "ok"
            )
            if worst.get(name) != "FAIL":
                worst[name] = verdict
    return worst


def _verdict(verdicts: list[str]) -> str:
    if not verdicts:
        return "no test"
    return next((worst for worst in ("FAIL", "skip", "ok") if worst in verdicts), "")


if __name__ == "__main__":
    sys.exit(main())
