"""Tests that are nothing but a test.yaml: what they can say, and what they are told."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from testloom.drivers import CommandDriver, Log, TestStatus
from testloom.drivers.command_spec import CommandSpec, InFile, Inline, Matching, parse
from testloom.model.errors import UsageError
from testloom.model.outcome import Exited, Killed
from testloom.model.records import encode
from testloom.model.status import FailureReason

if TYPE_CHECKING:
    from tests.drivers.conftest import Lab, Runner


@pytest.fixture
def run(lab: Lab) -> Any:
    """Run the test that *yaml_text* describes; return the driver."""

    def run_it(yaml_text: str, *, rewrite: Any = False, **files: Any) -> Any:
        lab.env.rewrite_baselines = rewrite
        driver = CommandDriver(lab.env, lab.test_env("t", yaml_text, **files))
        lab.run(driver)
        return driver

    return run_it


@pytest.fixture
def verdict(run: Runner) -> Any:
    """Run a test; return status, message and reason of its only result."""

    def verdict_of(yaml_text: str, **files: Any) -> Any:
        [item] = run(yaml_text, **files).result_queue
        return item.result.status.name, item.result.msg, item.result.reason

    return verdict_of


PASS = ("PASS", None, "")


@pytest.mark.parametrize(
    "yaml_text",
    [
        "cmd: [sh, -c, 'exit 0']",
        "cmd: sh -c 'exit 0'",
        "{cmd: 'test $((1 + 1)) = 2', shell: true}",
        '{cmd: [echo, 1, 2], stdout: "1 2\\n"}',
        "{cmd: cat, stdin: abc, stdout: abc}",
        "{cmd: cat, stdin: {file: in.txt}, stdout: {file: in.txt}}",
        "{cmd: cat, stdout: ''}",
        "{cmd: 'echo $A-$B', shell: true, env: {A: x, B: 2}, stdout: x-2}",
        "{cmd: 'echo ${HOME-none}', shell: true, env: {HOME: null}, stdout: none}",
        "{cmd: 'cat here.txt', cwd: sub, stdout: nested}",
        "{cmd: 'exit 3', shell: true, exit: 3}",
        "{cmd: 'exit 3', shell: true, exit: [2, 3]}",
        "{cmd: 'exit 3', shell: true, exit: any}",
        "{cmd: [sh, -c, 'kill -ABRT $$'], exit: SIGABRT}",
        "{cmd: [sh, -c, 'kill -ABRT $$'], exit: {signal: SIGABRT}}",
        "{cmd: [sh, -c, 'kill -9 $$'], exit: [0, SIGKILL]}",
        "{cmd: 'echo a; echo b >&2', shell: true, stdout: a}",
        "{cmd: 'echo a; echo b >&2', shell: true, stderr: b}",
        "{cmd: 'echo a; echo error 17', shell: true, stdout: {regex: '^error [0-9]+$'}}",
        '{cmd: \'printf "a\\r\\n"\', shell: true, stdout: "a\\n"}',
        "{cmd: 'true', requires: [sh, cat], timeout: 20, tags: [smoke], description: nothing}",
        "{cmd: 'true', memory: 64 MB}",
        "{cmd: 'true', memory: 1000000000}",
        "{cmd: './prog', copy: true}",
        "{cmd: './prog', copy: false}",
    ],
)
def test_these_pass(lab: Lab, verdict: Callable[..., Any], yaml_text: str) -> None:
    os.makedirs(lab.root / "tests/t/sub")
    (lab.root / "tests/t/sub/here.txt").write_text("nested\n")
    (lab.root / "tests/t/prog").write_text("#!/bin/sh\nexit 0\n")
    (lab.root / "tests/t/prog").chmod(0o755)
    assert verdict(yaml_text, in_txt="abc") == PASS


@pytest.mark.parametrize(
    ("yaml_text", "expected"),
    [
        ("cmd: 'false'", ("FAIL", "exit status 1 (expected 0)", "exit:1")),
        ("{cmd: 'exit 3', shell: true, exit: [1, 2, SIGABRT]}",
         ("FAIL", "exit status 3 (expected 1 or 2 or SIGABRT)", "exit:3")),
        ("{cmd: 'true', exit: SIGABRT}", ("FAIL", "exit status 0 (expected SIGABRT)", "exit:0")),
        ("cmd: [sh, -c, 'kill -SEGV $$']",
         ("FAIL", "killed by SIGSEGV (expected 0)", "crash:SIGSEGV")),
        ("{cmd: [sh, -c, 'kill -9 $$'], exit: any}",
         ("FAIL", "killed by SIGKILL (expected any exit status)", "crash:SIGKILL")),
        ("{cmd: sleep 60, timeout: 0.1}", ("FAIL", "timed out after 0.1 s", "timeout")),
        ("{cmd: sleep 60, timeout: 0.1, exit: any}", ("FAIL", "timed out after 0.1 s", "timeout")),
        ("cmd: ./nosuch",
         ("ERROR", "could not start: ./nosuch: No such file or directory", "config")),
        ("{cmd: echo a, stdout: b}", ("FAIL", "stdout differs: +1 -1", "diff")),
        ("{cmd: 'echo a >&2', shell: true, stderr: ''}", ("FAIL", "stderr differs: +1 -0", "diff")),
        ("{cmd: echo a, stdout: {file: x.txt}}",
         ("FAIL", "stdout differs: x.txt +1 -2", "diff")),
        ("{cmd: echo a, stdout: {regex: '^b'}}",
         ("FAIL", "stdout does not match '^b'", "diff")),
        ("{cmd: 'echo a; exit 3', shell: true, stdout: b}",
         ("FAIL", "exit status 3 (expected 0) | stdout differs: +1 -1", "exit:3")),
        ("{cmd: 'true', requires: nosuch}",
         ("SKIP", "requires 'nosuch', which is not on PATH", "")),
        ("{cmd: 'true', requires: [sh, nosuch, 'no such']}",
         ("SKIP", "requires 'nosuch', 'no such', which are not on PATH", "")),
        ("{cmd: 'true', requires: sh, env: {PATH: /nosuch}}",
         ("SKIP", "requires 'sh', which is not on PATH", "")),
        ("{cmd: 'true', control: [[SKIP, 'True', why]]}", ("SKIP", "why", "")),
        ("{cmd: 'false', control: [[XFAIL, 'True', known]]}",
         ("XFAIL", "exit status 1 (expected 0) (known)", "exit:1")),
        ("{cmd: 'true', control: [[XFAIL, 'True', known]]}", ("XPASS", "known", "")),
    ],
)  # fmt: skip
def test_these_do_not_and_say_why(
    verdict: Callable[..., Any], yaml_text: str, expected: Any
) -> None:
    assert verdict(yaml_text, x_txt="b\nc\n") == expected


def test_families_of_failures_are_noted(run: Runner) -> None:
    crash = run("cmd: [sh, -c, 'echo a; kill -SEGV $$']", test_out="b\n").result
    assert crash.failure_reasons == {FailureReason.CRASH, FailureReason.DIFF}
    assert crash.msg == "killed by SIGSEGV (expected 0) | output differs: test.out +1 -1"
    slow = run("{cmd: sleep 60, timeout: 0.1}", test_out="b\n").result
    assert slow.failure_reasons == {FailureReason.TIMEOUT}


@pytest.mark.parametrize(
    ("yaml_text", "out", "passes"),
    [
        ("cmd: 'echo a; echo b >&2; echo c'", "a\nb\nc\n", True),
        ("{cmd: 'echo a; echo b >&2', stderr: b}", "a\n", True),
        ("{cmd: 'echo a; echo b >&2', stdout: a}", "ignored\n", True),
        ("cmd: 'echo a'", "b\n", False),
    ],
)
def test_a_test_out_is_the_baseline_of_what_nothing_else_is_said_of(
    run: Runner, yaml_text: str, out: Any, passes: bool
) -> None:
    text = (
        yaml_text.replace("{", "{shell: true, ")
        if "{" in yaml_text
        else f"{yaml_text}\nshell: true"
    )
    assert run(text, test_out=out).result.status is (TestStatus.PASS if passes else TestStatus.FAIL)


def test_a_failure_shows_the_difference_and_the_run(run: Runner) -> None:
    driver = run("cmd: printf 'a\\nb\\n'", test_out="a\nc\n")
    result = driver.result
    diff = "--- expected\n+++ output\n@@ -1,2 +1,2 @@\n a\n-c\n+b\n"
    assert result.msg == "output differs: test.out +1 -1"
    assert result.diff == Log(f"Diff failure: output differs: test.out +1 -1\n{diff}")
    assert (result.expected, result.out) == (Log("a\nc\n"), Log("a\nb\n"))
    [process] = result.processes
    assert {k: process[k] for k in ("cmd", "cwd", "status", "output")} == {
        "cmd": ["printf", "a\\nb\\n"],
        "cwd": driver.working_dir(),
        "status": 0,
        "output": "a\nb\n",
    }
    assert all(process[key] >= 0 for key in ("wall_s", "cpu_s", "max_rss_bytes"))
    assert b'"FAIL"' in encode(result)


def test_streams_that_are_kept_apart_are_logged_apart(run: Runner) -> None:
    result = run("{cmd: 'echo a; echo b >&2', shell: true, stdout: a}").result
    assert str(result.log).endswith("Status code: 0\nOutput: \na\nErrors: \nb\n")
    assert result.processes[0]["errors"] == "b\n"


def test_what_is_no_text_is_compared_and_shown_as_bytes(run: Runner) -> None:
    result = run("cmd: printf 'a\\351\\n'", test_out=b"a\\xe9\n").result
    assert "-a\\\\xe9\n+a\\xe9\n" in str(result.diff)
    assert run("cmd: printf 'a\\351\\n'", test_out=b"a\xe9\n").result.status is TestStatus.PASS


def test_a_missing_baseline_file_is_an_error(run: Runner) -> None:
    result = run("{cmd: echo a, stdout: {file: nosuch}}").result
    assert (result.status, result.reason) == (TestStatus.ERROR, "config")
    assert str(result.msg).startswith("cannot read baseline file (FileNotFoundError: ")


def test_without_a_copy_the_program_runs_where_the_test_is(run: Runner) -> None:
    driver = run("{cmd: [sh, -c, 'touch made; pwd'], copy: false}")
    assert driver.result.processes[0]["cwd"] == driver.test_dir()
    assert os.path.exists(driver.test_dir("made"))
    assert not os.path.exists(driver.working_dir())


@pytest.mark.parametrize(
    ("yaml_text", "name", "written"),
    [
        ("cmd: echo new", "test.out", "new\n"),
        ("{cmd: echo new, stdout: {file: out.txt}}", "out.txt", "new\n"),
        ("{cmd: 'echo new >&2', shell: true, stderr: {file: out.txt}}", "out.txt", "new\n"),
        ("{cmd: 'echo new; exit 1', shell: true}", "test.out", "old\n"),
    ],
)
def test_baselines_are_rewritten_if_the_program_ended_well(
    run: Runner, yaml_text: str, name: str, written: Any
) -> None:
    driver = run(yaml_text, rewrite=True, **{name.replace(".", "_"): "old\n"})
    assert driver.result.status is TestStatus.FAIL
    with open(driver.test_dir(name)) as file:
        assert file.read() == written


def test_no_baseline_is_made_where_none_was_asked_for(run: Runner) -> None:
    driver = run("cmd: echo new", rewrite=True)
    assert driver.result.status is TestStatus.PASS
    assert not os.path.exists(driver.test_dir("test.out"))


@pytest.mark.parametrize(
    ("yaml_text", "run_timeout", "expected"),
    [
        ("cmd: x", None, 300.0),
        ("cmd: x", 20, 20.0),
        ("{cmd: x, timeout: 2.5}", 20, 2.5),
    ],
)
def test_the_time_limit_is_that_of_the_test_or_of_the_run(
    lab: Lab, yaml_text: str, run_timeout: Any, expected: Any
) -> None:
    lab.env.options = argparse.Namespace(timeout=run_timeout)
    driver = CommandDriver(lab.env, lab.test_env(yaml_text=yaml_text))
    assert driver.default_process_timeout == expected
    assert driver.fragment_timeout_s == expected + 10


# --- what test.yaml can say


def test_everything_a_test_can_say_is_understood() -> None:
    spec = parse(
        {
            "driver": "command",
            "cmd": ["./calc", 1],
            "stdin": {"file": "in"},
            "env": {"A": "1", "B": None, "C": 3},
            "cwd": "sub",
            "exit": [0, 3, "SIGABRT"],
            "stdout": "2\n",
            "stderr": {"regex": "^w"},
            "timeout": 10,
            "requires": ["awk"],
            "copy": False,
            "control": [],
            "tags": ["smoke"],
            "description": "Adds.",
            "test_dir": "/t",
            "test_name": "t",
            "test_matcher": None,
            "working_dir": "/w",
        }
    )
    assert spec == CommandSpec(
        argv=("./calc", "1"),
        stdin=InFile("in"),
        env={"A": "1", "B": None, "C": "3"},
        cwd="sub",
        ends=frozenset({Exited(0), Exited(3), Killed(6)}),
        stdout=Inline("2\n"),
        stderr=Matching("^w"),
        timeout_s=10.0,
        requires=("awk",),
        copy=False,
    )


@pytest.mark.parametrize(
    ("yaml_text", "message"),
    [
        ("# a comment\ncdm: [x]\n", "tests/t/test.yaml:2: unknown key 'cdm'; did you mean 'cmd'?"),
        ("cmd: x\n'time-out': 3\n",
         "tests/t/test.yaml:2: unknown key 'time-out'; did you mean 'timeout'?"),
        ("cmd: x\nzzzzz: 3\n", ("tests/t/test.yaml:2: unknown key 'zzzzz'; known keys are cmd, "
         "control, copy, cwd, description, driver, env, exit, memory, output-limit, requires, retries, "
         "shell, stderr, stdin, stdout, tags, timeout")),
        ("{cmd: x, 7: y}", ("tests/t/test.yaml:1: unknown key 7; known keys are cmd, "
         "control, copy, cwd, description, driver, env, exit, memory, output-limit, requires, retries, "
         "shell, stderr, stdin, stdout, tags, timeout")),
        ("description: x\n",
         "tests/t/test.yaml:1: no 'cmd'; say what to run, such as cmd: [./prog, arg]"),
        ("", "tests/t/test.yaml:1: no 'cmd'; say what to run, such as cmd: [./prog, arg]"),
        ("cmd: 3", "tests/t/test.yaml:1: 'cmd' must be a list or a text, not 3"),
        ("cmd: []", "tests/t/test.yaml:1: 'cmd' must be a program and its arguments; it is empty"),
        ("cmd: ''", "tests/t/test.yaml:1: 'cmd' must be a program and its arguments; it is empty"),
        ("cmd: [x, 1.50]", "tests/t/test.yaml:1: 'cmd' must be a list of texts; put 1.5 in quotes"),
        ("cmd: [x, yes]", "tests/t/test.yaml:1: 'cmd' must be a list of texts; put True in quotes"),
        ("cmd: echo 'a", ("tests/t/test.yaml:1: 'cmd' must be a command line, and this one ends too "
         "early: No closing quotation")),
        ("{cmd: [a, b], shell: true}",
         "tests/t/test.yaml:1: 'cmd' must be a text where 'shell' is true"),
        ("cmd: x\n\nshell: 1", "tests/t/test.yaml:3: 'shell' must be true or false, not 1"),
        ("cmd: x\ntimeout: 5s",
         "tests/t/test.yaml:2: 'timeout' must be a number of seconds above 0, not '5s'"),
        ("cmd: x\ntimeout: -1",
         "tests/t/test.yaml:2: 'timeout' must be a number of seconds above 0, not -1"),
        ("cmd: x\ntimeout: .nan",
         "tests/t/test.yaml:2: 'timeout' must be a number of seconds above 0, not nan"),
        ("cmd: x\nmemory: lots", "tests/t/test.yaml:2: 'memory' must be a size such as 64 MB, not 'lots'"),
        ("cmd: x\nmemory: [1]", "tests/t/test.yaml:2: 'memory' must be a size such as 64 MB, not [1]"),
        ("cmd: x\nmemory: yes", "tests/t/test.yaml:2: 'memory' must be a size such as 64 MB, not True"),
        ("cmd: x\noutput-limit: 0",
         "tests/t/test.yaml:2: 'output-limit' must be a size such as 64 MB, not 0"),
        ("cmd: x\nmemory: 64",
         "tests/t/test.yaml:2: 'memory' must be a size of at least 1 MiB, not 64"),
        ("cmd: x\nexit: SIGABORT", ("tests/t/test.yaml:2: 'exit' must be an exit status, a list of "
         "them, 'any' or the name of a signal, not 'SIGABORT'; did you mean 'SIGABRT'?")),
        ("cmd: x\nexit: 256",
         "tests/t/test.yaml:2: 'exit' must be an exit status from 0 to 255, not 256"),
        ("cmd: x\nexit: []", "tests/t/test.yaml:2: 'exit' must be an exit status; the list is empty"),
        ("cmd: x\nexit: yes", ("tests/t/test.yaml:2: 'exit' must be an exit status, a list of them, "
         "'any' or the name of a signal, not True")),
        ("cmd: x\nstdout: 3", ("tests/t/test.yaml:2: 'stdout' must be a text, {file: NAME} or "
         "{regex: PATTERN}, not 3")),
        ("cmd: x\nstdout: {fiel: x}", ("tests/t/test.yaml:2: 'stdout' must be a text, {file: NAME} "
         "or {regex: PATTERN}, not {'fiel': 'x'}")),
        ("cmd: x\nstdout: {regex: '('}", ("tests/t/test.yaml:2: 'stdout' must be a valid regular "
         "expression; '(': missing ), unterminated subpattern at position 0")),
        ("cmd: x\nstdin: [x]",
         "tests/t/test.yaml:2: 'stdin' must be a text or {file: NAME}, not ['x']"),
        ("cmd: x\nenv: [x]",
         "tests/t/test.yaml:2: 'env' must be a mapping from names to texts, not ['x']"),
        ("cmd: x\nenv: {A: 1.0}", ("tests/t/test.yaml:2: 'env' must be a mapping from names to "
         "texts; put 1.0 of 'A' in quotes")),
        ("cmd: x\nenv: {'A=B': x}", ("tests/t/test.yaml:2: 'env' must be a mapping from names to "
         "texts; 'A=B' cannot be a name")),
        ("cmd: x\nrequires: 3", "tests/t/test.yaml:2: 'requires' must be a list of names, not 3"),
        ("cmd: x\ncwd: 3", "tests/t/test.yaml:2: 'cwd' must be a text, not 3"),
    ],
)  # fmt: skip
def test_mistakes_are_found_when_the_driver_is_made(lab: Lab, yaml_text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        CommandDriver(lab.env, lab.test_env(yaml_text=yaml_text))
    assert str(caught.value) == message


def test_mistakes_of_tests_without_a_file_name_the_test() -> None:
    with pytest.raises(UsageError) as caught:
        parse({"test_name": "t", "test_dir": "/nosuch", "cmd": ["x"], "cdm": 1})
    assert str(caught.value) == "t: unknown key 'cdm'; did you mean 'cmd'?"
