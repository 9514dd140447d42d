"""The journal of a run that cannot be written, and one that is interrupted when it has just begun."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from testloom.journal.format import JournalError
from testloom.suite.preparing import written_to_the_end
from testloom.suite.run import RunOutcome


class FullJournal:
    def run_ended(self, **_: Any) -> None:
        raise JournalError("run.journal", "results disk full")


@pytest.mark.parametrize(
    ("broken_down", "lines"),
    [
        ("", ("the results cannot be kept: run.journal: results disk full",)),
        ("the results cannot be kept: run.journal: results disk full", ()),
    ],
)
def test_an_end_that_cannot_be_written_is_told_once(broken_down: str, lines: tuple[str]) -> None:
    outcome = RunOutcome(entries=[], duration_s=1.0, broken_down=broken_down)
    journal: Any = FullJournal()
    assert written_to_the_end(journal, outcome, 0) == lines


INTERRUPTED = """
import signal, sys, testloom
from testloom.journal.writer import JournalWriter

class Suite(testloom.Testsuite):
    tests_subdir = "tests"

begin = JournalWriter.run_started

def run_started(*args, **options):
    begin(*args, **options)
    signal.raise_signal(signal.SIGINT)

JournalWriter.run_started = run_started
sys.exit(Suite().testsuite_main())
"""


def test_a_run_that_is_interrupted_once_its_journal_has_begun_has_reports(
    script: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "tests" / "a").mkdir(parents=True)
    (tmp_path / "tests" / "a" / "test.yaml").write_text("cmd: [echo]\n")
    out = tmp_path / "out"

    ran = script(
        INTERRUPTED, f"--output-dir={out}", f"--xunit-output={out}/x.xml", "--history=none"
    )

    assert ran.returncode == -signal.SIGINT
    assert "SIGINT received" in ran.stdout
    assert "Traceback" not in ran.stderr
    root = ET.fromstring((out / "x.xml").read_bytes())
    assert [case.get("name") for case in root.iter("testcase")] == ["a"]
