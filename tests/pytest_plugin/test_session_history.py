"""What sessions leave in the history, and the order that they take from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.pytest_plugin.conftest import RunPytest

from testloom.cli.main import main

pytestmark = pytest.mark.slow

UNEVEN = """
    import os, pytest, time
    def test_quick(): pass
    def test_fails_once(): assert os.path.exists("repaired")
    @pytest.mark.parametrize("n", [1, 2])
    def test_longer(n): time.sleep(0.3 * n + 0.4)
"""


@pytest.fixture
def asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Ask ``testloom history`` in the project."""

    def ask(*words: str) -> Any:
        monkeypatch.chdir(project)
        capsys.readouterr()
        assert main(["history", *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


def test_sessions_in_slots_are_in_the_history_and_make_the_order_of_later_ones(
    write: Callable[..., None],
    run_pytest: RunPytest,
    project: Path,
    asked: Callable[..., Any],
) -> None:
    write(**{"test_it.py": UNEVEN})

    run_pytest("--slots", "2", "-p", "no:cacheprovider")
    first = asked("runs")
    failing = asked("failing")
    (project / "repaired").touch()
    second = run_pytest("--slots", "1", "-v", "-p", "no:cacheprovider")

    assert [(r["suite"], r["passed"], r["failed"], r["exit_code"]) for r in first] == [
        ("project/pytest", 3, 1, 1)
    ]
    assert [row["name"] for row in failing] == ["test_it.py::test_fails_once"]
    assert re.findall(r"::(\S+) PASSED", second.out) == [
        "test_fails_once",
        "test_longer[2]",
        "test_longer[1]",
        "test_quick",
    ]
    assert [run["exit_code"] for run in asked("runs")] == [1, 0]
    told = asked("test", "test_it.py::test_fails_once")
    assert [result["status"] for result in told] == ["FAIL", "PASS"]
    assert told[-1]["slot"] == 0
    assert (project / ".testloom" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--slots", "2", "--no-testloom-history"),
        ("--slots", "2", "-o", "testloom_history=off"),
        ("--slots", "2", "--collect-only"),
    ],
)
def test_a_session_that_asks_for_no_record_writes_nothing(
    write: Callable[..., None], run_pytest: RunPytest, project: Path, options: tuple[str, ...]
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest("-p", "no:cacheprovider", *options)

    assert session.code == 0
    assert sorted(path.name for path in project.iterdir()) == ["pytest.ini", "test_it.py"]


@pytest.mark.parametrize("options", [("--testloom-history",), ("-o", "testloom_history=on")])
def test_a_session_without_slots_is_kept_if_that_is_wanted(
    write: Callable[..., None],
    run_pytest: RunPytest,
    asked: Callable[..., Any],
    options: tuple[str, ...],
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    run_pytest(*options)

    assert [result["status"] for result in asked("test", "test_it.py::test_it")] == ["PASS"]


def test_the_history_of_the_project_is_used_where_it_has_one(
    write: Callable[..., None], run_pytest: RunPytest, project: Path, asked: Callable[..., Any]
) -> None:
    write(
        **{
            "testloom.toml": "tests = ['data']\n[history]\npath = 'kept/here.db'\n",
            "data/one/test.yaml": "cmd: ['true']\n",
        }
    )

    run_pytest("--slots", "1")

    assert (project / "kept" / "here.db").exists()
    assert [result["status"] for result in asked("test", "data/one")] == ["PASS"]


def test_a_history_that_cannot_be_used_costs_one_line_and_nothing_else(
    write: Callable[..., None], run_pytest: RunPytest, project: Path
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})
    (project / ".testloom" / "history.db").mkdir(parents=True)
    no_history = run_pytest("--slots", "1")
    (project / ".testloom" / "pytest").rename(project / "elsewhere")
    (project / ".testloom" / "pytest").write_text("in the way")
    no_record = run_pytest("--slots", "1")

    for session in (no_history, no_record):
        assert (session.code, session.last_line) == (0, "1 passed")
    (line,) = [line for line in no_history.out.splitlines() if line.startswith("testloom: /")]
    assert line.endswith("history.db: is no file; name another place for the history")
    assert "testloom: this session is not recorded: " in no_record.out


def test_a_setting_that_makes_no_sense_is_one_line(
    write: Callable[..., None], run_pytest: RunPytest
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest("-o", "testloom_history=yes")

    assert session.code == 4
    assert "testloom_history: 'yes'; write one of ('auto', 'on', 'off')" in session.out
    assert "Traceback" not in session.out


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--testloom-report", "json"), 3)])
def test_a_record_that_is_lost_during_the_session_is_told_at_its_end(
    write: Callable[..., None], run_pytest: RunPytest, options: tuple[str, ...], code: int
) -> None:
    """Whether that is what people wanted of the session decides about its exit status."""
    write(
        **{
            "test_it.py": """
                import os, shutil
                def test_cleans(request):
                    root = os.path.dirname(request.config.inipath)
                    for place in ("out", ".testloom"):
                        shutil.rmtree(os.path.join(root, place), ignore_errors=True)
            """
        }
    )
    session = run_pytest("--slots", "1", *options)

    assert (session.code, session.outcomes) == (code, {"test_it::test_cleans": "passed"})
    assert "was deleted while the run was going on" in session.out
    assert "Traceback" not in session.out
