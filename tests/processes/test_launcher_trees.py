"""Programs that do not behave: they leave others behind, do not end, and are not alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testloom.model.outcome import Exited, OutputLimit, TimedOut
from testloom.processes import launcher, tree
from testloom.processes.launcher import Program, ProgramRun, run


def sh(code: str, **options: object) -> ProgramRun:
    return run(Program(argv=("sh", "-c", code), **options))  # type: ignore[arg-type]  # by name


def pids(ran: ProgramRun) -> list[int]:
    return [int(word) for word in ran.output.split() if word.isdigit()]


def are_gone(ran: ProgramRun) -> bool:
    return bool(pids(ran)) and all(tree.is_zombie(pid) for pid in pids(ran))


def in_thread(call: Callable[[], ProgramRun]) -> Callable[[], ProgramRun]:
    """Begin *call* in a thread; return what waits for it."""
    found: list[ProgramRun] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()

    def join() -> ProgramRun:
        thread.join()
        return found[0]

    return join


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A pipe with a name: what reads from it waits for what writes to it."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


TRACER = """
import ctypes, os, sys

SEIZE = 0x4206
pid = int(sys.stdin.readline())
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
print("traces" if libc.ptrace(SEIZE, pid, None, None) == 0 else "may not", flush=True)
sys.stdin.readline()
os.waitpid(pid, 0)
"""


def test_the_end_of_a_traced_program_is_known_once_its_tracer_has_seen_it(tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    os.mkfifo(told)
    os.mkfifo(go)
    code = f"echo $$ >{told}; read line <{go}; exit 3"
    command = [sys.executable, "-c", TRACER]
    with (
        ThreadPoolExecutor() as threads,
        subprocess.Popen(command, stdin=-1, stdout=-1, text=True, bufsize=1) as tracer,
    ):
        ran = threads.submit(sh, code, timeout_s=20.0)
        assert tracer.stdin is not None
        assert tracer.stdout is not None
        tracer.stdin.write(told.read_text())
        may = tracer.stdout.readline() == "traces\n"
        go.write_text("go\n")
        if may:
            with pytest.raises(TimeoutError):
                ran.result(timeout=0.3)
        tracer.stdin.write("see its end\n")
        assert ran.result().end == Exited(3)
    if not may:
        pytest.skip("processes may not be traced here")


@pytest.mark.parametrize(
    "daemon",
    [
        "sleep 99 &",
        "sleep 99 >/dev/null 2>&1 &",
        "setsid sleep 99 &",
        "setsid sleep 99 >/dev/null 2>&1 &",
        "(setsid sh -c 'sleep 99 & wait' >/dev/null 2>&1 &)",
    ],
)
def test_a_daemon_is_killed_and_named_and_does_not_cost_the_output(daemon: str) -> None:
    ran = sh(f"{daemon}\necho started; exit 3")

    assert (ran.end, ran.output) == (Exited(3), b"started\n")
    assert "sleep" in {name.partition(" ")[0] for name in ran.leaked}
    assert not tree.has_children()


def test_what_a_daemon_writes_in_its_last_moment_is_kept() -> None:
    ran = sh("(while :; do echo more; done) & exit 0")

    assert (ran.end, ran.output[:5], len(ran.leaked)) == (Exited(0), b"more\n", 1)


def test_who_ends_a_moment_after_the_program_is_no_daemon() -> None:
    ran = sh("(i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo later) & echo now")

    assert (ran.end, ran.output, ran.leaked) == (Exited(0), b"now\nlater\n", ())


def test_a_daemon_that_leaves_a_daemon_does_not_get_away() -> None:
    ran = sh("setsid sh -c 'sleep 0.05; setsid sleep 99 & exit' >/dev/null 2>&1 & exit 0")

    assert [name.partition(" ")[0] for name in ran.leaked] == ["sleep"]
    assert not tree.has_children()


@pytest.mark.slow
def test_a_thousand_orphans_and_zombies_are_gone_afterwards() -> None:
    code = "i=0; while [ $i -lt 300 ]; do (true &); i=$((i+1)); done; sleep 99 >/dev/null &"
    ran = sh(code)

    assert (ran.end, len(ran.leaked), tree.has_children()) == (Exited(0), 1, False)


def test_children_that_were_there_before_are_left_alone() -> None:
    before = subprocess.Popen(["sleep", "99"])
    ran = sh("sleep 99 & exit 0")
    alive = before.poll() is None
    before.kill()

    assert (alive, len(ran.leaked), before.wait()) == (True, 1, -signal.SIGKILL)


def test_a_polite_program_ends_when_it_is_asked_to() -> None:
    ran = sh("trap 'echo bye; exit 0' TERM; sleep 99 & echo $!; wait", timeout_s=0.1)

    assert (ran.end, ran.output.endswith(b"bye\n"), ran.leaked) == (TimedOut(0.1), True, ())
    assert are_gone(ran)


@pytest.mark.slow
def test_a_stubborn_program_is_killed_when_its_grace_is_over() -> None:
    code = "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 9; done' & echo $$; while :; do sleep 9; done"
    ran = sh(code, timeout_s=0.2, grace_s=0.1)

    assert (ran.end, len(pids(ran)), ran.leaked) == (TimedOut(0.2, ignored_term=True), 2, ())
    assert are_gone(ran)
    assert 0.3 <= ran.wall_s < 5


def test_a_stopped_program_can_be_ended() -> None:
    ran = sh("sleep 99 & echo $! $$; kill -STOP $! $$", timeout_s=0.1)

    assert ran.end == TimedOut(0.1)
    assert are_gone(ran)


@pytest.mark.slow
def test_time_is_up_also_for_those_who_never_stop_writing() -> None:
    """There is always something to read, so looking for that first would go on for ever."""
    ran = sh("yes & yes & yes & trap '' TERM; yes", timeout_s=0.2, grace_s=0.1, keep_bytes=100)

    assert ran.end == TimedOut(0.2, ignored_term=True)
    assert ran.wall_s < 5


def test_too_much_output_ends_the_stubborn_too() -> None:
    code = "trap '' TERM; yes & yes"
    ran = sh(code, output_limit_bytes=10, grace_s=0.1, keep_bytes=100)

    assert ran.end == OutputLimit(10)
    assert not tree.has_children()


@pytest.mark.parametrize("limit_s", [1e300, float("inf"), 1e9])
def test_any_limit_may_be_given(limit_s: float) -> None:
    assert sh("exit 0", timeout_s=limit_s).end == Exited(0)


def test_a_limit_of_nothing_is_up_at_once() -> None:
    assert sh("sleep 99", timeout_s=0.0).end == TimedOut(0.0)


def test_an_exception_in_the_middle_leaves_nothing_running(tmp_path: Path) -> None:
    """A worker that is asked to end raises one wherever it is."""

    class Interruption(BaseException):
        pass

    def interrupt(_signum: int, _frame: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interruption):
            sh(f"setsid sleep 99 & sleep 99 & sleep 0.1; kill -USR1 {os.getpid()}; sleep 99")
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert not tree.has_children()


def test_an_exception_while_a_program_is_started_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interruption(BaseException):
        pass

    started: list[subprocess.Popen[bytes]] = []

    def interrupt(_program: object, child: subprocess.Popen[bytes], *_: object) -> None:
        started.append(child)
        raise Interruption

    monkeypatch.setattr(launcher, "_Watch", interrupt)
    with pytest.raises(Interruption):
        sh("setsid sleep 99 & sleep 99")
    started[0].returncode = -9  # it is not known to its object that it was reaped

    assert not tree.has_children()


def test_programs_of_two_threads_do_not_take_each_other_for_daemons(fifo: Path) -> None:
    """A server and its client: the client ends first."""
    server = in_thread(lambda: sh(f"echo up >{fifo}; read x <{fifo}; echo got $x"))
    with fifo.open() as file:
        assert file.read() == "up\n"
    client = sh("echo client; exit 0")
    fifo.write_text("bye\n")

    assert (client.output, client.leaked) == (b"client\n", ())
    assert (server().output, server().leaked) == (b"got bye\n", ())


def test_a_process_that_another_thread_has_started_is_nobodys_daemon(fifo: Path) -> None:
    program = in_thread(lambda: sh(f"echo up >{fifo}; read x <{fifo}"))
    with fifo.open() as file:
        assert file.read() == "up\n"
    own = subprocess.Popen(["sleep", "99"])
    done = subprocess.Popen(["sh", "-c", "exit 7"])
    fifo.write_text("end\n")
    ran = program()
    alive = own.poll() is None
    own.kill()
    own.wait()

    assert (ran.end, ran.leaked, alive, done.wait()) == (Exited(0), (), True, 7)


@pytest.mark.slow
def test_while_others_run_a_daemon_is_left_to_whoever_ends_last(fifo: Path) -> None:
    other = in_thread(lambda: sh(f"echo up >{fifo}; read x <{fifo}"))
    with fifo.open() as file:
        assert file.read() == "up\n"
    first = sh("sleep 99 >/dev/null & setsid sleep 98 >/dev/null & exit 0")
    fifo.write_text("end\n")
    last = other()

    assert [len(first.leaked), len(last.leaked)] == [1, 1]
    assert not tree.has_children()


def test_many_threads_may_run_programs_at_once() -> None:
    waiting = [in_thread(lambda n=n: sh(f"echo {n}; exit {n}")) for n in range(20)]  # type: ignore[misc]  # a default
    ran = [wait() for wait in waiting]

    assert [(r.end, r.output, r.leaked) for r in ran] == [
        (Exited(n), f"{n}\n".encode(), ()) for n in range(20)
    ]


def test_the_number_of_a_program_that_was_reaped_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be somebody else's by then."""
    gone: list[int] = []

    def noting(pid: int, signum: int, killpg: Callable[[int, int], None] = os.killpg) -> None:
        if tree.state(pid) == "":
            gone.append(pid)
        killpg(pid, signum)

    monkeypatch.setattr(os, "killpg", noting)
    ran = sh("setsid sleep 99 >/dev/null 2>&1 & echo $!")

    assert ran.leaked
    assert are_gone(ran)
    assert gone == []
