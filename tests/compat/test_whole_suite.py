"""One suite as projects write them, that uses most of what e3-testsuite offers at once.

It is run by testloom always, and by e3-testsuite as well where that is to be had: what comes of it
must be the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

SUITE = """\
#! /usr/bin/env python3
import os
import sys

from e3.fs import mkdir
from e3.testsuite import Testsuite, logger
from e3.testsuite.control import TestControl, TestControlCreator, YAMLTestControlCreator
from e3.testsuite.driver import BasicTestDriver
from e3.testsuite.driver.adacore import AdaCoreLegacyTestDriver
from e3.testsuite.driver.classic import ClassicTestDriver, TestAbortWithFailure, TestSkip
from e3.testsuite.driver.diff import DiffTestDriver, PatternSubstitute, Substitute
from e3.testsuite.result import TestResult, TestStatus as Status
from e3.testsuite.testcase_finder import (
    AdaCoreLegacyTestFinder, ParsedTest, TestFinder, YAMLTestFinder,
)


class ScriptFinder(TestFinder):
    test_dedicated_directory = False

    def probe(self, testsuite, dirpath, dirnames, filenames):
        return [
            ParsedTest(
                test_name=testsuite.test_name(os.path.join(dirpath, name)),
                driver_cls=ScriptDriver,
                test_env={"script": name},
                test_dir=dirpath,
                test_matcher=os.path.join(dirpath, name),
            )
            for name in sorted(filenames)
            if name.endswith(".sh") and os.path.basename(dirpath) == "scripts"
        ] or None


class ScriptDriver(ClassicTestDriver):
    copy_test_directory = False

    def run(self):
        mkdir(self.working_dir())
        process = self.shell(
            ["sh", self.test_dir(self.test_env["script"])],
            catch_error=False, env={"GREETING": "hi"}, ignore_environ=False,
        )
        self.result.info["status"] = str(process.status)
        if process.status == 77:
            raise TestSkip("the script says so")
        if process.status:
            raise TestAbortWithFailure(f"exit status {process.status}")


class FileControl(TestControlCreator):
    def create(self, driver):
        note = driver.test_dir("skip.txt")
        if os.path.exists(note):
            with open(note) as file:
                return TestControl(file.read().strip(), skip=True)
        features = driver.env.features
        names = {"options": driver.env.options, "has": lambda name: name in features}
        return YAMLTestControlCreator(names).create(driver)


class ProgramDriver(DiffTestDriver):
    @property
    def test_control_creator(self):
        return FileControl()

    @property
    def default_process_timeout(self):
        return None

    @property
    def output_refiners(self):
        if self.default_encoding == "binary":
            return super().output_refiners + [Substitute(b"abc", b"xyz")]
        return super().output_refiners + [
            Substitute(self.working_dir(), "<wd>"),
            PatternSubstitute(r"0x[0-9a-f]+", "<addr>"),
            PatternSubstitute(r"([0-9]+)ms", lambda match: "N" * len(match.group(1)) + "ms"),
        ]

    def run(self):
        self.shell(["sh", "test.sh"])


class StepsDriver(BasicTestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "build")
        for number in range(3):
            self.add_fragment(dag, f"run_{number}", fun=self.runner(number), after=["build"])
        self.add_fragment(dag, "finish", after=[f"run_{number}" for number in range(3)])

    def build(self, previous_values, slot):
        self.artifact = {"built": 1}
        mkdir(self.working_dir())

    def runner(self, number):
        def run(previous_values, slot):
            assert self.artifact == {"built": 1} and os.path.isdir(self.working_dir())
            status = Status.FAIL if number == 1 else Status.PASS
            result = TestResult(f"{self.test_name}.{number}", self.test_env, status, f"part {number}")
            result.log += f"log of {number}"
            self.push_result(result)
            return number * 10

        return run

    def run(self, previous_values, slot):
        pass

    def analyze(self, previous_values, slot):
        pass

    def finish(self, previous_values, slot):
        self.result.set_status(Status.PASS, f"sum {sum(previous_values.values())}")
        self.push_result()


class LaterDriver(ClassicTestDriver):
    def run(self):
        self.result.time = 1.5

    def compute_failures(self):
        return [f"problem {name}" for name in self.test_env.get("problems", [])]


class LegacyDriver(AdaCoreLegacyTestDriver):
    pass


class WholeSuite(Testsuite):
    tests_subdir = "tests"
    enable_cross_support = True
    test_finders = [AdaCoreLegacyTestFinder(LegacyDriver), YAMLTestFinder(), ScriptFinder()]

    @property
    def test_driver_map(self):
        return {"program": ProgramDriver, "steps": StepsDriver, "later": LaterDriver}

    @property
    def default_driver(self):
        return "program"

    def add_options(self, parser):
        parser.add_argument_group("mine").add_argument("--mode", choices=("a", "b"), default="a")

    def set_up(self):
        super().set_up()
        self.env.features = ["f1"] + (["f2"] if self.main.args.mode == "b" else [])
        self.env.discs = ["linux", "native"]
        self.env.test_environ = dict(os.environ, GREETING="legacy")
        logger.info("mode %s", self.main.args.mode)

    def get_test_list(self, sublist):
        return [t for t in super().get_test_list(sublist) if "hidden" not in t.test_name]

    def adjust_dag_dependencies(self, dag):
        first = [it.uid for it in dag.vertex_data.values() if it.matches(StepsDriver, "finish")]
        for fragment in dag.vertex_data.values():
            if fragment.matches(LaterDriver, "run_wrapper"):
                dag.update_vertex(vertex_id=fragment.uid, predecessors=first)


def told(testsuite):
    # One write, because threads call it.
    return lambda event: sys.stdout.write(f"{type(event).__name__} {event.test_name}\\n")


if __name__ == "__main__":
    sys.modules["whole_suite"] = sys.modules["__main__"]
    sys.exit(WholeSuite(os.path.dirname(os.path.abspath(__file__)), "whole").testsuite_main())
"""
TESTS = {
    "program/plain": {"test.sh": "echo at 0x7f2b in 12ms; pwd", "test.out": "at <addr> in NNms\n<wd>\n"},
    "program/xfail": {
        "test.yaml": "control:\n- [SKIP, \"options.mode == 'b'\", 'mode b']\n"
        "- [XFAIL, \"has('f1') and not has('f2')\", 'a bug of f1']\n",
        "test.sh": "echo hello",
        "test.out": "bye\n",
    },
    "program/xpass": {
        "test.yaml": "control: [[XFAIL, 'True']]\n", "test.sh": "echo a", "test.out": "a\n",
    },
    "program/skipped": {"skip.txt": "not today", "test.sh": "", "test.out": ""},
    "program/mistake": {
        "test.yaml": "control: [[XFAIL, 'has(1, 2)']]\n", "test.sh": "", "test.out": "",
    },
    "program/bytes": {
        "test.yaml": "encoding: binary\n", "test.sh": "printf 'a\\351\\tabc\\r\\n'", "test.out": "b\n",
    },
    "program/hidden": {"test.sh": "false", "test.out": ""},
    "steps": {"test.yaml": "driver: steps\n"},
    "later/good": {"test.yaml": "driver: later\n"},
    "later/bad": {"test.yaml": "driver: later\nproblems: [x, y]\n"},
    "AB01-001": {"test.sh": "echo $GREETING", "test.out": "legacy\n"},
    "AB01-002": {"test.cmd": "echo %GREETING%", "test.out": "x\n", "test.opt": "linux XFAIL known"},
    "AB01-003": {"test.sh": "", "test.opt": "ALL DEAD never"},
    "scripts": {"good.sh": "echo $GREETING", "skip.sh": "exit 77", "bad.sh": "exit 3"},
}  # fmt: skip
VERDICTS = {
    "program__plain": ("PASS", None),
    "program__xfail": ("XFAIL", "unexpected output (a bug of f1)"),
    "program__xpass": ("XPASS", None),
    "program__skipped": ("SKIP", "not today"),
    "program__bytes": ("FAIL", "unexpected output"),
    "steps": ("PASS", "sum 30"),
    "steps.0": ("PASS", "part 0"),
    "steps.1": ("FAIL", "part 1"),
    "steps.2": ("PASS", "part 2"),
    "later__good": ("PASS", None),
    "later__bad": ("FAIL", "problem x | problem y"),
    "AB01-001": ("PASS", None),
    "AB01-002": ("XFAIL", "unexpected output (known)"),
    "AB01-003": ("SKIP", "never"),
    "scripts__good.sh": ("PASS", None),
    "scripts__skip.sh": ("SKIP", "the script says so"),
    "scripts__bad.sh": ("FAIL", "exit status 3"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "testsuite.py").write_text(SUITE)
    for name, files in TESTS.items():
        directory = tmp_path / "tests" / name
        directory.mkdir(parents=True)
        if re.match("[^A]", name) and name != "scripts":
            (directory / "test.yaml").touch()
        for file, text in files.items():
            (directory / file).write_text(text)
    return tmp_path


ARGUMENTS = ("-j3", "--xunit-output=x.xml", "--notify-events=python:whole_suite:told")


def test_a_whole_suite_has_the_verdicts_it_should_have(root: Path, run: Any) -> None:
    ran = run(root, *ARGUMENTS)

    verdicts = ran.verdicts
    status, message = verdicts.pop("program__mistake")
    assert (status, message[:57]) == (
        "ERROR",
        "Error while interpreting control: entry #1: invalid condi",
    )
    assert verdicts == VERDICTS
    assert "INFO     Found 16 tests" in ran.lines()  # before the suite leaves one out
    assert ran.rows["later__good"]["time"] == 1.5
    assert ran.rows["scripts__bad.sh"]["info"] == {"status": "3"}
    assert str(ran.result("program__bytes").log).count(r"a\xe9\x09xyz") == 1
    told = ran.out.splitlines()
    assert told.count("TestQueueNotification steps") == told.count("TestEndNotification steps") == 1
    assert told.count("TestResultNotification steps") == 4
    assert told.index("TestEndNotification steps") < told.index("TestStartNotification later__bad")
    assert ran.code == 1


@pytest.mark.slow
def test_e3_testsuite_makes_the_same_of_a_whole_suite(
    root: Path, run: Any, run_with_e3: Any
) -> None:
    theirs = _seen(run_with_e3(root, *ARGUMENTS))
    ours = _seen(run(root, *ARGUMENTS))

    assert ours == theirs


def _seen(ran: Any) -> tuple[int, list[str], list[str], dict[str, Any], str]:
    """Return all that there is to see, but for what changes from run to run."""
    rows = {
        name: {**row, "filename": "", "time": row["time"] == 1.5 and 1.5}
        for name, row in ran.rows.items()
    }
    report = (ran.root / "x.xml").read_text(encoding="utf-8")
    report = re.sub(r' time="[^"]*"', "", report)
    report = re.sub(r"/tmp/(testloom-|tmp)\w+", "WD", report)
    return ran.code, sorted(ran.lines("INFO")), sorted(ran.out.splitlines()), rows, report
