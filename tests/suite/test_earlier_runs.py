"""Runs one after the other, as people start them."""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.cli.main import main

LIMIT_S = 60.0


class Project:
    """A suite of three tests that pass or fail as they are told, in the current directory."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        Path("testloom.toml").write_text('tests = ["t"]\n')
        for name in "abc":
            Path("t", name).mkdir(parents=True)
            Path("t", name, "test.yaml").write_text("cmd: [cat, in]\nstdout: x\n")
            self.says(name, "x")

    def says(self, name: str, text: str) -> None:
        """Let test *name* pass (``x``) or fail from now on."""
        Path("t", name, "in").write_text(text)

    def command(self, *args: str) -> tuple[int, list[str]]:
        """Run testloom; return its exit status and its lines, those of stderr first."""
        self._capfd.readouterr()
        code = main(args)
        shown, said = self._capfd.readouterr()
        assert "Traceback" not in said
        return code, [*said.splitlines(), *shown.splitlines()]

    def run(self, *args: str) -> tuple[int, str]:
        """Run tests; return the exit status and the last line."""
        code, lines = self.command("-j1", "-q", *args)
        return code, lines[-1]

    def order(self) -> str:
        """Return the tests of the last run, in the order in which they ran."""
        _, lines = self.command("report", "json=-")
        results = json.loads("\n".join(lines))["results"]
        return "".join(result["name"].removeprefix("t/") for result in results)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Project:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("TESTLOOM_") or n == "CI"]:
        monkeypatch.delenv(name)
    return Project(capfd)


def told(lines: list[str], word: str) -> list[str]:
    return [line.strip() for line in lines if word in line]


def test_three_runs_of_a_test_that_alternates_make_it_flaky(project: Project) -> None:
    for text in ("x", "y", "x"):
        project.says("b", text)
        project.run()

    code, lines = project.command("history", "flaky", "--json")

    assert code == 0
    assert json.loads("\n".join(lines)) == [
        {
            "name": "t/b",
            "rate": 1.0,
            "runs": 3,
            "failures": 1,
            "changes": 2,
            "retried": 0,
            "last": "vxv",
        }
    ]


def test_the_end_of_a_run_says_what_is_new_what_still_fails_and_what_is_fixed(
    project: Project,
) -> None:
    project.says("a", "y")
    _, first = project.command("-j1")
    project.says("b", "y")
    _, second = project.command("-j1")
    project.says("a", "x")
    _, third = project.command("-j1")

    groups = ("New failures", "Still failing", "Fixed")
    shown = [
        [line for word in groups for line in told(lines, word)] for lines in (first, second, third)
    ]
    # The first one has nothing to compare with.
    assert told(first, "Failures (1)") == ["Failures (1)"]
    assert shown == [
        [],
        ["New failures (1)", "Still failing (1)  t/a"],
        ["Still failing (1)  t/b", "Fixed (1)  t/a"],
    ]


def test_a_report_of_a_stored_run_knows_what_was_before_it(project: Project) -> None:
    project.run()
    project.says("b", "y")
    project.run()
    project.run()

    reports = [
        project.command("report", "markdown=-", "--run", run)[1] for run in ("latest~1", "latest")
    ]
    shown = [[line for line in lines if "New failures" in line] for lines in reports]
    assert [len(lines) for lines in shown] == [1, 0]


def test_what_failed_last_comes_first(project: Project) -> None:
    project.says("c", "y")
    project.run()
    before = project.order()
    project.run()
    assert (before, project.order()) == ("abc", "cab")

    project.run("--order=given")
    assert project.order() == "abc"
    project.run("--order=given", "--ff", "--no-history")
    assert project.order() == "cab"


def test_a_random_order_can_be_had_again_by_its_seed(project: Project) -> None:
    project.says("c", "y")
    _, lines = project.command("-j1", "--order=random")
    (line,) = told(lines, "random order; --seed ")
    seed = line.split("--seed ")[1].split()[0]
    assert lines[0].endswith(f", seed {seed}")
    first = project.order()

    project.run("--seed", seed)  # what failed last does not come first
    assert project.order() == first
    orders = set()
    for number in range(8):
        project.run("--seed", str(number), "--no-history")
        orders.add(project.order())
    assert len(orders) > 2


def test_the_slowest_come_first_when_that_is_asked_for(project: Project) -> None:
    Path("t/b/test.yaml").write_text("cmd: [sleep, '0.2']\n")
    project.says("c", "y")
    project.run()

    project.run("--order=slowest-first")

    assert project.order().startswith("b")


def test_a_seed_makes_no_sense_for_an_order_that_is_not_random(project: Project) -> None:
    assert project.command("--order=given", "--seed=3") == (
        4,
        ["testloom: --seed: --order given is not random; keep one of them"],
    )


def test_what_a_resumed_run_has_taken_over_is_in_the_history_once(project: Project) -> None:
    project.says("b", "y")
    assert project.run("-x")[0] == 2
    project.says("b", "x")
    assert project.run("--resume")[1] == "3 passed, 0 failed, 0 skipped"

    counts = []
    for name in "abc":
        _, lines = project.command("history", "test", f"t/{name}", "--json")
        counts.append([one["status"] for one in json.loads("\n".join(lines))])

    # Test b was changed: that it failed before is something that happened.
    assert counts == [["PASS"], ["FAIL", "PASS"], ["PASS"]]


def test_what_is_new_comes_first_when_that_is_asked_for(project: Project) -> None:
    project.run("t/a", "t/c")
    project.run("--nf")

    assert project.order() == "bac"


def test_only_what_failed_runs_again(project: Project) -> None:
    project.says("a", "y")
    project.says("c", "y")
    assert project.run() == (1, "1 passed, 2 failed, 0 skipped")

    assert project.run("--lf") == (1, "0 passed, 2 failed, 0 skipped")
    project.says("a", "x")
    assert project.run("--lf") == (1, "1 passed, 1 failed, 0 skipped")
    project.says("c", "x")
    assert project.run("--lf") == (0, "1 passed, 0 failed, 0 skipped")
    code, line = project.run("--lf")
    assert (code, line.endswith(": nothing to run")) == (0, True)
    assert project.run("--last-failed", "latest~3")[1] == "2 passed, 0 failed, 0 skipped"


def test_what_an_aborted_run_did_not_get_to_counts_as_failed(project: Project) -> None:
    project.says("b", "y")
    assert project.run("-x") == (2, "1 passed, 1 failed, 1 skipped")
    project.says("b", "x")

    _, lines = project.command("-j1", "--lf")
    assert lines[-1] == "2 passed, 0 failed, 0 skipped"
    assert len(told(lines, "1 of the tests had not been run to an end in run ")) == 1


def test_a_failed_test_that_is_gone_is_named(project: Project) -> None:
    project.says("a", "y")
    project.says("b", "y")
    project.run()
    Path("t/b/test.yaml").unlink()

    _, lines = project.command("-j1", "--lf")
    assert lines[-1] == "0 passed, 1 failed, 0 skipped"
    assert [note.endswith(" and not there now: t/b") for note in told(lines, "not there now")] == [
        True
    ]


@pytest.mark.parametrize("journal", [None, "nonsense", ""])
def test_if_nothing_is_known_of_the_last_run_all_tests_run_and_it_is_said(
    project: Project,
    journal: str | None,
) -> None:
    if journal is not None:
        project.run()
        Path("out/latest/run.journal").write_text(journal)

    code, lines = project.command("-j1", "--lf")
    assert (code, lines[-1]) == (0, "3 passed, 0 failed, 0 skipped")
    assert len(told(lines, "so all tests are run")) == 1
    assert project.run("--last-failed", "latest~7")[0] == 4


def test_a_run_without_history_leaves_no_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("--no-history")
    project.run("--history=none")
    with monkeypatch.context() as patch:
        patch.setenv("TESTLOOM_NO_HISTORY", "1")
        project.run()
    with Path("testloom.toml").open("a") as file:
        file.write('[history]\npath = "none"\n')
    project.run()

    assert sorted(os.listdir()) == ["out", "t", "testloom.toml"]
    assert [p.name for p in Path("out").rglob("*history*")] == []


def test_without_a_configuration_the_history_is_among_the_results(project: Project) -> None:
    os.unlink("testloom.toml")
    project.run("t")

    assert sorted(os.listdir()) == ["out", "t"]
    assert Path("out/history.db").exists()
    assert [p.name for p in Path("out").rglob("*pending*")] == []


def _truncate(path: Path) -> None:
    os.truncate(path, 5000)


def _flip_bits(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(byte ^ 0xFF for byte in data[4096:])
    path.write_bytes(data)


def _make_newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "word"),
    [(_truncate, "damaged-"), (_flip_bits, "damaged-"), (_make_newer, "newer testloom")],
)
def test_a_history_that_is_no_good_changes_nothing_but_for_one_line(
    project: Project, spoil: Callable[[Path], None], word: str
) -> None:
    project.says("b", "y")
    project.run()
    spoil(Path(".testloom/history.db"))

    code, lines = project.command("-j1")

    assert (code, lines[-1]) == (1, "2 passed, 1 failed, 0 skipped")
    assert len(told(lines, "the history")) == 1
    assert len(told(lines, word)) >= 1
    assert project.run() == (1, "2 passed, 1 failed, 0 skipped")


@pytest.mark.slow
def test_a_history_that_is_locked_changes_nothing_but_for_one_line_and_is_filled_later(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testloom.journal.history_access.WRITE_WAIT_S", 0.1)
    project.run()
    with sqlite3.connect(".testloom/history.db", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        code, lines = project.command("-j1")
        connection.execute("ROLLBACK")
    connection.close()

    assert (code, lines[-1]) == (0, "3 passed, 0 failed, 0 skipped")
    assert len(told(lines, "the history is in use by another process")) == 1
    project.run()
    _, lines = project.command("history", "runs", "--json")
    assert len(json.loads("\n".join(lines))) == 3


def test_a_run_that_was_killed_is_in_the_history_of_the_next(project: Project) -> None:
    Path("t/b/test.yaml").write_text("cmd: [sh, -c, 'kill -KILL $(cat ../../pid)']\n")
    code = "import os, sys; open('pid', 'w').write(str(os.getpid()))\n"
    code += "from testloom.cli.main import main; sys.exit(main(['-j1', '-s', '-q']))"
    kept = {n: v for n, v in os.environ.items() if not n.startswith("TESTLOOM_")}
    Path("t/b/test.yaml").write_text(f"cmd: [sh, -c, 'kill -KILL $(cat {os.getcwd()}/pid)']\n")
    ended = subprocess.run(
        [sys.executable, "-c", code], env=kept, timeout=LIMIT_S, check=False, capture_output=True
    )
    assert ended.returncode == -9

    project.says("b", "x")
    project.run("t/c")
    _, lines = project.command("history", "runs", "--json")
    runs = json.loads("\n".join(lines))
    assert [(r["passed"], r["exit_code"]) for r in runs] == [(1, None), (1, 0)]


def test_only_new_failures_make_a_run_fail_when_that_is_asked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.says("a", "y")
    project.run()
    assert project.run("--fail-on=new") == (0, "2 passed, 1 failed, 0 skipped")
    project.says("b", "y")
    assert project.run("--fail-on=new") == (1, "1 passed, 2 failed, 0 skipped")
    assert project.run("--fail-on=new", "--against=latest~2") == (
        1,
        "1 passed, 2 failed, 0 skipped",
    )

    args = ["--fail-on=new", "--known-failures=known.txt"]
    assert project.run(*args)[0] == 4
    assert project.run(*args, "--update-known-failures")[0] == 0
    assert Path("known.txt").read_text() == "t/a\nt/b\n"
    project.says("a", "x")
    with monkeypatch.context() as patch:
        patch.setenv("CI", "1")
        assert project.run(*args)[0] == 0
    assert Path("known.txt").read_text() == "t/a\nt/b\n"
    assert project.run(*args)[0] == 0
    assert Path("known.txt").read_text() == "t/b\n"
    project.says("a", "y")
    assert project.run(*args)[0] == 1


def test_two_runs_are_compared(project: Project) -> None:
    project.says("a", "y")
    project.run()
    project.says("a", "x")
    project.says("b", "y")
    project.run()

    code, lines = project.command("compare", "--json")
    found = json.loads("\n".join(lines))
    assert code == 1
    assert {kind: [c["name"] for c in found[kind]] for kind in ("new", "fixed", "still")} == {
        "new": ["t/b"],
        "fixed": ["t/a"],
        "still": [],
    }
    code, lines = project.command("compare", "latest", "latest~1")
    assert code == 1
    assert told(lines, "`t/a`: ")[0].startswith("- `t/a`: PASS (")
    assert project.command("compare", "latest", "latest")[0] == 0


@pytest.fixture
def shared(postgres: str) -> Iterator[str]:
    yield postgres
    psycopg = importlib.import_module("psycopg")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS testloom CASCADE")


def test_a_team_can_share_a_history_in_postgresql(
    project: Project, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTLOOM_HISTORY", shared)
    for text in ("x", "y", "x"):
        project.says("b", text)
        project.run()

    code, lines = project.command("history", "flaky", "--history", shared, "--json")
    assert (code, [row["name"] for row in json.loads("\n".join(lines))]) == (0, ["t/b"])
    assert not Path(".testloom").exists()
