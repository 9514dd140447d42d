"""The processes below a process: who they are, how to end all of them, and that they are gone.

Linux tells through ``/proc/PID/task/TID/children``.  A process that has made itself a subreaper
(`prctl.become_subreaper`) keeps all its descendants below it, also those that a daemon left
behind, so one walk sees everything; but a fork may be under way during the walk, so killing is
a loop until nothing is left.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Container, Iterable

from testloom.processes.clock import SystemClock

_SETTLE_S = 1.0
"""How long the dead may take to disappear before they are reported as unkillable."""


def children(pid: int) -> list[int]:
    """Return the children of process *pid*; an empty list if it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as f:
            found.extend(map(int, f.read().split()))
    return found


def descendants(pid: int, without: Container[int] = ()) -> list[int]:
    """Return all processes below *pid*, parents first, leaving out the trees of *without*."""
    found: list[int] = []
    pending = [child for child in children(pid) if child not in without]
    while pending:
        child = pending.pop()
        found.append(child)
        pending.extend(children(child))
    return found


def ancestors(pid: int) -> list[int]:
    """Return the processes above *pid*, its parent first, as far as they can be seen."""
    found: list[int] = []
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        found.append(pid)
    return found


def has_children() -> bool:
    """Tell whether this process has children, dead or alive, without reaping any."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def describe(pid: int) -> str:
    """Return ``name (pid N)`` for a process, for people."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"{file.read().strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"


def is_zombie(pid: int) -> bool:
    """Tell whether *pid* has ended and waits to be reaped, or is gone altogether."""
    return state(pid) in ("Z", "X", "")


def state(pid: int) -> str:
    """Return the one-letter state of process *pid*, as in ``ps``; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        return ""


def session(pid: int) -> int:
    """Return the session that process *pid* is in; 0 if it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def hangs(pid: int) -> bool:
    """Tell whether a thread of *pid* waits in the kernel for what may never come.

    It may hold, or wait for, the lock of the memory that the command line and the environment are
    read from: who reads them then waits, too, as ``ps`` does.
    """
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/stat", "rb") as f:
                if f.read().rpartition(b") ")[2][:1] == b"D":
                    return True
    return False


def signal_all(pids: Iterable[int], signum: int) -> None:
    """Send *signum* to each process; those that are gone or not ours to signal are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)


def stop_below(pid: int) -> list[int]:
    """Stop all processes below *pid*; return those that were not stopped before."""
    stopped: list[int] = []
    seen: set[int] = set()
    # Again until there is nobody new: a fork may be under way.
    while new := [p for p in descendants(pid) if p not in seen]:
        seen.update(new)
        running = [p for p in new if state(p) not in ("T", "t", "Z", "X", "")]
        signal_all(running, signal.SIGSTOP)
        stopped += running
    return stopped


def kill_below(pid: int, without: Container[int] = ()) -> list[int]:
    """Kill all processes below *pid* (which is this one, or an ancestor of them).

    Walks again until a walk finds nothing alive, and nothing dead that was alive when it began: a
    fork may be under way, and one that dies during the walk may have left a child where the walk
    has been.  What has shown that it forks faster than it is killed is stopped first.  Returns those still there after a
    second: they hang in the kernel, or belong to another user.
    """
    clock = SystemClock()
    until = clock.now() + _SETTLE_S
    mine = pid == os.getpid()
    killed: set[int] = set()
    stopped: set[int] = set()
    dead: set[int] = set()
    while True:
        found = descendants(pid, without)
        alive = [p for p in found if not is_zombie(p)]
        is_late = clock.now() >= until
        if not alive:
            if not is_late and not dead.issuperset(found):
                dead.update(found)
                continue
            if mine:
                reap(without)
            return []
        new = set(alive) - killed - stopped
        if killed and new and not is_late:
            signal_all(new, signal.SIGSTOP)
            stopped |= new
            continue
        signal_all(alive, signal.SIGKILL)
        killed.update(alive)
        wait_gone(alive, until - clock.now())
        dead.update(p for p in alive if is_zombie(p))
        if mine:
            reap(without)
        if is_late:
            return [p for p in alive if not is_zombie(p)]


def kill_tree(pid: int) -> None:
    """Kill process *pid*, a child that has not been reaped, and all below it."""
    # Stopped, it keeps its children: those of a dead one would have to be looked for elsewhere.
    signal_all([pid], signal.SIGSTOP)
    kill_below(pid)
    signal_all([pid], signal.SIGKILL)


def wait_gone(pids: Iterable[int], timeout_s: float) -> bool:
    """Wait until all of *pids* have ended; tell whether they have before *timeout_s* was up."""
    clock = SystemClock()
    until = clock.now() + timeout_s
    fds: list[int] = []
    poller = select.poll()
    try:
        for pid in pids:
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
                fds.append(fd)
                poller.register(fd, select.POLLIN)
        waiting = len(fds)
        while waiting:
            left = until - clock.now()
            if left <= 0:
                return False
            for fd, _event in poller.poll(left * 1000):
                poller.unregister(fd)
                waiting -= 1
        return True
    finally:
        for fd in fds:
            os.close(fd)


def reap(without: Container[int] = ()) -> list[tuple[int, int]]:
    """Collect this process's dead children except *without*; return their pids and statuses."""
    ended: list[tuple[int, int]] = []
    for pid in children(os.getpid()):
        if pid in without:
            continue
        with contextlib.suppress(ChildProcessError):
            got, status = os.waitpid(pid, os.WNOHANG)
            if got:
                ended.append((got, status))
    return ended
