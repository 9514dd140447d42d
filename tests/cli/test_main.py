"""The command: how it chooses a sub-command, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testloom._version import __version__
from testloom.cli.main import main

SUITE = """
import os, signal, sys
class Suite:
    def testsuite_main(self, args):
        {body}
"""


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TESTLOOM_")]:
        monkeypatch.delenv(name)


def suite_that_does(body: str) -> None:
    Path("testloom.toml").write_text("suite = 'a_suite.py:Suite'")
    Path("a_suite.py").write_text(SUITE.format(body=body))


def run_program(
    *args: str, stdout: int = subprocess.PIPE, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testloom", *args],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **environ},
        timeout=30,
    )


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"testloom {__version__}\n", "")


@pytest.mark.parametrize("args", [["-h"], ["run", "-h"], ["list", "-h"], ["-j2", "-h"], ["help"]])
def test_short_help_fits_on_a_screen(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    assert main(args) == 0
    out, err = capsys.readouterr()
    assert (len(out.splitlines()) <= 45, err) == (True, "")
    assert "testloom report FORMAT[=PATH]..." in out


def test_long_help_has_all_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out, _ = capsys.readouterr()
    headings = [line for line in out.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        "Select:",
        "Execute:",
        "Run again:",
        "Debug:",
        "Baselines:",
        "Output:",
        "Results:",
        "Earlier runs:",
        "Platform and logging:",
        "General:",
    ]


@pytest.mark.parametrize("args", [["--version"], ["-h"], ["--help"], ["help", "statuses"]])
def test_help_imports_next_to_nothing(args: list[str]) -> None:
    program = (
        "import sys; from testloom.cli.main import main\n"
        f"main({args!r})\n"
        "heavy = {'pytest', 'rich', 'e3', 'yaml', 'psutil', 'asyncio', 'subprocess', 'pluggy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == "[]\n"


def test_a_wrong_option_is_one_line_on_stderr_and_exits_with_4() -> None:
    suite_that_does("return 0")
    done = run_program("--jobs=x")
    # The suite's parser would say so; this suite has none, so what it takes is its own business.
    assert (done.returncode, done.stderr) == (0, "")
    Path("testloom.toml").write_text("tets = []")
    done = run_program("run")
    assert (done.returncode, done.stdout, done.stderr) == (
        4,
        "",
        "testloom: testloom.toml:1: unknown key 'tets'; did you mean 'tests'?\n",
    )


def test_a_message_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "\x1b[31m"]) == 4
    assert "\x1b" not in capsys.readouterr().err


def test_what_the_suite_returns_is_the_exit_status() -> None:
    suite_that_does("print(args); return 5")
    done = run_program("-j2", "x")
    assert (done.returncode, done.stdout) == (5, "['-j2', 'x']\n")


@pytest.mark.parametrize(
    ("body", "code"), [("return None", 0), ("sys.exit(7)", 7), ("sys.exit()", 0)]
)
def test_a_suite_may_return_nothing_or_exit_by_itself(body: str, code: int) -> None:
    suite_that_does(body)
    assert run_program().returncode == code


def test_a_defect_of_ours_says_that_it_is_one() -> None:
    suite_that_does("raise ZeroDivisionError('oops')")
    done = run_program()
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ZeroDivisionError: oops"
    assert "please report it" in lines[-1]


def test_an_interrupt_outside_a_run_ends_the_process_by_that_signal() -> None:
    suite_that_does("raise KeyboardInterrupt")
    done = run_program()
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


INTERRUPTED_WHILE_IT_IS_IMPORTED = """
import runpy, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pass  # as Python does where a callback of the import system is struck

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupts())
sys.argv[1:] = ["list"]
runpy.run_module("testloom", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("module", ["testloom.cli.main", "testloom.cli.run", "testloom.suite.run"])
def test_an_interrupt_while_the_program_is_imported_ends_it_without_a_traceback(
    module: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IT_IS_IMPORTED.format(module=module)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_a_reader_that_has_gone_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = run_program("help", "environment", stdout=write_end)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


def test_output_fits_into_ascii() -> None:
    for args in (["-h"], ["--help"], ["help", "config"], ["help", "environment"]):
        assert run_program(*args, PYTHONIOENCODING="ascii:strict").returncode == 0
