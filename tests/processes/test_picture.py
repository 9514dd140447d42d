from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

from testloom.processes import tree
from testloom.processes.picture import MOST, of_one, picture


def test_processes_below_are_shown_with_what_they_run_and_where_they_wait() -> None:
    child = subprocess.Popen(["sh", "-c", "sleep 99 & echo; wait"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    (grandchild,) = tree.children(child.pid)
    lines = picture(child.pid)
    tree.kill_tree(child.pid)
    child.communicate()
    tree.kill_below(os.getpid())

    assert len(lines) == 1
    # It may be about to become sleep.
    what = r"(sleep 99|sh -c .*|\[sh\]|\[sleep\])"
    expected = rf"{what} \(pid {grandchild}, [\w ]+, \d\.\d\d s of CPU time(, waits in [\w.< ]+)?\)"
    assert re.fullmatch(expected, lines[0])


def test_of_too_many_processes_some_are_shown() -> None:
    child = subprocess.Popen(
        ["sh", "-c", f"for n in $(seq {MOST + 2}); do sleep 99 & done; echo; wait"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    lines = picture(child.pid)
    tree.kill_tree(child.pid)
    child.communicate()
    tree.kill_below(os.getpid())

    assert (len(lines), lines[-1]) == (MOST + 1, "and 2 more processes")


def test_long_command_lines_are_cut() -> None:
    child = subprocess.Popen(["sh", "-c", f"sleep 99; : {'x' * 500}"])
    line = of_one(child.pid)
    tree.kill_tree(child.pid)
    child.wait()
    tree.kill_below(os.getpid())
    assert len(line) < 300


def test_a_process_that_has_gone_is_not_shown(gone: Callable[[int], bool]) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert (of_one(child.pid), picture(child.pid)) == ("", [])


def test_one_that_waits_to_be_reaped_has_its_name() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    line = of_one(child.pid)
    child.wait()
    assert line.startswith(f"[true] (pid {child.pid}, ended, ")


VFORKS = """
import ctypes, os
libc = ctypes.CDLL(None)
if libc.vfork() == 0:
    os.write(1, b"here\\n")
    libc.pause()
"""


def test_the_memory_of_what_hangs_in_the_kernel_is_not_looked_at() -> None:
    """Who made a child by vfork hangs there until that runs another program."""
    parent = subprocess.Popen([sys.executable, "-P", "-c", VFORKS], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    line = of_one(parent.pid)
    tree.kill_tree(parent.pid)
    parent.communicate()
    tree.kill_below(os.getpid())
    assert re.match(rf"\[python[\d.]*\] \(pid {parent.pid}, in the kernel, ", line)
