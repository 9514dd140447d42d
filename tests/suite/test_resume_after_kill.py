"""Runs that are killed at random moments, and resumed until they end.

``TESTLOOM_KILLS=50`` in the environment asks for so many rounds, ``TESTLOOM_TEST_SEED`` for other moments.
"""

from __future__ import annotations

import collections
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testloom.journal.reader import read, summary_of
from testloom.model.status import TestStatus
from testloom.model.summary import Summary

ROUNDS = int(os.environ.get("TESTLOOM_KILLS", "2"))
SEED = int(os.environ.get("TESTLOOM_TEST_SEED", "1"))
LIMIT_S = 60.0
SUITE = '''
import os
from testloom import Testsuite
from testloom.drivers import TestDriver
from testloom.model.result import TestResult
from testloom.model.status import TestStatus


class Driver(TestDriver):
    """Says in a file that it runs; `kind` is what becomes of it."""

    def add_test(self, dag):
        self.add_fragment(dag, "first")
        if self.test_env["kind"] == "steps":
            self.add_fragment(dag, "second", after=["first"])
            self.add_fragment(dag, "silent", after=["second"])

    def first(self, previous, slot):
        kind = self.test_env["kind"]
        with open(os.environ["RAN"], "a") as file:
            file.write(self.test_name + "\\n")
        sub = TestResult(self.test_name + ".sub", status=TestStatus.PASS)
        self.push_result(sub)
        if kind != "steps":
            self.result.set_status(TestStatus[kind])
            self.push_result()

    def second(self, previous, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()

    def silent(self, previous, slot):
        pass


class Suite(Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"d": Driver}
    default_driver = "d"

    def adjust_dag_dependencies(self, dag):
        for number in range(0, 40, 10):
            dag.update_vertex(
                f"t{number + 5:02}.first", predecessors=[f"t{number:02}.first"], enable_checks=False
            )
'''
KINDS = ("PASS", "steps", "PASS", "XFAIL", "PASS", "PASS", "steps", "FAIL")
NAMES = [f"t{number:02}" for number in range(40)]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        test = tmp_path / "tests" / name
        test.mkdir(parents=True)
        (test / "test.yaml").write_text(f"kind: {KINDS[number % len(KINDS)]}\n")
    (tmp_path / "suite.py").write_text(SUITE)
    (tmp_path / "testloom.toml").write_text('suite = "suite.py:Suite"\n')
    return tmp_path


class Runs:
    """Runs of the suite in one output directory."""

    def __init__(self, suite: Path, name: str) -> None:
        self._suite = suite
        self.output_dir = suite / name
        self._ran = self.output_dir
        self._started = 0

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        self._started += 1
        self._ran = self._suite / f"{self.output_dir.name}.ran{self._started}"
        command = [sys.executable, "-P", "-m", "testloom", "-j2", "-q", "-o", str(self.output_dir)]
        return subprocess.Popen(
            [*command, *options],
            cwd=self._suite,
            env={**os.environ, "RAN": str(self._ran), "TESTLOOM_REPORTER": "none"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def to_the_end(self, *options: str) -> int:
        return self.start(*options).wait(LIMIT_S)

    def killed_after(self, seconds: float, *options: str) -> bool:
        """Kill a run; tell whether it had not ended by then."""
        process = self.start(*options)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(LIMIT_S)
            return True
        return False

    @property
    def journal(self) -> Path:
        return self.output_dir / "latest" / "run.journal"

    @property
    def has_begun(self) -> bool:
        return self.journal.exists() and read(str(self.journal)).run is not None

    def summary(self) -> Summary:
        return summary_of(read(str(self.journal)))

    def ran(self) -> collections.Counter[str]:
        """Return which tests the last run has begun, and how often."""
        return collections.Counter(self._ran.read_text().split() if self._ran.exists() else [])


def verdicts(summary: Summary) -> list[tuple[str, str]]:
    return sorted((entry.name, entry.status.name) for entry in summary.entries)


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_comes_to_what_a_whole_run_does(suite: Path) -> None:
    clean = Runs(suite, "clean")
    begun = time.monotonic()
    assert clean.to_the_end() == 1
    whole_s = time.monotonic() - begun
    expected = verdicts(clean.summary())
    assert len(expected) == 2 * len(NAMES)
    moments = random.Random(SEED)
    killed = 0
    for number in range(ROUNDS):
        runs = Runs(suite, f"out{number}")
        killed += runs.killed_after(moments.uniform(0.15, 0.9) * whole_s)
        while runs.has_begun and moments.random() < 0.3:
            killed += runs.killed_after(moments.uniform(0.15, 0.9) * whole_s, "--resume")
        passed = passed_tests(runs) if runs.has_begun else set()
        options = ["--resume"] if runs.has_begun else []
        assert runs.to_the_end(*options) == 1
        ran = runs.ran()
        assert verdicts(runs.summary()) == expected
        assert max(ran.values(), default=1) == 1
        needed = {f"t{n:02}" for n in range(0, 40, 10) if f"t{n + 5:02}" in ran}
        assert set(ran) == (set(NAMES) - passed) | needed
        assert all(not entry.is_flaky for entry in runs.summary().entries)
    print(f"{ROUNDS} rounds, {killed} kills")


def passed_tests(runs: Runs) -> set[str]:
    """Return the tests that the last run knows to have passed, all of their fragments ended."""
    path = runs.journal
    journal = read(str(path))
    while not journal.carried and journal.run is not None:
        path = runs.output_dir / journal.run.resumes / "run.journal"
        journal = read(str(path))
    bad = {entry.test for entry in journal.entries if entry.status is TestStatus.FAIL}
    return set(journal.settled) - bad
