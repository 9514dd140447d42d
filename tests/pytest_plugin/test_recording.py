"""A session of pytest as a run of testloom."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("slots", [(), ("--slots", "2")])
def test_reports_of_testloom_have_all_tests(
    write: Callable[..., None],
    run_pytest: Callable[..., Any],
    project: Path,
    slots: tuple[str, ...],
) -> None:
    write(
        **{
            "testloom.toml": "tests = ['data']\n",
            "data/fails/test.yaml": "cmd: ['false']\n",
            "test_it.py": "import os\ndef test_passes(): pass\ndef test_fails(): print('seen'); assert 0\n",
        }
    )

    session = run_pytest("--testloom-report", "json=r.json", "--testloom-report", "html", *slots)

    assert session.last_line == "2 failed, 1 passed"
    assert "testloom: json report: r.json" in session.out
    report = json.loads((project / "r.json").read_text())
    assert {r["name"]: (r["status"], r.get("message", "")) for r in report["results"]} == {
        "data/fails": ("FAIL", "exit status 1 (expected 0)"),
        "test_it.py::test_passes": ("PASS", ""),
        "test_it.py::test_fails": ("FAIL", "assert 0"),
    }
    assert "seen" in (project / "r.json").read_text()
    assert (project / "out" / "latest" / "report.html").exists()


def test_a_report_that_there_is_not_is_one_line(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest("--testloom-report", "jason")

    assert session.code == 4
    assert (
        "--testloom-report: no report format is called 'jason'; did you mean 'json'?" in session.out
    )


def test_workers_of_xdist_may_have_run_the_tests(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    pytest.importorskip("xdist")
    write(**{"test_it.py": "def test_passes(): pass\ndef test_fails(): assert 0\n"})

    session = run_pytest(
        *("-n1", "--testloom-report", "json=r.json", "--testloom-resume"),
        plugins=("--disable-plugin-autoload", "-p", "testloom.pytest_plugin", "-p", "xdist"),
    )

    assert session.last_line == "1 failed, 1 passed"
    assert "--testloom-resume is ignored: pytest-xdist distributes the tests (-n)" in session.out
    results = json.loads((project / "r.json").read_text())["results"]
    assert {r["name"]: r["status"] for r in results} == {
        "test_it.py::test_passes": "PASS",
        "test_it.py::test_fails": "FAIL",
    }
