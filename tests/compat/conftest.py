"""A suite of e3-testsuite that has one test of each kind, and what it takes to run such suites."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testloom.compat.e3_modules.index import ReportIndex
from testloom.model.result import TestResult

ZOO = """
import os
import sys

from e3.testsuite import Testsuite, TestAbort
from e3.testsuite.driver import BasicTestDriver, TestDriver
from e3.testsuite.driver.classic import (
    ClassicTestDriver, TestAbortWithError, TestAbortWithFailure, TestSkip,
)
from e3.testsuite.driver.diff import DiffTestDriver
from e3.testsuite.result import FailureReason, Log, TestResult, TestStatus


class Diff(DiffTestDriver):
    def run(self):
        self.shell(["sh", self.test_dir("test.sh")])


class Raise(Diff):
    def run(self):
        raise ValueError("boom")


class Ctor(Diff):
    def __init__(self, env, test_env):
        super().__init__(env, test_env)
        raise ValueError("ctor boom")


class Sub(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "run")

    def run(self, prev, slot):
        for i in range(3):
            status = TestStatus.PASS if i else TestStatus.FAIL
            r = TestResult(f"{self.test_name}.s{i}", self.test_env, status, f"m{i}")
            r.info["k"] = "v"
            r.time = 0.5
            r.failure_reasons.add(FailureReason.CRASH)
            self.push_result(r)


class Twice(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "run")

    def run(self, prev, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()
        self.push_result()


class Abort(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "run")

    def run(self, prev, slot):
        raise TestAbort


class Basic(BasicTestDriver):
    def set_up(self, prev, slot):
        self.x = 42
        return 1

    def run(self, prev, slot):
        return self.x, dict(prev)

    def analyze(self, prev, slot):
        self.result.log += str(prev)
        self.result.set_status(TestStatus.PASS, "x is %d" % self.x)
        self.push_result()


class Verify(ClassicTestDriver):
    def run(self):
        self.result.set_status(TestStatus.VERIFY, "look")
        self.push_result()

    def analyze(self):
        pass


class Raises(ClassicTestDriver):
    def run(self):
        kind = {"skip": TestSkip, "error": TestAbortWithError, "fail": TestAbortWithFailure}
        raise kind[self.test_env["what"]]("because")


class Zoo(Testsuite):
    tests_subdir = "tests"
    test_driver_map = {
        "diff": Diff, "raise": Raise, "ctor": Ctor, "sub": Sub, "twice": Twice, "abort": Abort,
        "basic": Basic, "verify": Verify, "raises": Raises,
    }


if __name__ == "__main__":
    sys.exit(Zoo(testsuite_name="zoo").testsuite_main())
"""


def write_test(
    root: Path, name: str, yaml: str = "", script: str = "echo hello\n", out: str | None = "hello\n"
) -> None:
    directory = root / "tests" / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "test.yaml").write_text(yaml or "driver: diff\n")
    (directory / "test.sh").write_text(script)
    if out is not None:
        (directory / "test.out").write_text(out, encoding="latin-1")


def write_zoo(root: Path) -> None:
    def test(name: str, yaml: str = "", **how: Any) -> None:
        write_test(root, name, f"driver: diff\n{yaml}", **how)

    for i in range(4):
        test(f"pass/p{i}", script=f"echo hello {i}\n", out=f"hello {i}\n")
    test("fail/diff", out="bye\n")
    test("fail/status", script="echo hello; exit 3\n")
    test("fail/nobase", out=None)
    test("fail/regexp", "baseline_regexp: true\n", out="x+\n")
    test("regexp", "baseline_regexp: true\n", out="hel*o\n")
    test("timeout", "timeout: 1\n", script="echo before; sleep 50; echo after\n")
    test("missing", script="exit 0\n")
    test("xfail", "control: [[XFAIL, 'True', 'known bug']]\n", out="bye\n")
    test("xpass", "control: [[XFAIL, 'True', 'known bug']]\n")
    test("skip", "control: [[SKIP, 'env.build.os.name == \"linux\"', 'no linux']]\n")
    test("badcontrol", "control: [[XFAIL, 'nope', 'known bug']]\n")
    test("binary", "encoding: binary\n", script="printf 'caf\\351\\n'\n", out="caf\xe8\n")
    test("undecodable", script="printf 'caf\\351\\n'\n")
    test("ctrl", script="printf 'a\\001b\\tc\\n'\n", out="abc\n")
    test("long", script="seq 1 1000\n", out="x\n")
    for kind in ("raise", "ctor", "sub", "twice", "abort", "basic", "verify"):
        write_test(root, kind, f"driver: {kind}\n")
    for what in ("skip", "error", "fail"):
        write_test(root, f"raises-{what}", f"driver: raises\nwhat: {what}\n")
    write_test(root, "nodriver", "a: 1\n")
    write_test(root, "unknown", "driver: zork\n")
    write_test(root, "badyaml", "driver: [\n")
    write_test(root, "listyaml", "[1]\n")
    (root / "testsuite.py").write_text(ZOO)


@dataclasses.dataclass(frozen=True)
class Ran:
    """What came of a run of a suite."""

    root: Path
    code: int
    out: str
    err: str

    @property
    def new(self) -> Path:
        return self.root / "out" / "new"

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """Name -> entry of ``_index.json``."""
        content = json.loads((self.new / "_index.json").read_text())
        return {row["test_name"]: row for row in content["entries"]}

    @property
    def verdicts(self) -> dict[str, tuple[str, str | None]]:
        return {name: (row["status"], row["msg"]) for name, row in self.rows.items()}

    def result(self, name: str) -> TestResult:
        return ReportIndex.read(str(self.new)).entries[name].load()

    def lines(self, level: str = "") -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith(level)]


def run_python(root: Path, *args: str, python: str = sys.executable, **environ: str) -> Ran:
    env = {k: v for k, v in os.environ.items() if not k.startswith("TESTLOOM_")}
    ended = subprocess.run(
        [python, *args], cwd=root, env={**env, **environ}, capture_output=True, check=False
    )
    out, err = (
        stream.decode("utf-8", "backslashreplace") for stream in (ended.stdout, ended.stderr)
    )
    return Ran(root, ended.returncode, out, err)


def run_door(root: Path, *args: str, script: str = "testsuite.py", **environ: str) -> Ran:
    return run_python(root, "-m", "testloom", "e3", script, *args, **environ)


Door = Callable[..., Ran]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Run the suite in *source* (its imports are there) with `testloom e3`."""

    def run(source: str, *args: str, **environ: str) -> Ran:
        (tmp_path / "tests").mkdir(exist_ok=True)
        (tmp_path / "testsuite.py").write_text(IMPORTS + textwrap.dedent(source) + MAIN)
        return run_door(tmp_path, *args, **environ)

    return run


IMPORTS = """
import os, sys, json
from e3.testsuite import *
from e3.testsuite import Testsuite, TestAbort, ParsedTest, TestFinder, ProbingError
from e3.testsuite.driver import BasicTestDriver, TestDriver
from e3.testsuite.driver.classic import ClassicTestDriver, TestAbortWithFailure
from e3.testsuite.driver.diff import DiffTestDriver
from e3.testsuite.control import YAMLTestControlCreator
from e3.testsuite.result import TestResult, TestStatus

class Ok(ClassicTestDriver):
    def run(self): pass
"""
MAIN = """
if __name__ == "__main__":
    sys.exit(Suite().testsuite_main())
"""


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the zoo once, with all that leaves something behind."""
    root = tmp_path_factory.mktemp("zoo")
    write_zoo(root)
    return run_door(
        root,
        *("-j2", "--xunit-output=x.xml", "--generate-text-report", "--gaia-output"),
        *("--dump-environ", "--status-update-interval=0", "-T100"),
    )


@pytest.fixture
def run() -> Door:
    """Run the suite ``testsuite.py`` of a directory with `testloom e3`."""
    return run_door


@pytest.fixture(scope="session")
def e3_python() -> str:
    """Return a Python that has e3-testsuite 27.3: E3_TESTSUITE_PYTHON, or this one."""
    python = os.environ.get("E3_TESTSUITE_PYTHON", sys.executable)
    code = "import importlib.metadata as m; print(m.version('e3-testsuite'))"
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if ended.stdout.strip() != "27.3":
        pytest.skip(
            "e3-testsuite 27.3 is not here; E3_TESTSUITE_PYTHON may name a Python that has it"
        )
    return python


@pytest.fixture
def run_with_e3(e3_python: str) -> Door:
    """Run the suite ``testsuite.py`` of a directory with e3-testsuite."""

    def run(root: Path, *args: str) -> Ran:
        path = f"{Path(e3_python).parent}{os.pathsep}{os.environ['PATH']}"  # of its own programs
        return run_python(root, "testsuite.py", *args, python=e3_python, PATH=path)

    return run
