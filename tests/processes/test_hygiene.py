from __future__ import annotations

import ast
import locale
import os
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from testloom.processes import prctl
from testloom.processes.hygiene import Baseline


def in_child(code: Callable[[], object]) -> Any:
    """Run *code* in a fork of this process; return what it returns."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prctl.become_subreaper()
            os.write(writer, repr(code()).encode())
        except BaseException:  # noqa: BLE001 - to be shown by the parent
            os.write(writer, repr(traceback.format_exc()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        text = file.read().decode()
    os.waitpid(pid, 0)
    return ast.literal_eval(text)


def restored(pollute: Callable[[], object]) -> Any:
    """What is said after *pollute*, and what the next fragment would be told."""

    def code() -> object:
        baseline = Baseline()
        kept = pollute()
        first = baseline.restore()
        del kept
        return first, baseline.restore()

    return in_child(code)


CLEAN: tuple[list[str], bool] = ([], True)


def test_who_changes_nothing_is_told_nothing() -> None:
    assert restored(lambda: None) == (CLEAN, CLEAN)


def _replace_environment() -> None:
    os.environ = {}  # type: ignore[assignment]  # noqa: B003 - as a careless test does


def _close_stdin() -> None:
    sys.stdin.close()


def _handle(number: int, handler: object) -> Callable[[], object]:
    return lambda: signal.signal(number, handler)  # type: ignore[arg-type]  # what tests do


@pytest.mark.parametrize(
    ("pollute", "said"),
    [
        (lambda: os.chdir("/"), "directory"),
        (lambda: os.umask(0o777), "umask=777"),
        (lambda: os.environ.update(NEW="x"), "environment"),
        (lambda: os.environ.pop("PATH"), "environment"),
        (_replace_environment, "environment"),
        (lambda: sys.path.append("/x"), "sys.path"),
        (lambda: setattr(sys, "path", ["/x"]), "sys.path"),
        (lambda: setattr(sys, "stdout", None), "streams"),
        (lambda: sys.setrecursionlimit(10**9), "recursion limit"),
        (lambda: locale.setlocale(locale.LC_ALL, "C"), "locale"),
        (_handle(signal.SIGCHLD, signal.SIG_IGN), "handler of SIGCHLD"),
        (_handle(signal.SIGTERM, lambda *_: None), "handler of SIGTERM"),
        (_handle(signal.SIGXFSZ, signal.SIG_DFL), "handler of SIGXFSZ"),
        (
            lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
            "blocked signals",
        ),
        (lambda: signal.alarm(1), "timer"),
        (lambda: signal.setitimer(signal.ITIMER_PROF, 1, 1), "timer"),
        (
            lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (8, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            ),
            "limit of open files",
        ),
        (
            lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (1 << 30, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
            ),
            "limit of file size",
        ),
    ],
)
def test_what_can_be_restored_is(pollute: Callable[[], object], said: str) -> None:
    if said == "locale" and locale.setlocale(locale.LC_ALL) == "C":
        pytest.skip("the locale is that of C already")

    assert restored(pollute) == (([said], True), CLEAN)


def test_the_environment_that_programs_see_is_restored_too() -> None:
    def code() -> object:
        baseline = Baseline()
        os.environ["LEAKED"] = "x"
        home = os.environ.pop("PATH")
        baseline.restore()
        shown = subprocess.run(["/usr/bin/env"], capture_output=True, text=True, check=True).stdout
        return "LEAKED" in shown, f"PATH={home}" in shown

    assert in_child(code) == (False, True)


def test_a_directory_that_is_gone_is_left() -> None:
    def code() -> object:
        baseline = Baseline()
        os.mkdir("/tmp/testloom-gone")
        os.chdir("/tmp/testloom-gone")
        os.rmdir("/tmp/testloom-gone")
        before = os.path.exists(os.curdir)
        first = baseline.restore()
        return before, first, bool(os.getcwd())

    assert in_child(code) == (True, (["directory"], True), True)


def test_a_process_may_begin_in_a_directory_that_is_gone() -> None:
    def code() -> object:
        os.mkdir("/tmp/testloom-gone")
        os.chdir("/tmp/testloom-gone")
        os.rmdir("/tmp/testloom-gone")
        return Baseline().restore()

    assert in_child(code) == CLEAN


@pytest.mark.parametrize(
    ("pollute", "said"),
    [
        (lambda: threading.Thread(target=signal.pause, daemon=True).start(), "threads=1"),
        (lambda: os.setgid(65534), "user or priority"),
        (lambda: os.nice(1), "user or priority"),
        (_close_stdin, "standard streams"),
        (lambda: os.set_blocking(1, False), "standard streams"),
        (lambda: os.dup2(os.memfd_create("x"), 2), "standard streams"),
    ],
)
def test_what_cannot_be_restored_makes_the_process_unfit(
    pollute: Callable[[], object], said: str
) -> None:
    if said.startswith("user") and os.getuid() != 0:
        pytest.skip("needs root")

    def code() -> object:
        os.dup2(os.memfd_create("out"), 1)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - in place of that of pytest
        baseline = Baseline()
        pollute()
        changed, fit = baseline.restore()
        return said in changed, fit

    assert in_child(code) == (True, False)


def test_a_leaked_descriptor_is_told_once_and_of_the_right_test() -> None:
    """The number that the listing itself takes must not hide the leak, nor be one."""
    assert restored(lambda: os.dup(0)) == ((["descriptors=1"], False), CLEAN)


def test_a_leaked_descriptor_is_not_closed_under_who_may_still_use_it() -> None:
    """Its number would be somebody else's, who then is written to."""

    def code() -> object:
        baseline = Baseline()
        file = open("/dev/null", "rb")  # noqa: SIM115 - that is the leak
        said = baseline.restore()
        return said, file.read()

    assert in_child(code) == ((["descriptors=1"], False), b"")


def test_files_that_nobody_can_reach_are_no_leak() -> None:
    def drop_in_a_circle() -> None:
        circle: list[object] = [open("/dev/null", "rb")]  # noqa: SIM115 - that is the leak
        circle.append(circle)

    assert restored(drop_in_a_circle) == (CLEAN, CLEAN)


def test_a_closed_descriptor_is_noticed() -> None:
    def code() -> object:
        fd = os.dup(0)
        baseline = Baseline()
        os.close(fd)
        return baseline.restore()

    assert in_child(code) == (["descriptors=-1"], False)


def test_processes_are_killed_and_named() -> None:
    def start() -> None:
        subprocess.Popen(["sleep", "99"]).returncode = 0
        subprocess.Popen(["sh", "-c", "setsid sleep 98 & exit"]).wait()

    (changed, fit), second = restored(start)

    assert fit
    assert (len(changed), changed[0].startswith("processes: ")) == (1, True)
    assert changed[0].count("(pid ") == 2
    assert second == CLEAN


def test_dead_children_are_reaped_without_a_word() -> None:
    def start() -> None:
        subprocess.Popen(["true"]).returncode = 0

    def code() -> object:
        baseline = Baseline()
        start()
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        said = baseline.restore()
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return said
        return "somebody is left"

    assert in_child(code) == CLEAN


def test_processes_that_are_spared_live() -> None:
    def code() -> object:
        baseline = Baseline()
        child = subprocess.Popen(["sleep", "99"])
        said = baseline.restore(spare={child.pid})
        alive = child.poll()
        child.kill()
        return said, alive, child.wait()

    assert in_child(code) == (CLEAN, None, -9)
