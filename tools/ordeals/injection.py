"""System calls fail, or kill who makes them: the first, the second, and so on, until a run meets none.

`strace` injects the fault into the Nth call of that kind of each process of a run: main, the process that forks the
workers, the workers, and the programs of tests.  After each run: it has ended, there is no traceback of testloom, each
result that was acknowledged is in the journal (unless it had been said that it cannot be kept), and it says that all is
well only if every test has passed and the reports hold them all.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from ordeals.trial import Run, Trial, place, say, verdict, wait_until_empty
from testloom.journal.reader import read
from testloom.model.errors import UsageError
from testloom.model.status import TestStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What happens to calls of some kind."""

    calls: str
    action: str

    def __str__(self) -> str:
        return f"{self.calls} {self.action}"


KILL: Final = "signal=KILL"
FAULTS: Final = tuple(
    Fault(calls, action)
    for calls, actions in {
        "write,pwrite64": ("error=ENOSPC", "error=EIO", "error=EINTR", KILL),
        "rename,renameat,renameat2": ("error=ENOSPC", "error=EIO", KILL),
        "fsync,fdatasync": ("error=EIO", "error=ENOSPC", "error=EINVAL", KILL),
        "flock": ("error=ENOLCK",),
        "fork,vfork,clone,clone3": ("error=ENOMEM", "error=EAGAIN", KILL),
        "socketpair,pipe,pipe2": ("error=EMFILE", "error=ENOMEM", KILL),
        "mkdir,mkdirat": ("error=ENOSPC", KILL),
        "unlink,unlinkat": ("error=EIO", KILL),
        "fallocate,ftruncate": ("error=ENOSPC", KILL),
        "epoll_wait,epoll_pwait,poll,ppoll": ("error=EINTR", KILL),
        "recvmsg,sendmsg,recvfrom,sendto": ("error=EINTR", KILL),
    }.items()
    for action in actions
)
TESTS: Final = {
    "passes": "pass",
    "program": "sh('true')",
    "writes": "print('x' * 10); sh('echo written')",
    "daemon": "sh('sleep 1000 > /dev/null 2>&1 &')",
}
NOT_OURS: Final = (
    "_uname_info",  # a library that asks the program uname when it is imported
    "Exception ignored when trying to write to the signal wakeup fd",  # by the interpreter
)
"""Who else has made a traceback."""
MOST: Final = 400
"""Where it ends at the latest."""


def main(most: int, words: list[str]) -> int:
    """Inject all faults whose names have one of *words*, each up to the call *most*."""
    if why := why_not():
        say(f"not tried: {why}")
        return 0
    problems: list[str] = []
    with place() as root:
        trial = Trial(root / "suite", TESTS)
        trial.start("-j2", tells=True).end()
        wait_until_empty()
        for fault in FAULTS:
            if words and not any(word in str(fault) for word in words):
                continue
            runs, codes = 0, dict[int, int]()
            for number in range(1, (most or MOST) + 1):
                was_met, code, found = _tried(trial, fault, number)
                problems += [f"{fault}, call {number}: {what}" for what in found]
                runs += was_met
                if not was_met:
                    break
                codes[code] = codes.get(code, 0) + 1
            ends = ", ".join(f"{count}x {code}" for code, count in sorted(codes.items()))
            say(f"{fault}: {runs} runs met it; exit statuses: {ends or 'none'}")
    return verdict(problems)


def why_not() -> str:
    """Return why nothing can be injected here; empty if it can."""
    if shutil.which("strace") is None:
        return "there is no strace here"
    tried = ["strace", "-qq", "-f", "-e", "inject=getppid:error=EPERM", "-o", "/dev/null", "true"]
    ran = subprocess.run(tried, capture_output=True, text=True, check=False)
    return f"strace: {ran.stderr.strip()}" if ran.returncode else ""


def _tried(trial: Trial, fault: Fault, number: int) -> tuple[bool, int, list[str]]:
    """Return whether a run has met the fault, how it ended, and what was wrong with that."""
    shutil.rmtree(trial.root / "out", ignore_errors=True)
    log = trial.root / "strace"
    inject = f"inject={fault.calls}:{fault.action}:when={number}"
    options = ["-qq", "-f", "-o", str(log), "-e", f"trace={fault.calls}", "-e", inject]
    if fault.action != KILL:  # which strace sends only where it stops at every call
        options.append("--seccomp-bpf")
    run = trial.start("-j2", tells=True, prefix=["strace", *options])
    try:
        code = run.end()
        wait_until_empty()
    except AssertionError as error:
        return True, -1, [str(error)]
    return _most_calls(log) >= number, code, list(_problems(trial, run, code))


def _most_calls(log: Path) -> int:
    """Return how many calls the process has made that has made most: strace counts for each."""
    counts = collections.Counter[str]()
    for line in log.read_text(errors="replace").splitlines():
        pid, _, what = line.partition(" ")
        counts[pid] += bool(re.match(r"\s*\w+\(", what))
    return max(counts.values(), default=0)


def _problems(trial: Trial, run: Run, code: int) -> Iterator[str]:
    said = run.said()
    if any(words in said for words in NOT_OURS):
        said = ""
    if "Traceback" in said and "testloom" in said.partition("Traceback")[2]:
        yield f"a traceback: {said[-1500:]}"
    promised, _, _ = said.partition("the results cannot be kept")
    told = {line.split()[1] for line in promised.split("\n")[:-1] if line.startswith("acknow")}
    try:
        entries = read(str(trial.latest / "run.journal")).entries
    except UsageError:
        entries = []
    if missing := told - {entry.name for entry in entries}:
        yield f"lost {sorted(missing)}"
    if code == 0:
        passed = {entry.name for entry in entries if entry.status is TestStatus.PASS}
        if passed != set(trial.tests) or not _has_reports(trial.latest, len(entries)):
            yield f"it says that all is well: {said[-500:]}"


def _has_reports(directory: Path, count: int) -> bool:
    try:
        cases = ET.fromstring((directory / "junit.xml").read_bytes()).iter("testcase")  # noqa: S314 - ours
        results = json.loads((directory / "results.json").read_text())["results"]
        (directory / "report.html").stat()
    except (OSError, ValueError, ET.ParseError):
        return False
    return len(list(cases)) == len(results) == count
