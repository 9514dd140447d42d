"""What the tools share that print lists of rows, each with its tests and their verdict.

A test is for a row if its name says so; the verdicts come from running the tests.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

ROOT: Final = Path(__file__).resolve().parents[1]
_TOOL: Final = Path(sys.argv[0]).stem


def tests_by_row(
    folders: Iterable[Path], pattern: str, row_of: Callable[[str], str]
) -> dict[str, list[str]]:
    """Return the names of the tests in *folders* for each row.

    The first group of *pattern* is what of a test's name tells its rows, each ended by ``_``;
    *row_of* makes the name of a row of one.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(path for folder in folders for path in folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                told = re.match(pattern, node.name)
                for row in told[1].split("_") if told else ():
                    if row:
                        found.setdefault(row_of(row), []).append(node.name)
    return found


def verdicts(tests: Sequence[Path], *options: str, apart: bool = False) -> dict[str, str]:
    """Run *tests*; return the worst verdict of each function, or with *apart* of each parameter, too.

    The interpreter is the first that has testloom and pytest: this one, or that of ``./check``.
    """
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [_python(), "-m", "pytest", *map(str, tests), "-q", f"--junit-xml={report}"]
        ended = subprocess.run(
            [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        if not report.is_file():
            sys.exit(f"{_TOOL}: pytest made no report:\n{ended.stdout}")
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
            name = case.get("name") or ""
            if not apart:
                name = name.partition("[")[0]
            tags = {child.tag for child in case}
            verdict = (
                "FAIL" if tags & {"failure", "error"} else "skip" if "skipped" in tags else "ok"
            )
            if found.get(name) != "FAIL":
                found[name] = verdict
    return found


def worst(verdicts: list[str]) -> str:
    """Return the verdict of a row whose tests have *verdicts*."""
    if not verdicts:
        return "no test"
    return next((one for one in ("FAIL", "skip", "ok") if one in verdicts), "")


def _python() -> str:
    made = ROOT.glob(".run-tests/venv-check-*/bin/python")
    newest_first = sorted(made, key=lambda path: path.lstat().st_mtime, reverse=True)
    for python in (sys.executable, *map(str, newest_first)):
        command = [python, "-c", "import testloom, pytest"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return python
    sys.exit(f"{_TOOL}: no Python here has testloom and pytest; run ./check -q lint first")
