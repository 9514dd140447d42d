"""One run with every report: each is what it says it is, and says what the run was."""

from __future__ import annotations

import collections
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testloom.journal.reader import read
from testloom.journal.spans import spans_in
from testloom.reports import BUILT_IN

SUITE = """
import testloom
from testloom.drivers import TestDriver, TestStatus
from testloom.suite.hookspecs import hookimpl

class Steps(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "build")
        self.add_fragment(dag, "run", after=["build"])

    def build(self, previous, slot):
        return 1

    def run(self, previous, slot):
        self.result.log += "\\x1b[31mlog\\n"
        self.result.set_status(TestStatus[self.test_env["verdict"]], "said <so>")
        self.push_result()

class Suite(testloom.Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"steps": Steps}
    default_driver = "steps"

    @property
    def plugins(self):
        return [Broken()]

class Broken:
    name = default_file = "broken"

    @hookimpl
    def testloom_reports(self):
        return {"broken": self}

    def write(self, summary):
        yield "begun"
        raise ValueError("cannot go on")

if __name__ == "__main__":
    raise SystemExit(Suite().testsuite_main())
"""
TREES = Path(__file__).parents[2] / "testsuite" / "trees"
VERDICTS = ("PASS", "FAIL", "ERROR", "SKIP", "XFAIL", "XPASS", "VERIFY")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the suite with all reports; return where, and what it printed."""
    place = tmp_path_factory.mktemp("all")
    (place / "suite.py").write_text(SUITE)
    for verdict in VERDICTS:
        (place / "tests" / f"a{verdict}").mkdir(parents=True)
        (place / "tests" / f"a{verdict}" / "test.yaml").write_text(f"verdict: {verdict}\n")
    wanted = [f"--report={name}={name}" for name in (*BUILT_IN, "broken")]
    ended = subprocess.run(
        [sys.executable, "suite.py", "-j3", "--reporter=minimal", *wanted],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 3, ended.stdout + ended.stderr
    return place, ended.stdout


pytestmark = pytest.mark.slow


def test_a_format_that_fails_is_named_and_spoils_no_other(ran: tuple[Path, str]) -> None:
    place, output = ran
    (line,) = [line for line in output.splitlines() if "not written" in line]
    assert line.startswith("broken: broken report of plugin __main__ not written: ValueError: ")
    assert not (place / "broken").exists()
    assert all((place / name).exists() for name in BUILT_IN)


def test_all_count_the_same(ran: tuple[Path, str]) -> None:
    place, _ = ran
    for name in ("junit", "junit-full"):
        (suite,) = ET.parse(place / name).getroot()
        counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "7", "failures": "2", "errors": "1", "skipped": "2"}
    assert len(json.loads((place / "json").read_text())["results"]) == 7
    ctrf = json.loads((place / "ctrf").read_text())["results"]["summary"]
    assert [ctrf[key] for key in ("passed", "failed", "skipped", "other")] == [2, 3, 1, 1]
    assert (place / "tap").read_text().count("\nok ") == 3
    assert (place / "tap14").read_text().count("\nnot ok ") == 4
    assert len((place / "gaia" / "results").read_text().splitlines()) == 7
    assert len((place / "github").read_text().splitlines()) == 2


def test_those_that_have_a_schema_follow_it(
    ran: tuple[Path, str], check_junit: Callable[[str], None], check_ctrf: Callable[[Any], None]
) -> None:
    place, _ = ran
    check_junit((place / "junit").read_text())
    check_ctrf(json.loads((place / "ctrf").read_text()))


def test_what_the_command_writes_for_build_servers_is_valid(
    tmp_path: Path, check_junit: Callable[[str], None]
) -> None:
    """As `./run-tests` runs it: tests that are tried again, with tags, files and long logs."""
    tests = tmp_path / "tests"
    shutil.copytree(TREES / "mixed", tests)
    (tests / "long").mkdir()
    (tests / "long" / "test.yaml").write_text("cmd: [seq, '30000']\nstdout: other\n")
    wanted = ["-j4", "--retries=1", "--report", "junit=j.xml"]
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "testloom", "tests", *wanted],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    written = (tmp_path / "j.xml").read_text()
    check_junit(written)
    (suite,) = ET.fromstring(written)
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "9", "failures": "4", "errors": "0", "skipped": "2"}
    assert len(list(suite.iter("rerunFailure"))) == 4
    assert {case.get("group") for case in suite.iter("testcase")} >= {"smoke quick", "smoke"}
    attached = re.findall(r"\[\[ATTACHMENT\|(.*)\]\]", written)
    assert attached == [str(tmp_path / "j-files" / f"long.{part}") for part in ("diff", "out")]


@pytest.mark.skipif(not shutil.which("prove"), reason="there is no prove")
def test_prove_reads_it(ran: tuple[Path, str]) -> None:
    ended = subprocess.run(
        ["prove", "-e", "cat", ran[0] / "tap"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "Parse errors" not in ended.stdout
    assert "Tests=7" in ended.stdout


def test_the_trace_is_busy_as_long_as_the_journal_says(ran: tuple[Path, str]) -> None:
    place, _ = ran
    journal = read(str(place / "out/latest/run.journal"))
    told: dict[int, float] = collections.defaultdict(float)
    for end in journal.ends:
        told[end.slot] += end.wall_s * 1e6
    shown: dict[int, float] = collections.defaultdict(float)
    last: dict[int, float] = collections.defaultdict(float)
    events = json.loads((place / "trace").read_text())["traceEvents"]
    bars = [event for event in events if event["ph"] == "X"]
    for bar in sorted(bars, key=lambda bar: bar["ts"]):
        shown[bar["tid"]] += bar["dur"]
        assert bar["ts"] >= last[bar["tid"]]  # bars of a track do not overlap
        last[bar["tid"]] = bar["ts"] + bar["dur"]
    assert shown == pytest.approx(told, abs=0.01)
    tracks = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert tracks == {0, 1, 2}
    assert len(bars) == len(journal.ends) == 2 * len(VERDICTS)


def test_arrows_are_the_edges_of_the_graph(ran: tuple[Path, str]) -> None:
    place, _ = ran
    events = json.loads((place / "trace").read_text())["traceEvents"]
    spans = list(spans_in(str(place / "out/latest/run.journal")))
    assert {(span.name, span.after) for span in spans} == {
        *(("build", ()) for _ in VERDICTS),
        *(("run", (f"a{verdict}.build",)) for verdict in VERDICTS),
    }
    assert sum(event["ph"] == "s" for event in events) == len(VERDICTS)
