"""The same suites, run by e3-testsuite 27.3 and by testloom: the same verdicts, names, messages.

Runs where e3-testsuite is installed, or where E3_TESTSUITE_PYTHON names an interpreter that has it.
What differs on purpose is said in `_masked`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, e3_python: str) -> tuple[Any, Any]:
    """Run the zoo with each; return what came of it."""
    conftest = sys.modules[_conftest()]
    root = tmp_path_factory.mktemp("both")
    conftest.write_zoo(root)
    args = ("-j2", "--xunit-output=x.xml", "--generate-text-report")
    conftest.run_python(root, "testsuite.py", *args, python=e3_python)
    theirs = _moved(root, "theirs")
    conftest.run_door(root, *args)
    ours = _moved(root, "ours")
    return conftest.Ran(theirs, 0, "", ""), conftest.Ran(ours, 0, "", "")


def _moved(root: Path, name: str) -> Path:
    """Move what a run has left out of the way of the next one."""
    target = root.parent / f"{root.name}-{name}"
    target.mkdir()
    for left in ("out", "x.xml"):
        shutil.move(root / left, target / left)
    return target


def _conftest() -> str:
    return next(
        name
        for name, module in sys.modules.items()
        if (getattr(module, "__file__", None) or "").endswith("tests/compat/conftest.py")
    )


def _masked(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    masked = {}
    for name, row in rows.items():
        kept = {key: value for key, value in row.items() if key not in ("time", "filename")}
        if name == "timeout":
            kept["failure_reasons"] = []  # they do not mark time-outs
        masked[name] = kept
    return masked


@pytest.mark.slow
def test_index_and_verdicts_are_the_same(both: tuple[Any, Any]) -> None:
    theirs, ours = both

    assert _masked(ours.rows) == _masked(theirs.rows)


@pytest.mark.slow
def test_xunit_reports_are_the_same(both: tuple[Any, Any]) -> None:
    """But for times, temporary directories, and tracebacks through the runner itself."""
    theirs, ours = (_xml(ran.root / "x.xml") for ran in both)

    assert ours == theirs


@pytest.mark.slow
def test_their_reader_and_ours_show_the_same_of_both(both: tuple[Any, Any], e3_python: str) -> None:
    theirs = str(Path(e3_python).parent / "e3-testsuite-report")
    for ran in both:
        shown = [
            subprocess.run(
                [
                    *command,
                    "-a",
                    "--show-time-info",
                    "--old-result-dir",
                    str(ran.new),
                    str(ran.new),
                ],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for command in ([theirs], [sys.executable, "-m", "testloom", "e3-report"])
        ]
        assert shown[0] == shown[1]


def _xml(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'time="[\d.]+"', 'time="T"', text)
    text = re.sub(r"/tmp/(testloom-|tmp)\w+", "WD", text)
    # They do not say it.
    text = re.sub(r"\n+What it was doing when its time was up:\n(  .*\n)+", "\n", text)
    # What cannot be read: a traceback there, the place and the reason here.
    text = re.sub(r"(<error [^>]*?)( />|>[^<]*</error>)", r"\1/>", text)
    return text.replace("<testcase", "\n<testcase")
