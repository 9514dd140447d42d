"""The driver that runs programs: sequence, verdicts, `shell`, cleaning up."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testloom.drivers import (
    ClassicTestDriver,
    CleanupMode,
    Log,
    ProcessResult,
    TestAbort,
    TestAbortWithError,
    TestAbortWithFailure,
    TestDriver,
    TestSkip,
    TestStatus,
)
from testloom.drivers.classic import TIMEOUT_OUTPUT_STR_RE
from testloom.drivers.programs import DEVNULL, quoted
from testloom.model.errors import UsageError
from testloom.model.outcome import Exited, Killed, TimedOut
from testloom.model.records import encode
from testloom.model.status import FailureReason
from testloom.processes.prctl import become_subreaper

if TYPE_CHECKING:
    from tests.drivers.conftest import Lab, Runner, Verdicts


class Scripted(ClassicTestDriver):
    """Does what a test gives it to do."""

    todo: Any = None
    calls: list[str]

    def set_up(self) -> None:
        self.calls = ["set_up"]

    def run(self) -> None:
        self.calls.append("run")
        self.value = self.todo(self) if self.todo else None

    def tear_down(self) -> None:
        self.calls.append("tear_down")
        super().tear_down()


@pytest.fixture
def run(lab: Lab) -> Any:
    """Run a test whose `run` is *todo*; return the driver."""

    def run_it(
        todo: Any = None, *, cls: Any = Scripted, yaml_text: str = "", name: str = "t", **files: Any
    ) -> Any:
        driver = cls(lab.env, lab.test_env(name, yaml_text, **files))
        driver.todo = todo
        driver.calls = []
        lab.run(driver)
        return driver

    return run_it


def raising(error: Any) -> Any:
    def todo(driver: Any) -> None:
        raise error

    return todo


def test_a_test_is_set_up_run_and_torn_down_in_a_copy_of_its_directory(
    run: Runner, lab: Lab, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run(lambda d: sorted(os.listdir(d.working_dir())), data_txt="x")
    assert driver.calls == ["set_up", "run", "tear_down"]
    assert driver.value == ["data.txt", "test.yaml"]
    assert verdicts(driver) == [("t", "PASS", None)]
    assert not os.path.exists(driver.working_dir())
    assert driver.result.time is None


def test_the_directory_is_not_copied_if_the_driver_says_so(run: Runner) -> None:
    class Plain(Scripted):
        copy_test_directory = False

    assert run(lambda d: os.path.exists(d.working_dir()), cls=Plain).value is False


def test_what_the_run_writes_is_no_part_of_a_test(run: Runner, lab: Lab) -> None:
    """Other tests write there meanwhile, and of a run that failed the copies would be copied."""
    driver = run(lambda _: None)
    for name in ("out/1/other", "out/0/other", "more/deeper"):
        (lab.root / name).mkdir(parents=True)
    lab.env.output_dir, lab.env.working_dir = map(str, (lab.root / "out/1", lab.root / "work"))
    driver.test_env["test_dir"] = str(lab.root)
    driver.todo = lambda d: sorted(os.listdir(d.working_dir())) + os.listdir(d.working_dir("more"))
    lab.run(driver)

    assert driver.value == ["more", "tests", "deeper"]


XFAIL = 'control: [[XFAIL, "True", known]]\n'


@pytest.mark.parametrize(
    ("yaml_text", "error", "expected"),
    [
        ("", None, ("t", "PASS", None)),
        ("", TestSkip("not here"), ("t", "SKIP", "not here")),
        ("", TestAbortWithError("broken"), ("t", "ERROR", "broken")),
        ("", TestAbortWithFailure("wrong"), ("t", "FAIL", "wrong")),
        ("", TestAbortWithFailure(), ("t", "FAIL", None)),
        (XFAIL, None, ("t", "XPASS", "known")),
        (XFAIL, TestAbortWithFailure("wrong"), ("t", "XFAIL", "wrong (known)")),
        (XFAIL, TestAbortWithFailure(), ("t", "XFAIL", "(known)")),
        ('control: [[XFAIL, "True"]]', TestAbortWithFailure("wrong"), ("t", "XFAIL", "wrong")),
        (XFAIL, TestAbortWithError("broken"), ("t", "ERROR", "broken")),
        (XFAIL, TestSkip("not here"), ("t", "SKIP", "not here")),
    ],
)
def test_exceptions_and_control_make_the_verdict(
    run: Runner,
    verdicts: Callable[[TestDriver], Verdicts],
    yaml_text: str,
    error: Any,
    expected: Any,
) -> None:
    driver = run(raising(error) if error else None, yaml_text=yaml_text)
    assert verdicts(driver) == [expected]
    assert driver.calls == ["set_up", "run", "tear_down"]


@pytest.mark.parametrize(
    ("yaml_text", "expected"),
    [
        ('control: [[SKIP, "True", why]]', ("t", "SKIP", "why")),
        ('control: [[SKIP, "True"]]', ("t", "SKIP", None)),
        ("control: 12",
         ("t", "ERROR", "Error while interpreting control: list expected at the top level")),
    ],
)  # fmt: skip
def test_nothing_runs_if_control_says_so_or_makes_no_sense(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts], yaml_text: str, expected: Any
) -> None:
    driver = run(yaml_text=yaml_text)
    assert verdicts(driver) == [expected]
    assert driver.calls == []
    assert not os.path.exists(driver.working_dir())


def test_other_exceptions_leave_after_the_tear_down(run: Runner, lab: Lab) -> None:
    driver = Scripted(lab.env, lab.test_env())
    driver.todo = raising(KeyError("x"))
    with pytest.raises(KeyError):
        lab.run(driver)
    assert driver.calls == ["set_up", "run", "tear_down"]
    assert driver.result_queue == []
    driver.todo = raising(TestAbort())
    with pytest.raises(TestAbort):
        lab.run(driver)


def test_failures_that_the_driver_computes_are_joined(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    class Picky(Scripted):
        def compute_failures(self) -> Any:
            return ["too slow", "too  big\nby far"]

    assert verdicts(run(cls=Picky)) == [("t", "FAIL", "too slow | too  big by far")]


def test_the_slot_is_known_while_the_test_runs(lab: Lab) -> None:
    driver = Scripted(lab.env, lab.test_env())
    driver.todo = lambda d: d.slot
    lab.run(driver, slot=7)
    assert driver.value == 7


# --- shell


def test_shell_runs_a_program_and_logs_it(run: Runner) -> None:
    driver = run(lambda d: d.shell(["sh", "-c", "echo out; echo err >&2; cat data.txt"]),
                 data_txt="no line end")  # fmt: skip
    cwd = driver.working_dir()
    assert (driver.value.status, driver.value.out) == (0, "out\nerr\nno line end")
    assert driver.value.end == Exited(0)
    assert driver.output == Log("out\nerr\nno line end")
    assert str(driver.result.log) == (
        f"Running: sh -c 'echo out; echo err >&2; cat data.txt' (cwd={cwd})\n"
        "Status code: 0\nOutput: \nout\nerr\nno line end\n"
    )
    [process] = driver.result.processes
    numbers = {key: process.pop(key) for key in ("wall_s", "cpu_s", "max_rss_bytes")}
    assert process == {
        "cmd": ["sh", "-c", "echo out; echo err >&2; cat data.txt"],
        "cwd": cwd,
        "status": 0,
        "output": "out\nerr\nno line end",
    }
    assert all(value > 0 for value in numbers.values())
    assert b'"PASS"' in encode(driver.result)


def test_long_outputs_are_cut_in_the_log_and_nowhere_else(run: Runner, lab: Lab) -> None:
    lab.env.options.truncate_logs = 2
    driver = run(lambda d: (d.shell(["seq", "10"]),
                            d.shell(["seq", "9"], truncate_logs_threshold=0)))  # fmt: skip
    first, second = str(driver.result.log).split("Running")[1:]
    assert first.endswith("Output: \n1\n2\n\n... 6 lines skipped...\n\n9\n10\n")
    assert second.endswith("1\n2\n3\n4\n5\n6\n7\n8\n9\n")
    assert driver.value[0].out == "".join(f"{n}\n" for n in range(1, 11))


def test_output_is_put_aside_if_it_is_not_to_be_analyzed(run: Runner) -> None:
    driver = run(lambda d: d.shell(["echo", "x"], analyze_output=False))
    assert (driver.value.out, str(driver.output)) == ("x\n", "")


@pytest.mark.parametrize(
    ("args", "message", "reason", "families"),
    [
        (["sh", "-c", "exit 3"], "non-zero status code", "exit:3", set()),
        (["sh", "-c", "kill -SEGV $$"], "killed by SIGSEGV", "crash:SIGSEGV",
         {FailureReason.CRASH}),
        (["./nosuch"], "could not start: ./nosuch: No such file or directory", "config", set()),
    ],
)  # fmt: skip
def test_a_program_that_fails_fails_the_test(
    run: Runner, args: Any, message: str, reason: str, families: Any
) -> None:
    result = run(lambda d: d.shell(args)).result
    assert (result.status, result.msg) == (TestStatus.FAIL, message)
    assert (result.reason, result.failure_reasons) == (reason, families)


def test_a_program_whose_time_is_up_fails_the_test(run: Runner) -> None:
    driver = run(lambda d: d.shell(["sh", "-c", "echo begun; exec sleep 60"], timeout=0.1))
    result = driver.result
    assert (result.status, result.msg) == (TestStatus.FAIL, "timed out after 0.1 s")
    assert (result.reason, result.failure_reasons) == ("timeout", {FailureReason.TIMEOUT})
    assert str(driver.output).endswith("rlimit: Real time limit (0.1 s) exceeded\n")


def test_errors_can_be_left_to_the_driver(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    def todo(driver: Any) -> Any:
        return [
            driver.shell(args, catch_error=False, timeout=timeout)
            for args, timeout in (
                (["sh", "-c", "exit 3"], None),
                (["sh", "-c", "kill -9 $$"], None),
                (["sleep", "60"], 0.1),
                (["./nosuch"], None),
            )
        ]

    driver = run(todo)
    failed, killed, slow, missing = driver.value
    assert (failed.status, failed.end) == (3, Exited(3))
    assert (killed.status, killed.end) == (137, Killed(9))
    assert (slow.status, slow.end) == (2, TimedOut(0.1))
    assert TIMEOUT_OUTPUT_STR_RE.search(slow.out)
    assert missing.status == 5
    assert missing.out == 'rlimit: could not run "./nosuch": execvp: No such file or directory\n'
    timed_out = [driver.process_may_have_timed_out(p) for p in driver.value]
    assert timed_out == [False, False, True, False]
    assert verdicts(driver) == [("t", "PASS", None)]


def test_a_program_that_only_says_so_has_not_timed_out(run: Runner) -> None:
    said = "rlimit: Real time limit (5 s) exceeded"
    driver = run(lambda d: d.shell(["sh", "-c", f"echo '{said}'; exit 2"], catch_error=False))
    assert driver.process_may_have_timed_out(driver.value) is False
    assert ProcessResult(2, said).timed_out is False


def test_the_environment_is_replaced_or_added_to(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTLOOM_PROBE", "ours")
    show = ["/bin/sh", "-c", "echo $TESTLOOM_PROBE-$A"]
    driver = run(lambda d: [
        d.shell(show).out,
        d.shell(show, env={"A": "1"}).out,
        d.shell(show, env={"A": "1"}, ignore_environ=False).out,
    ])  # fmt: skip
    assert driver.value == ["ours-\n", "-1\n", "ours-1\n"]


def test_a_program_runs_where_it_is_told_to(run: Runner, tmp_path: Path) -> None:
    driver = run(lambda d: (d.shell(["pwd"]).out, d.shell(["pwd"], cwd=str(tmp_path)).out))
    assert driver.value == (f"{driver.working_dir()}\n", f"{tmp_path}\n")


def test_input_comes_from_wherever_it_is(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text("abc")
    pipe_out, pipe_in = os.pipe()
    os.write(pipe_in, b"piped")
    os.close(pipe_in)

    def todo(driver: Any) -> Any:
        with open(path) as file, open(path, "rb") as other, open(pipe_out) as pipe:
            other.read(1)
            return [
                driver.shell(["cat"], stdin=stdin).out
                for stdin in (
                    DEVNULL, subprocess.DEVNULL, None, b"bytes", "|text é", str(path), path,
                    file, other, io.StringIO("memory"), io.BytesIO(b"memory"), pipe,
                )
            ]  # fmt: skip

    assert run(todo).value == [
        "", "", "", "bytes", "text é", "abc", "abc", "abc", "bc", "memory", "memory", "piped",
    ]  # fmt: skip


def test_input_that_cannot_be_read_fails_the_test(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run(lambda d: d.shell(["cat"], stdin="/nosuch/file"))
    assert verdicts(driver) == [
        ("t", "FAIL", "could not start: /nosuch/file: No such file or directory")
    ]


def test_bytes_stay_bytes_where_the_encoding_is_binary(run: Runner) -> None:
    driver = run(lambda d: d.shell(["printf", r"caf\351\n"]), yaml_text="encoding: binary")
    assert driver.value.out == b"caf\xe9\n"
    assert driver.output == Log(b"caf\xe9\n")
    assert str(driver.result.log).endswith("Output: \ncaf\\xe9\n")


def test_output_is_decoded_as_the_call_or_the_test_says(run: Runner) -> None:
    command = ["printf", r"caf\351\n"]
    assert run(lambda d: d.shell(command, encoding="latin-1")).value.out == "café\n"
    assert run(lambda d: d.shell(command), yaml_text="encoding: latin-1").value.out == "café\n"


def test_output_that_cannot_be_decoded_is_an_error(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run(lambda d: d.shell(["printf", r"caf\351\nx"]))
    assert verdicts(driver) == [
        ("t", "ERROR", ("cannot decode process output (UnicodeDecodeError: 'utf-8' codec can't "
         "decode byte 0xe9 in position 3: invalid continuation byte)"))
    ]  # fmt: skip
    log = str(driver.result.log)
    assert log.endswith(f"(cwd={driver.working_dir()})\nCannot decode subprocess output:\n\n  caf\\xe9\n  x")  # fmt: skip


def test_output_without_end_can_be_limited(run: Runner) -> None:
    class Limited(Scripted):
        output_limit_bytes = 100_000

    result = run(lambda d: d.shell(["yes"]), cls=Limited).result
    assert (result.msg, result.reason) == ("stopped: wrote more than 100000 bytes", "output-limit")
    assert result.failure_reasons == {FailureReason.OUTPUT_LIMIT}


def test_what_a_program_leaves_behind_is_noted(run: Runner) -> None:
    become_subreaper()
    result = run(lambda d: d.shell(["sh", "-c", "sleep 60 & echo done"])).result
    assert result.status is TestStatus.PASS
    assert result.info["leak"].startswith("sleep (pid ")


@pytest.mark.parametrize("args", ["ls -l", []])
def test_shell_takes_a_list_of_arguments(run: Runner, args: Any) -> None:
    with pytest.raises(TypeError, match=r"shell\(\) takes a list"):
        run(lambda d: d.shell(args))


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["a b", "c'd", "$x", ""], r"""'a b' 'c'\''d' '$x' ''"""),
        (["é", "a=b", "a;b", "--x=y", "/a/b.c", "*", "@%+:,^{}!]"],
         "é a=b 'a;b' --x=y /a/b.c '*' @%+:,^{}!]"),
        (["a\nb"], "'a\nb'"),
    ],
)  # fmt: skip
def test_commands_are_logged_as_one_would_type_them(argv: Any, shown: Any) -> None:
    assert quoted(argv) == shown


@pytest.mark.parametrize(
    ("yaml_text", "program_s", "fragment_s"),
    [("", 300, 3000), ("timeout: 7", 7, 70), ("timeout: '7'", 7, 70), ("timeout: 0.5", 0.5, 5)],
)
def test_the_time_of_a_program_is_that_of_its_test(
    lab: Lab, yaml_text: str, program_s: Any, fragment_s: Any
) -> None:
    driver = Scripted(lab.env, lab.test_env(yaml_text=yaml_text))
    assert driver.default_process_timeout == program_s
    assert driver.fragment_timeout_s == fragment_s


@pytest.mark.parametrize("value", ["5s", "-1", "0", ".nan", ".inf", "[]", "true"])
def test_a_time_limit_that_is_none_is_a_mistake(lab: Lab, value: Any) -> None:
    driver = Scripted(lab.env, lab.test_env(yaml_text=f"timeout: {value}"))
    assert driver.fragment_timeout_s is None
    with pytest.raises(UsageError, match="timeout: expected a number of seconds above 0, not "):
        _ = driver.default_process_timeout


def test_a_driver_can_do_without_time_limits(run: Runner) -> None:
    class Patient(Scripted):
        default_process_timeout = None

    driver = run(lambda d: d.shell(["true"]), cls=Patient)
    assert driver.result.status is TestStatus.PASS
    assert driver.fragment_timeout_s is None


# --- tear down


@pytest.mark.parametrize(
    ("mode", "error", "kept"),
    [
        (CleanupMode.NONE, None, True),
        (CleanupMode.PASSING, None, False),
        (CleanupMode.PASSING, TestAbortWithFailure("x"), True),
        (CleanupMode.PASSING, TestAbortWithError("x"), True),
        (CleanupMode.PASSING, TestSkip("x"), False),
        (CleanupMode.ALL, TestAbortWithFailure("x"), False),
    ],
)
def test_the_working_directory_is_kept_for_those_who_will_look_at_it(
    run: Runner, lab: Lab, mode: Any, error: Any, kept: bool
) -> None:
    lab.env.cleanup_mode = mode
    driver = run(raising(error) if error else None)
    assert os.path.exists(driver.working_dir()) is kept


def test_a_working_directory_that_cannot_be_removed_is_an_error_of_its_own(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    class Stuck(Scripted):
        def cleanup_working_dir(self) -> None:
            raise OSError("device is busy")

    driver = run(cls=Stuck, data_txt="x")
    assert verdicts(driver) == [
        ("t", "PASS", None),
        ("t__tear_down", "ERROR", "cannot remove the working directory"),
    ]
    log = str(driver.result_queue[1].result.log)
    assert "OSError: device is busy\n" in log
    assert f"Remaining files:\n  {driver.working_dir()}/.\n" in log
    assert f"  {driver.working_dir('data.txt')}\n" in log


def test_a_million_lines_are_run_through_in_linear_time(run: Runner) -> None:
    program = "import sys; sys.stdout.write('x\\n' * 10**6)"
    driver = run(lambda d: d.shell([sys.executable, "-c", program]))
    assert len(driver.value.out) == 2 * 10**6
    assert len(str(driver.result.log)) < 2000
