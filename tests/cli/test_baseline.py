"""``testloom baseline``, ``show``, ``replay`` and ``shell``, as people use them."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

LIMIT_S = 30.0
pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def testloom(tmp_path: Path) -> Run:
    """Run ``testloom ARGUMENTS`` beside three tests with the same change and one with another."""
    tests = tmp_path / "tests"
    for name, text in {"a": "x", "b": "x", "c": "x", "d": "y"}.items():
        (tests / name).mkdir(parents=True)
        (tests / name / "test.yaml").write_text(f"cmd: [echo, new {text}]\n")
        (tests / name / "test.out").write_text(f"old {text}\n")
    (tmp_path / "testloom.toml").write_text('tests = ["tests"]\n[env]\nSET = "by the file"\n')

    def run(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "testloom", *arguments],
            cwd=tmp_path,
            env=environment(**env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    ran = run("--reporter", "none", "-t", str(tmp_path))
    assert (ran.stderr, ran.returncode) == ("", 1)
    return run


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return {**kept, "SHELL": "/bin/sh", "TERM": "dumb", **more}


def baselines(tmp_path: Path) -> list[str]:
    return [(tmp_path / "tests" / name / "test.out").read_text()[:3] for name in "abcd"]


def reviewed(tmp_path: Path, keys: str, **env: str) -> tuple[str, int]:
    """Press *keys*, one whenever there is a prompt; return what was shown and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        command = [sys.executable, "-P", "-m", "testloom", "baseline", "review"]
        os.execve(sys.executable, command, environment(**env))
    shown, left, until = "", list(keys), time.monotonic() + LIMIT_S
    with contextlib.suppress(OSError):  # how a terminal says that its program has ended
        while select.select([terminal], [], [], max(0.0, until - time.monotonic()))[0]:
            shown += os.read(terminal, 4096).decode()
            if shown.endswith("[?] ") and left:
                os.write(terminal, left.pop(0).encode())
                shown += "\n"
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return shown.replace("\r", ""), os.waitstatus_to_exitcode(status)


def test_one_is_accepted_one_rejected_and_those_alike_accepted_together(
    testloom: Run, tmp_path: Path
) -> None:
    shown, code = reviewed(tmp_path, "srgq")
    assert (code, baselines(tmp_path)) == (0, ["old", "old", "new", "old"])
    verdicts = re.findall(r"^tests/(.)/test.out: (\w+)$", shown, re.MULTILINE)[:3]
    assert verdicts == [("a", "skipped"), ("b", "rejected"), ("c", "accepted")]

    shown, code = reviewed(tmp_path, "iaq")
    assert "2/2" not in shown.split("[?]")[0]
    assert str(tmp_path / "tests" / "a" / "test.out") in shown
    assert (code, baselines(tmp_path)) == (0, ["new", "old", "new", "old"])


def test_all_with_the_same_change_are_accepted_with_one_key(testloom: Run, tmp_path: Path) -> None:
    shown, _ = reviewed(tmp_path, "gq")
    assert "[g] accept this and 2 others alike" in shown
    assert baselines(tmp_path) == ["new", "new", "new", "old"]


def test_an_output_can_be_edited_before_it_is_accepted(testloom: Run, tmp_path: Path) -> None:
    shown, code = reviewed(tmp_path, "gesaq", VISUAL="sed -i s/new/old/", EDITOR="false")
    assert "there is no difference any more" in shown
    assert (code, baselines(tmp_path)) == (0, ["new", "new", "new", "old"])

    # What was edited and skipped goes on waiting as it is now.
    shown, _ = reviewed(tmp_path, "eaq", EDITOR="sed -i s/old/odd/")
    assert "there is no difference any more" in shown.split("[?]")[0]
    assert "- 1   old y" in shown
    assert "+ 1   odd y" in shown
    assert (tmp_path / "tests" / "d" / "test.out").read_text() == "odd y\n"


def test_an_editor_that_is_not_there_is_told(testloom: Run, tmp_path: Path) -> None:
    shown, code = reviewed(tmp_path, "eq", VISUAL=" ", EDITOR="/no/such --wait")
    assert "/no/such --wait: No such file or directory; set VISUAL or EDITOR" in shown
    assert (code, baselines(tmp_path)) == (0, ["old"] * 4)


def test_a_difference_can_be_seen_side_by_side(testloom: Run, tmp_path: Path) -> None:
    shown, _ = reviewed(tmp_path, "dsdq", LANG="C.UTF-8")
    parts = shown.split("[?]")
    assert re.search(r"1 old x +[|│] 1 new x\n", parts[1])
    assert re.search(r"1 old x +[|│] 1 new x\n", parts[2])  # as people like it from then on
    assert "- 1   old x\n   + 1   new x\n" in parts[3]


def test_without_a_terminal_there_is_a_command_for_each_verdict(
    testloom: Run, tmp_path: Path
) -> None:
    assert testloom("baseline", "list").stdout == (
        "tests/a  tests/a/test.out\n"
        "tests/b  tests/b/test.out  (same change)\n"
        "tests/c  tests/c/test.out  (same change)\n"
        "tests/d  tests/d/test.out\n"
    )
    assert testloom("baseline", "accept", "tests/a").stdout == "tests/a/test.out: accepted\n"
    assert testloom("baseline", "reject", "*/[bc]").returncode == 0
    (tmp_path / "tests" / "d" / "test.yaml").write_text("cmd: [echo, changed]\n")
    refused = testloom("baseline", "accept")
    assert (refused.stdout, refused.returncode) == (
        "tests/d/test.out: not accepted: the test has changed since the run; run it again\n",
        1,
    )
    assert baselines(tmp_path) == ["new", "old", "old", "old"]
    assert testloom("baseline", "review").returncode == 4


@pytest.mark.parametrize("action", ["review", "accept"])
def test_on_a_build_server_nothing_is_written(testloom: Run, tmp_path: Path, action: str) -> None:
    ran = testloom("baseline", action, CI="1")
    assert ran.stderr == (
        f"testloom: baseline {action}: CI is set, and baselines are not written on a build server;"
        " review where the sources are\n"
    )
    assert (ran.returncode, baselines(tmp_path)) == (4, ["old"] * 4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("baseline", "accept", "tests/z"), "no output of 'tests/z' waits; did you mean"),
        (("baseline", "look"), "baseline: review|list|accept|reject: invalid choice: 'look'"),
        (("show", "nothing"), "has no result of 'nothing'"),
        (("shell", "nothing"), "there is no failure of 'nothing'"),
        (("replay", "2001"), "no run matches '2001'"),
        (("replay", "--reporter", "live"), "replay: --reporter: invalid choice: 'live'"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    testloom: Run, arguments: tuple[str, ...], told: str
) -> None:
    ran = testloom(*arguments)
    assert told in ran.stderr
    assert (ran.stdout, ran.stderr.count("\n"), ran.returncode) == ("", 1, 4)


def test_a_test_is_shown_with_all_that_is_known(testloom: Run, tmp_path: Path) -> None:
    shown = testloom("show", "d").stdout
    facts = re.findall(r"^   (\w+): +(.*)$", shown, re.MULTILINE)
    assert "   + 1   new y\n" in shown
    assert [name for name, _ in facts] == ["test", "rerun", "program", "in", "repro"]
    script = dict(facts)["repro"].split()
    ran = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout == "new y\n"


def test_a_run_is_shown_again(testloom: Run) -> None:
    shown = testloom("replay").stdout
    assert [line for line in shown.splitlines() if line.startswith("──")] != []
    assert shown.splitlines()[-1] == "0 passed, 4 failed, 0 skipped"


def test_a_shell_is_where_the_test_was(testloom: Run, tmp_path: Path) -> None:
    ran = testloom("shell", "tests/d", stdin='ls; echo "$TESTLOOM_TEST $SET"\n')
    assert ran.stdout.splitlines()[1:] == ["test.out", "test.yaml", "tests/d by the file"]
    for left in tmp_path.glob("testloom-*"):
        subprocess.run(["rm", "-r", left], check=True)
    gone = testloom("shell", "tests/d")
    assert gone.stderr == (
        "testloom: shell: the working directory of 'tests/d' was not kept;"
        " run the test again with --keep-work=failing\n"
    )
