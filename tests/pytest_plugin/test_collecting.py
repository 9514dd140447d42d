"""Data tests as pytest's items: found, named, selected, run and reported as any others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parents[2] / "src"

SUITE = {
    "testloom.toml": "tests = ['data']\n[env]\nGREETING = 'hello'\n",
    "data/passes/test.yaml": "cmd: [sh, -c, 'echo $GREETING']\nstdout: \"hello\\n\"\ntags: [quick]\n",
    "data/fails/test.yaml": "description: it fails\ncmd: [sh, -c, 'echo two; exit 3']\n"
    'stdout: "one\\n"\n',
    "data/skipped/test.yaml": "cmd: [echo]\ncontrol: [[SKIP, 'True', 'not here']]\n",
    "data/known/test.yaml": "cmd: ['false']\ncontrol: [[XFAIL, 'True', 'bug 7']]\n",
    "data/fixed/test.yaml": "cmd: ['true']\ncontrol: [[XFAIL, 'True', 'bug 8']]\n",
    "data/broken/test.yaml": "cmd: [true\n",
    "data/fails/test_not_ours.py": "def test_it(): assert False\n",
    "test_python.py": "import os\ndef test_it(): assert 'GREETING' not in os.environ\n",
}


def test_each_test_is_an_item_under_the_path_of_what_defines_it(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(**SUITE)

    listed = run_pytest("--collect-only", "-q")

    assert listed.code == 0
    assert [line for line in listed.out.splitlines() if "::" in line] == [
        "data/broken/test.yaml::broken",
        "data/fails/test.yaml::fails",
        "data/fixed/test.yaml::fixed",
        "data/known/test.yaml::known",
        "data/passes/test.yaml::passes",
        "data/skipped/test.yaml::skipped",
        "test_python.py::test_it",
    ]


@pytest.mark.parametrize("slots", [(), ("--slots", "2")])
def test_outcomes_are_those_of_pytest_and_failures_show_our_block(
    write: Callable[..., None], run_pytest: Callable[..., Any], slots: tuple[str, ...]
) -> None:
    write(**SUITE)

    session = run_pytest("-rA", *slots)

    assert session.code == 1
    assert session.last_line == "2 failed, 2 passed, 1 skipped, 1 xfailed, 1 xpassed"
    lines = session.out.splitlines()
    for line in (
        "XFAIL data/known/test.yaml::known - exit status 1 (expected 0) (bug 7)",
        "XPASS data/fixed/test.yaml::fixed - bug 8",
        "SKIPPED [1] data/skipped/test.yaml:1: not here",
        "   rerun:   pytest data/fails/test.yaml::fails",
    ):
        assert line in lines
    assert "$ sh -c 'echo two; exit 3'" in session.out
    assert "Traceback" not in session.out
    assert "items.py" not in session.out


def test_the_report_for_ci_is_the_same_with_slots(
    write: Callable[..., None], run_pytest: Callable[..., Any], tmp_path: Path
) -> None:
    write(**SUITE)

    def report(*arguments: str) -> list[str]:
        run_pytest(*arguments)
        cases = ET.parse(tmp_path / "junit.xml").iter("testcase")
        for case in (found := list(cases)):
            case.attrib["time"] = ""
            for child in case:  # our block says how long it took
                child.text = (child.text or "").partition("\n")[2]
        return sorted(ET.tostring(case, encoding="unicode") for case in found)

    assert report() == report("--slots", "2")


def test_items_are_selected_in_all_ways_of_pytest(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(**SUITE)

    def passed(*arguments: str) -> str:
        return str(run_pytest(*arguments).last_line)

    assert passed("-k", "passes or skipped") == "1 passed, 1 skipped, 5 deselected"
    assert passed("-m", "quick", "--strict-markers") == "1 passed, 6 deselected"
    assert passed("data/passes") == "1 passed"
    assert passed("data/passes/test.yaml::passes") == "1 passed"
    assert passed("test_python.py") == "1 passed"
    run_pytest()
    assert passed("--lf") == "2 failed"


def test_a_suite_of_its_own_is_set_up_has_options_and_gets_fixtures(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(
        **{
            "conftest.py": "import pytest\n@pytest.fixture\ndef server(tmp_path): return f'at {tmp_path}'\n",
            "suite.py": """
                import pathlib
                import testloom
                from testloom.discovery import ParsedTest, TestFinder
                from testloom.drivers import BasicTestDriver
                from testloom.model.status import TestStatus

                class Driver(BasicTestDriver):
                    pytest_fixtures = ("server",)
                    def run(self, previous, slot): return self.fixtures["server"]
                    def analyze(self, previous, slot):
                        level = self.env.options.level
                        good = previous["run"].startswith("at ") and level == "3"
                        self.result.set_status(TestStatus.PASS if good else TestStatus.FAIL, level)
                        self.push_result()

                class Finder(TestFinder):
                    test_dedicated_directory = False
                    def probe(self, testsuite, dirpath, dirnames, filenames):
                        found = [n for n in filenames if n.endswith(".case")]
                        return [
                            ParsedTest(n[:-5], Driver, {}, dirpath, n, f"{dirpath}/{n}", 1, ())
                            for n in found
                        ] or None

                class Suite(testloom.Testsuite):
                    tests_subdir = "cases"
                    @property
                    def test_finders(self): return [Finder()]
                    def add_options(self, parser): parser.add_argument("--level")
                    def note(self, what):
                        with open(pathlib.Path(__file__).with_name("log"), "a") as log: print(what, file=log)
                    def set_up(self): self.note("up")
                    def tear_down(self): self.note("down")
            """,
            "cases/one.case": "",
            "cases/two.case": "",
        }
    )
    options = ("--testloom-suite", "suite.py:Suite", "--testloom-option=--level=3", "cases")

    session = run_pytest("--slots", "2", *options)

    assert session.last_line == "2 passed"
    assert set(session.outcomes) == {"cases.one.case::one", "cases.two.case::two"}
    assert (project / "log").read_text().split() == ["up", "down"]
    assert run_pytest(*options[:2], "cases").last_line == "2 failed"


def test_a_wrong_configuration_is_one_line_and_exit_status_4(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(**{"testloom.toml": "tests = ['data']\nsuit = 'x.py:X'\n", "test_it.py": ""})

    session = run_pytest()

    assert session.code == 4
    assert "ERROR: testloom.toml:2: unknown key 'suit'; did you mean 'suite'?" in session.out
    assert "Traceback" not in session.out


def test_a_session_without_a_suite_imports_next_to_nothing_of_us(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import sys
                def test_it():
                    ours = sorted(name for name in sys.modules if name.startswith("testloom"))
                    assert ours == ["testloom", "testloom._version", "testloom.pytest_plugin"]
                    assert "msgspec" not in sys.modules
            """
        }
    )

    assert run_pytest().last_line == "1 passed"


def test_vs_code_finds_and_runs_one_data_test(write: Callable[..., None], project: Path) -> None:
    """The two steps of its protocol: collect with a plugin that reads items, then run one by its id."""
    write(**SUITE)
    write(
        **{
            "vscode_probe.py": """
                import json, os, pathlib
                def pytest_collection_finish(session):
                    if not session.config.option.collectonly: return
                    found = []
                    for item in session.items:
                        path, line, _name = item.reportinfo()
                        assert pathlib.Path(path) == item.path and item.path.is_file()
                        assert item.path.is_relative_to(session.path)
                        assert hasattr(item, "callspec") <= (item.path.suffix == ".py")
                        found.append({"id": item.nodeid, "path": str(item.path), "line": line + 1})
                    pathlib.Path("discovered.json").write_text(json.dumps(found))
                def pytest_runtest_logreport(report):
                    if report.when == "call":
                        with open("ran.txt", "a") as file: print(report.nodeid, report.outcome, file=file)
                def pytest_sessionfinish(session, exitstatus):
                    assert exitstatus in (0, 1, 2, 3, 4, 5)
            """
        }
    )

    def pytest_run(*arguments: str) -> int:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--disable-plugin-autoload"),
                *("-p", "testloom.pytest_plugin", "-p", "vscode_probe", "-q", *arguments),
            ],
            cwd=project,
            env={**kept, "PYTHONPATH": f"{project}:{SOURCE}"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        return ended.returncode

    assert pytest_run("--rootdir=.", "--collect-only") == 0
    discovered = json.loads((project / "discovered.json").read_text())
    chosen = next(one for one in discovered if one["id"].endswith("fails"))
    assert chosen["path"] == str(project / "data/fails/test.yaml")
    assert chosen["line"] >= 1

    assert pytest_run("--rootdir=.", chosen["id"]) == 1
    assert (project / "ran.txt").read_text() == "data/fails/test.yaml::fails failed\n"
