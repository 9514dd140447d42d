"""What makes each run start later is not there, shown without looking at a clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RARE = {
    "html",
    "pdb",
    "pytest",
    "rich",
    "testloom.console.diff",
    "testloom.console.live",
    "testloom.model.cluster",
    "testloom.reports.html",
    "testloom.reports.junit",
    "testloom.reports.markdown",
    "testloom.workers.exchange",
    "testloom.workers.in_process",
    "testloom.workers.remote",
    "xml",
    "asyncio",
    "psutil",
    "requests",
}
"""What a run does not need in which tests pass and nobody asks for anything."""

# What others may derive from, or replace fields of; all else is made in a tenth of the time.
DATACLASSES = ["testloom.model.test.BrokenTest", "testloom.model.test.ParsedTest"]


def printed_by(program: str, directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def write_test(directory: Path) -> None:
    (directory / "testloom.toml").touch()
    (directory / "a").mkdir()
    (directory / "a" / "test.yaml").write_text("driver: command\ncmd: 'true'\n")


def test_a_run_in_which_all_pass_imports_nothing_that_few_runs_need(tmp_path: Path) -> None:
    write_test(tmp_path)
    program = (
        "import sys; from testloom.cli.main import main\n"
        "assert main(['--history=none']) == 0\n"
        f"print(sorted(({RARE!r} | {{'sqlite3'}}) & set(sys.modules)))"
    )
    *_, summary, imported = printed_by(program, tmp_path)
    assert summary == "1 passed, 0 failed, 0 skipped"
    assert imported == "[]"


@pytest.mark.parametrize(
    ("options", "expected"), [(["-j1"], "warmed"), (["-j1", "--no-capture"], "nothing")]
)
def test_nothing_is_warmed_for_workers_that_are_not_forked(
    tmp_path: Path, options: list[str], expected: str
) -> None:
    """The thread that does it would count among those of the first test."""
    write_test(tmp_path)
    program = (
        "from testloom.processes import cgroup; from testloom.cli.main import main\n"
        "done = []; cgroup.start_warming = lambda: done.append('warmed')\n"
        f"assert main({options!r}) == 0\n"
        "print(*(done or ['nothing']))"
    )

    assert printed_by(program, tmp_path)[-1] == expected


def test_values_on_the_way_of_each_run_are_structs() -> None:
    program = (
        "import sys, testloom.suite.suite\n"
        "ours = [m for name, m in sys.modules.items() if name.startswith('testloom')]\n"
        "classes = {c for m in ours for c in vars(m).values() if isinstance(c, type)}\n"
        "print(sorted(f'{c.__module__}.{c.__name__}' for c in classes\n"
        "      if c.__module__.startswith('testloom') and '__dataclass_fields__' in vars(c)))"
    )
    assert printed_by(program, Path()) == [str(DATACLASSES)]
