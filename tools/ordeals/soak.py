"""Healthy and faulty tests, for a given time, and whether anything grows meanwhile.

Runs of some thousand tests follow each other in one output directory with one history.  While a run
goes on its processes are looked at twice a second; a line is fitted to memory, descriptors and number
of processes over the time within runs, and to what stays behind over the time across runs.  Main
keeps an entry for each result, so its memory is fitted over the number of results.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import time
from pathlib import Path
from typing import Final

from ordeals.numbers import Slope, slope
from ordeals.trial import LIMIT_S, Run, Trial, place, say, verdict, wait_until_empty
from testloom.journal.reader import read
from testloom.processes import tree

EVERY_S: Final = 0.5
SHARE_OF_WARM_UP: Final = 0.25
"""Of each run: what is not looked at."""
COUNT: Final = 3000
KEPT: Final = 10
"""Runs in the history."""
HEALTHY: Final = "sh('true')"
FAULTY: Final = {
    "segv": "import ctypes; ctypes.string_at(0)",
    "exit": "os._exit(0)",
    "kill": "os.kill(os.getpid(), 9)",
    "fails": "self.result.set_status(TestStatus.FAIL)",
    "raises": "raise ValueError('x' * 10000)",
    "late": "sh(\"trap '' TERM; sleep 1000\", 0.05)",
    "daemon": "sh('setsid sleep 1000 > /dev/null 2>&1 &')",
    "orphans": "sh('for i in 1 2 3 4 5; do (sleep 0.01 &) ; done')",
    "writes": "sh('head -c 3000000 /dev/zero')",
    "fds": "self.kept = [open('/dev/null') for _ in range(50)]",
    "thread": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "environ": "os.environ['X' * 100] = 'y' * 1000",
    "files": "open(os.environ['TMPDIR'] + '/' + self.test_name, 'w').close(); os.unlink(os.environ['TMPDIR'] + '/' + self.test_name)",
}
LEAST: Final = {
    # name -> growth in a minute that is too little to matter
    "memory of nursery and workers, MiB/min": 0.5,
    "descriptors of main, 1/min": 0.5,
    "processes, 1/min": 0.5,
    "files in the temporary directory, 1/min": 0.1,
    "processes left, 1/min": 0.01,
    "peak memory of main over runs, MiB/min": 0.3,
    "directories of runs beyond those kept, 1/min": 0.01,
}
MOST_BYTES_A_RESULT: Final = 4096.0


@dataclasses.dataclass(slots=True)
class Points:
    """What was seen: name -> for each run, (minutes, value)."""

    runs: dict[str, list[list[tuple[float, float]]]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )

    def begin(self, *names: str) -> None:
        for name in names:
            self.runs[name].append([])

    def add(self, name: str, x: float, y: float) -> None:
        if not self.runs[name]:
            self.begin(name)
        self.runs[name][-1].append((x, y))


def main(minutes: float) -> int:
    """Go on for that long."""
    points = Points()
    problems: list[str] = []
    tests, wanted = _tests()
    began = time.monotonic()
    rounds = results = 0
    with place() as root:
        trial = Trial(root / "suite", tests)
        files_at_first = -1
        while time.monotonic() - began < minutes * 60:
            run = trial.start("-j2", "--history", "on", "--keep-runs", str(KEPT))
            peak = _watch(run, trial, points, began)
            code = run.end()
            wait_until_empty()
            now = (time.monotonic() - began) / 60
            rounds += 1
            journal = read(str(trial.latest / "run.journal"))
            results += len(journal.entries)
            bad = {entry.test for entry in journal.entries if entry.status.is_bad}
            if bad != wanted or code != 1 or len(journal.entries) < len(tests):
                odd = sorted(bad ^ wanted)[:5]
                problems.append(f"run {rounds}: exit status {code}, {odd} are not as always")
            files = _files(trial.root / "tmp")
            files_at_first = files if files_at_first < 0 else files_at_first
            points.add("files in the temporary directory, 1/min", now, files)
            points.add("processes left, 1/min", now, len(trial.survivors()))
            if rounds > KEPT:  # main knows the past of each test, which grows until then
                points.add("peak memory of main over runs, MiB/min", now, peak / 2**20)
            kept = sum((path / "run.journal").is_file() for path in (trial.root / "out").iterdir())
            points.add("directories of runs beyond those kept, 1/min", now, max(0, kept - 11))
            say(f"{now:6.1f} min: {rounds} runs, {results} results, {len(problems)} problems")
    say(f"{rounds} runs of {len(tests)} tests, of which {len(wanted)} are bad")
    for name, least in LEAST.items():
        fitted = slope(points.runs[name])
        say(_line(name, fitted))
        if fitted.is_growth(least):
            problems.append(f"{name}: it grows")
    fitted = slope(points.runs["memory of main, bytes a result"])
    say(_line("memory of main, bytes a result", fitted))
    if fitted.slope > MOST_BYTES_A_RESULT:
        problems.append("main keeps too much of each result")
    return verdict(problems)


def _line(name: str, fitted: Slope) -> str:
    error = f"+- {fitted.error:.3f}"
    return f"{name}: {fitted.slope:+.3f} {error} (mean {fitted.mean:.1f}, n={fitted.n})"


def _tests() -> tuple[dict[str, str], set[str]]:
    """Return the tests, every fourth of which is faulty, and the names of those that end badly."""
    tests: dict[str, str] = {}
    faulty = list(FAULTY.items())
    for number in range(COUNT):
        kind, code = ("ok", HEALTHY) if number % 4 else faulty[number // 4 % len(faulty)]
        tests[f"{number:06}-{kind}"] = code
    bad = {"segv", "exit", "kill", "fails", "raises"}
    return tests, {name for name in tests if name.partition("-")[2] in bad}


def _watch(run: Run, trial: Trial, points: Points, began: float) -> float:
    """Look at the processes of *run* until it ends; return the most memory that main has had."""
    names = [
        "memory of nursery and workers, MiB/min",
        "descriptors of main, 1/min",
        "processes, 1/min",
    ]
    seen: list[tuple[float, float, float, float, float, float]] = []
    peak = 0.0
    until = time.monotonic() + 20 * LIMIT_S
    while not run.ends_within(EVERY_S) and time.monotonic() < until:
        pid = run.process.pid
        below = tree.descendants(pid)
        ours = [one for one in below if _is_ours(one)]
        own = _rss(pid)
        peak = max(peak, own)
        now = (time.monotonic() - began) / 60
        journal = trial.latest / "run.journal"
        size = journal.stat().st_size if journal.is_file() else 0
        seen.append((now, sum(map(_rss, ours)) / 2**20, _fds(pid), len(ours), own, size))
    seen = seen[int(len(seen) * SHARE_OF_WARM_UP) : -2]
    points.begin(*names, "memory of main, bytes a result")
    whole = max((row[5] for row in seen), default=1) or 1
    for row in seen:
        for name, value in zip(names, row[1:4], strict=True):
            points.add(name, row[0], value)
        points.add("memory of main, bytes a result", row[5] / whole * COUNT, row[4])
    return peak


def _is_ours(pid: int) -> bool:
    return tree.describe(pid).startswith("testloom-")


def _rss(pid: int) -> float:
    """Return the memory that is of this process alone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    private = (line.split()[1] for line in text.splitlines() if line.startswith("Private_"))
    return sum(map(float, private)) * 1024


def _fds(pid: int) -> float:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0.0


def _files(directory: Path) -> int:
    return sum(len(files) + len(directories) for _, directories, files in os.walk(directory))
