"""Runs one command and measures it from outside: no runner times itself.

Wall time is that of the monotonic clock around start and end; CPU time is what the kernel
accounts to the command and to all its descendants that were waited for.  How much CPU time
everybody else used meanwhile is kept beside it, so that a reader can tell a disturbed run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run; nothing of it is a terminal."""

    argv: tuple[str, ...]
    cwd: Path
    stdin: Path = Path(os.devnull)
    stdout: Path = Path(os.devnull)
    """Takes standard error as well."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Set on top of this process's environment."""


_SLOWING: Final = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONDEVMODE"})
"""Set in many containers: each run then compiles what it imports, or writes without a buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of a command."""

    wall_s: float
    cpu_s: float
    exit_code: int
    others_cpu_s: float
    """CPU time used by the rest of the machine during the run, the kernel's own threads included."""
    steal_s: float
    """CPU time the hypervisor gave to somebody else."""


def measure(command: Command, *, limit_s: float) -> Sample:
    """Run *command* to its end and say what it took.

    Raises:
        TimeoutError: it was still running after *limit_s* seconds; it has been killed.
    """
    os.sync()  # nobody pays for what the one before wrote
    environment = {**_own_environment(), **command.env}
    with command.stdin.open("rb") as stdin, command.stdout.open("wb") as stdout:
        busy, steal = _machine_cpu_s()
        started_at = time.perf_counter()
        child = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _killed_after(child, limit_s) as too_late:
            _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - started_at
    child.returncode = os.waitstatus_to_exitcode(status)
    if too_late.is_set():
        raise TimeoutError(f"{command.argv[0]} was still running after {limit_s:g} s")
    busy_after, steal_after = _machine_cpu_s()
    cpu_s = usage.ru_utime + usage.ru_stime
    return Sample(
        wall_s=wall_s,
        cpu_s=cpu_s,
        exit_code=child.returncode,
        others_cpu_s=max(0.0, busy_after - busy - cpu_s),
        steal_s=steal_after - steal,
    )


def _own_environment() -> dict[str, str]:
    """Return what the command inherits: nothing that makes Python slower than users know it."""
    return {name: value for name, value in os.environ.items() if name not in _SLOWING}


@contextlib.contextmanager
def _killed_after(child: subprocess.Popen[bytes], limit_s: float) -> Iterator[threading.Event]:
    """Kill the session of *child* when it lasts longer than *limit_s*; the event then is set."""
    too_late = threading.Event()

    def kill() -> None:
        too_late.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    timer = threading.Timer(limit_s, kill)
    timer.start()
    try:
        yield too_late
    except BaseException:
        kill()
        raise
    finally:
        timer.cancel()


def _machine_cpu_s() -> tuple[float, float]:
    """Return the CPU seconds used, and those stolen, on the whole machine since it started."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / ticks_per_s, steal / ticks_per_s
