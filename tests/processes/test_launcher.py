"""Programs that behave: how they are started, what they get, what comes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from testloom.model.outcome import Exited, Killed, NotStarted, OutputLimit, TimedOut
from testloom.processes.launcher import Program, ProgramRun, run

Script = Callable[..., subprocess.CompletedProcess[str]]


def sh(code: str, **options: object) -> ProgramRun:
    return run(Program(argv=("sh", "-c", code), **options))  # type: ignore[arg-type]  # by name


def executable(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("exit 0", Exited(0)),
        ("exit 3", Exited(3)),
        ("exit 137", Exited(137)),
        ("kill -KILL $$", Killed(9)),
        ("kill -SEGV $$", Killed(11)),
    ],
)
def test_exit_statuses_and_signals_are_kept_apart(code: str, end: object) -> None:
    assert sh(code).end == end


def test_what_it_cost_is_known() -> None:
    ran = sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")

    assert 0 < ran.cpu_s < 10
    assert 0 < ran.wall_s < 10
    assert ran.max_rss_bytes > 100_000


def test_both_streams_come_in_order_through_one_pipe() -> None:
    ran = sh("echo 1; echo 2 >&2; echo 3")

    assert (ran.output, ran.errors, ran.output_bytes) == (b"1\n2\n3\n", b"", 6)


def test_both_streams_can_be_had_apart() -> None:
    ran = sh("echo 1; echo 22 >&2; echo 3", merge_stderr=False)

    assert (ran.output, ran.errors, ran.output_bytes) == (b"1\n3\n", b"22\n", 7)


def test_much_on_both_streams_blocks_neither() -> None:
    ran = sh("head -c 300000 /dev/zero >&2; head -c 400000 /dev/zero", merge_stderr=False)

    assert (len(ran.output), len(ran.errors), ran.end) == (400_000, 300_000, Exited(0))


def test_output_is_bytes_whatever_they_are() -> None:
    assert sh(r"printf '\377\000\355\240\200'").output == b"\xff\x00\xed\xa0\x80"


def test_of_much_output_the_middle_is_dropped() -> None:
    ran = sh("echo begin; head -c 1000000 /dev/zero; echo end", keep_bytes=10)

    assert ran.output == (b"begin\n\0\0\0\0\n... 999990 bytes dropped ...\n\0\0\0\0\0\0end\n")
    assert ran.output_bytes == 1_000_010


def test_without_being_told_it_reads_nothing() -> None:
    assert sh("cat; read x || echo end of file").output == b"end of file\n"


def test_what_it_reads_can_be_given() -> None:
    given = bytes(range(256)) * 1000

    assert run(Program(argv=("cat",), stdin=given)).output == given


def test_empty_input_is_input() -> None:
    assert run(Program(argv=("cat",), stdin=b"")).output == b""


def test_what_it_reads_can_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_text("from a file\n")

    assert run(Program(argv=("cat",), stdin_file=str(file))).output == b"from a file\n"


def test_input_need_not_be_read() -> None:
    assert run(Program(argv=("true",), stdin=bytes(1_000_000))).end == Exited(0)


def test_it_runs_where_it_is_told_to_with_the_environment_it_is_given(tmp_path: Path) -> None:
    ran = sh("pwd; echo $A-$HOME", cwd=str(tmp_path), env={"A": "b", "PATH": "/usr/bin:/bin"})

    assert ran.output == f"{tmp_path}\nb-\n".encode()


def test_it_is_looked_up_in_the_path_of_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    executable(tmp_path / "a" / "tool", b"#!/bin/sh\necho a\n")
    executable(tmp_path / "b" / "tool", b"#!/bin/sh\necho b\n")
    ran = [run(Program(argv=("tool",), env={"PATH": f"{tmp_path}/{d}"})).output for d in "aba"]
    (tmp_path / "a" / "tool").unlink()
    missing = run(Program(argv=("tool",), env={"PATH": f"{tmp_path}/a"}))

    assert ran == [b"a\n", b"b\n", b"a\n"]
    assert missing.end == NotStarted("tool: No such file or directory")


def test_its_own_place_comes_before_its_path(tmp_path: Path) -> None:
    executable(tmp_path / "tool", b"#!/bin/sh\necho here\n")

    assert run(Program(argv=("./tool",), cwd=str(tmp_path))).output == b"here\n"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (Program(argv=("no-such-program",)), "no-such-program: No such file or directory"),
        (Program(argv=("/no/such",)), "/no/such: No such file or directory"),
        (Program(argv=("/etc/passwd",)), "/etc/passwd: Permission denied"),
        (Program(argv=("/",)), "/: Permission denied"),
        (Program(argv=("true",), cwd="/no/such"), "/no/such: No such file or directory"),
        (Program(argv=("cat",), stdin_file="/no/such"), "/no/such: No such file or directory"),
        (Program(argv=()), "no program is named"),
        (Program(argv=("true", "a\0b")), "embedded null byte"),
        (Program(argv=("true",), env={"A": "a\0b"}), "embedded null byte"),
        (
            Program(argv=(sys.executable, "x" * 3_000_000)),
            f"{sys.executable}: Argument list too long",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_started_says_why(program: Program, why: str) -> None:
    ran = run(program)

    assert ran.end == NotStarted(why)
    assert (ran.output, ran.leaked) == (b"", ())


def test_a_script_without_an_interpreter_line_is_run_by_the_shell(tmp_path: Path) -> None:
    executable(tmp_path / "script", b"echo $0 $1\n")
    there = str(tmp_path / "script")
    path = {"PATH": f"{tmp_path}:/bin:/usr/bin"}

    assert run(Program(argv=(there, "a"))).output == f"{there} a\n".encode()
    assert run(Program(argv=("./script", "b"), cwd=str(tmp_path))).output == b"./script b\n"
    assert run(Program(argv=("script", "c"), env=path)).output == f"{there} c\n".encode()


@pytest.mark.parametrize("content", [b"", b"\x7fELF\0 damaged", b"echo\n\0"])
def test_what_is_no_program_and_no_text_is_not_run_by_the_shell(
    tmp_path: Path, content: bytes
) -> None:
    """A shell takes an empty file for a script that succeeds."""
    path = executable(tmp_path / "program", content)

    assert run(Program(argv=(str(path),))).end == NotStarted(f"{path}: Exec format error")


def test_it_starts_clean() -> None:
    ran = run(Program(argv=("grep", "-E", "^(Sig(Blk|Ign)|ShdPnd)", "/proc/self/status")))

    assert ran.output == (
        b"ShdPnd:\t0000000000000000\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
    )


def test_it_has_no_descriptors_but_its_streams() -> None:
    leaky = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaky, True)
    try:
        ran = run(
            Program(argv=(sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"))
        )
    finally:
        os.close(leaky)

    assert ran.output == b"['0', '1', '2', '3']\n"


def test_it_leads_a_session_without_a_terminal() -> None:
    code = (
        "import os; print(os.getsid(0) == os.getpgid(0) == os.getpid(), flush=True);"
        "open('/dev/tty')"
    )
    ran = run(Program(argv=(sys.executable, "-c", code)))

    assert ran.output.splitlines()[0] == b"True"
    assert b"No such device or address: '/dev/tty'" in ran.output


def test_more_output_than_is_allowed_ends_it() -> None:
    ran = sh("yes; echo never", output_limit_bytes=1000, keep_bytes=10)

    assert ran.end == OutputLimit(1000)
    assert ran.output.startswith(b"y\ny\n")


def test_as_much_output_as_is_allowed_does_not() -> None:
    assert sh("head -c 1000 /dev/zero", output_limit_bytes=1000).end == Exited(0)


def test_a_program_that_closes_its_output_is_still_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "later"
    ran = sh(
        f"exec >&- 2>&-; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo x >{file}; exit 4"
    )

    assert (ran.end, file.read_text()) == (Exited(4), "x\n")


def test_a_program_may_close_its_output_and_fail(tmp_path: Path) -> None:
    assert sh("exec 0<&- 1>&- 2>&-; exit 5").end == Exited(5)


def test_who_else_takes_its_status_leaves_it_unknown(script: Script) -> None:
    code = """
import signal
from testloom.processes.launcher import Program, run
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(run(Program(argv=("sh", "-c", "echo out; exit 3"))))
"""
    ran = script(code)

    assert ran.stderr == ""
    assert "NotStarted(why='how it ended is not known" in ran.stdout
    assert r"output=b'out\n'" in ran.stdout


def test_no_descriptor_and_no_process_is_lost_when_descriptors_run_out(script: Script) -> None:
    code = """
import os, resource
from testloom.processes.launcher import Program, run
from testloom.processes import prctl, tree
prctl.become_subreaper()
used = max(map(int, os.listdir("/proc/self/fd"))) + 1
before = os.listdir("/proc/self/fd")
ends = []
for more in range(12):
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, 4096))
    ends.append(type(run(Program(argv=("cat",), stdin=b"x", merge_stderr=False)).end).__name__)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
    assert os.listdir("/proc/self/fd") == before, more
    assert not tree.has_children(), more
print(*ends)
"""
    ran = script(code)
    ends = ran.stdout.split()
    failed = ends.count("NotStarted")

    assert ran.stderr == ""
    assert 4 <= failed < 12
    assert ends == ["NotStarted"] * failed + ["Exited"] * (12 - failed)


@pytest.mark.slow
def test_a_gigabyte_of_output_takes_no_memory(script: Script) -> None:
    code = """
import resource
from testloom.processes.launcher import Program, run
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ran = run(Program(argv=("head", "-c", "1G", "/dev/zero"), keep_bytes=1 << 20))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(ran.end, ran.output_bytes, len(ran.output), grown < 10_000)
"""
    kept = 2 * (1 << 20) + len(b"\n... 1071644672 bytes dropped ...\n")

    assert script(code).stdout == f"Exited(code=0) {1 << 30} {kept} True\n"


def test_a_program_that_writes_nothing_for_too_long_is_ended() -> None:
    code = "echo said; exec sleep 99"
    ran = run(Program(argv=("sh", "-c", code), timeout_s=20.0, idle_timeout_s=0.2))
    assert (ran.end, ran.output) == (TimedOut(0.2, was_idle=True), b"said\n")


def test_who_writes_now_and_then_is_not_idle() -> None:
    code = "for n in 1 2 3 4 5 6; do echo $n; sleep 0.05; done"
    ran = run(Program(argv=("sh", "-c", code), timeout_s=20.0, idle_timeout_s=5.0))
    assert ran.end == Exited(0)
