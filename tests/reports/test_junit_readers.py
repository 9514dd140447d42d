"""What the readers in the table of the manual make of the JUnit reports.

Each reader is here as far as it decides what people see: what it takes from the document, what
it drops, what it refuses.
"""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports import BUILT_IN

BOTH = pytest.mark.parametrize("name", ["junit", "junit-full"])


@pytest.fixture
def run(make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]) -> Summary:
    """A run with everything that readers treat differently."""

    def entry(name: str, status: TestStatus = TestStatus.PASS, **more: object) -> ResultEntry:
        facts = {"source": f"{name}/test.yaml", "driver": "diff", "slot": 1, "place": 0, **more}
        return make_entry(name, status, **facts)

    bad = entry("net/v1.2/ping", TestStatus.FAIL, message="timed out", reason="timeout")
    return make_summary(
        entry("net/v1.2/ping", time_s=0.5, attempt=2, max_attempts=2, earlier=(bad,)),
        entry("opt/phi", TestStatus.FAIL, message="output differs", tags=("smoke",)),
        entry("opt/phi", TestStatus.ERROR, message="twice"),
        entry("top", TestStatus.SKIP, message="not today"),
        entry("", TestStatus.XFAIL, message="bug 123"),
        logs={"log": "$ ping\n", "diff": "-a\n+b\n"},
    )


def read(name: str, run: Summary) -> list[ET.Element]:
    root = ET.fromstring("".join(BUILT_IN[name].write(run)))
    return list(root.iter("testcase"))


def verdict(case: ET.Element) -> ET.Element | None:
    found = (case.find(tag) for tag in ("failure", "error", "skipped"))
    return next((one for one in found if one is not None), None)


def test_the_xunit_plugin_of_jenkins_refuses_only_the_full_one(
    run: Summary, check_junit: Callable[[str], None]
) -> None:
    check_junit("".join(BUILT_IN["junit"].write(run)))
    with pytest.raises(Exception, match="attribute not allowed"):
        check_junit("".join(BUILT_IN["junit-full"].write(run)))


@BOTH
def test_the_junit_plugin_of_jenkins_has_packages_and_flaky_tests(name: str, run: Summary) -> None:
    def shown(case: ET.Element) -> tuple[str, str, str, int]:
        package, _, last = (case.get("classname") or "").rpartition(".")
        return package or "(root)", last, case.get("name") or "", len(case.findall("flakyFailure"))

    assert [shown(case) for case in read(name, run)] == [
        ("net", "v1_2", "ping", 1),
        ("(root)", "opt", "phi", 0),
        ("(root)", "opt", "opt/phi", 0),
        ("(root)", "calc", "top", 0),
        ("(root)", "calc", "(no name)", 0),
    ]


@BOTH
def test_gitlab_shows_the_body_and_drops_what_looks_alike(name: str, run: Summary) -> None:
    kept = {(case.get("classname"), case.get("name")): case for case in read(name, run)}
    assert len(kept) == len(run.entries)
    bodies = [one.text for case in kept.values() if (one := verdict(case)) is not None]
    assert bodies == ["-a\n+b\n", "-a\n+b\n", "not today", "bug 123"]


def test_github_and_gitlab_link_to_files_and_lines(run: Summary) -> None:
    places = [(case.get("file"), int(case.get("line") or 0)) for case in read("junit-full", run)]
    assert places == [
        ("net/v1.2/ping/test.yaml", 1),
        ("opt/phi/test.yaml", 1),
        ("opt/phi/test.yaml", 1),
        ("top/test.yaml", 1),
        ("/test.yaml", 1),
    ]


@BOTH
def test_buildkite_needs_a_class_and_a_name(name: str, run: Summary) -> None:
    assert all(case.get("classname") and case.get("name") for case in read(name, run))


def test_azure_knows_when_and_how_long_a_test_ran(run: Summary) -> None:
    first, *_ = read("junit-full", run)
    assert (first.get("time"), first.get("timestamp")) == ("0.500", "2026-11-21T00:36:01+00:00")


def test_datadog_has_tags(run: Summary) -> None:
    _, failed, *_ = read("junit-full", run)
    tags = {item.get("name"): item.get("value") for item in failed.iter("property")}
    assert tags["dd_tags[driver]"] == "diff"


def test_testmo_reads_properties_of_the_log(run: Summary) -> None:
    def properties(case: ET.Element) -> Iterator[tuple[str, str]]:
        for line in (case.findtext("system-out") or "").splitlines():
            if line.startswith("[[PROPERTY|") and line.endswith("]]"):
                name, _, value = line[11:-2].partition("=")
                yield name, value

    _, failed, *_ = read("junit", run)
    assert dict(properties(failed)) == {
        "file": "opt/phi/test.yaml",
        "line": "1",
        "tag": "smoke",
        "slot": "1",
        "driver": "diff",
    }


@pytest.mark.slow
def test_the_files_that_gitlab_copies_are_arguments_that_run_the_failures(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    suite = tmp_path / "qa"
    for name, code in {"a": 0, "b/c": 1, "d": 1}.items():
        (suite / "tests" / name).mkdir(parents=True)
        (suite / "tests" / name / "test.yaml").write_text(f"cmd: [sh, -c, exit {code}]\n")
    (suite / "testloom.toml").write_text('tests = ["tests"]\n')

    def testloom(*arguments: str, cwd: Path) -> str:
        command = [sys.executable, "-P", "-m", "testloom", *arguments]
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
        ).stdout

    report = f"junit-full={tmp_path / 'j.xml'}"
    testloom("--report", report, "--reporter", "none", cwd=suite)
    cases = ET.parse(tmp_path / "j.xml").getroot().iter("testcase")
    failed = sorted(case.get("file") or "" for case in cases if case.find("failure") is not None)

    assert failed == ["qa/tests/b/c/test.yaml", "qa/tests/d/test.yaml"]
    shown = testloom(*failed, "-q", cwd=tmp_path)
    assert shown.splitlines()[-1] == "0 passed, 2 failed, 0 skipped"
