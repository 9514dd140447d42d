"""Many tests of which none, few or many crash in mixed ways: exactly those are errors, and what it costs."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

from ordeals.trial import Trial, place, say, verdict, wait_until_empty
from testloom.journal.reader import read
from testloom.model.status import TestStatus

SHARES = (0.0, 0.01, 0.1)
WAYS = (
    ("import ctypes; ctypes.string_at(0)", "crash:SIGSEGV"),
    ("os._exit(0)", "exit-before-result"),
    ("os._exit(3)", "exit:3"),
    ("os.kill(os.getpid(), 9)", "crash:SIGKILL"),
    ("os.abort()", "crash:SIGABRT"),
    ("os.killpg(0, 9)", "crash:SIGKILL"),
)


def main(count: int, rounds: int) -> int:
    """Run *count* tests with each share of crashes, *rounds* times in turn."""
    seconds: dict[float, list[float]] = {share: [] for share in SHARES}
    problems: list[str] = []
    with place() as root:
        trials, wanted = {}, {}
        for share in SHARES:
            tests, wanted[share] = _tests(count, share)
            trials[share] = Trial(root / f"{share}", tests)
        for _ in range(rounds):
            for share, trial in trials.items():
                began = time.monotonic()
                code = trial.start("-j2").end()
                seconds[share].append(time.monotonic() - began)
                wait_until_empty()
                problems += _problems(trial, wanted[share], code)
    for share in SHARES:
        median = statistics.median(seconds[share])
        ratio = median / statistics.median(seconds[0.0])
        say(
            f"{count} tests, {share:.0%} crash: exactly those {len(wanted[share])} are errors,"
            f" {median:.2f} s, {count / median:.0f} tests/s, time ratio {ratio:.2f}"
        )
        if wanted[share]:
            extra = median - statistics.median(seconds[0.0])
            say(f"    {extra / len(wanted[share]) * 1000:.1f} ms a crash")
    return verdict(problems)


def _tests(count: int, share: float) -> tuple[dict[str, str], dict[str, str]]:
    """Return the tests, and the reasons of those that crash, evenly spread."""
    ways: Iterator[tuple[str, str]] = itertools.cycle(WAYS)
    step = round(1 / share) if share else 2 * count + 2
    tests, reasons = {}, {}
    for number in range(count):
        name = f"t{number:06}"
        tests[name] = "pass"
        if number % step == step // 2:
            tests[name], reasons[name] = next(ways)
    return tests, reasons


def _problems(trial: Trial, wanted: dict[str, str], code: int) -> Iterator[str]:
    entries = read(str(trial.latest / "run.journal")).entries
    found = {entry.name: entry.reason for entry in entries if entry.status is TestStatus.ERROR}
    if found != wanted:
        odd = {name for name in {*found, *wanted} if found.get(name) != wanted.get(name)}
        yield f"{len(odd)} results are not as they should be: {sorted(odd)[:5]}"
    if len(entries) != len(trial.tests) or code != (1 if wanted else 0):
        yield f"{len(entries)} results, exit status {code}"
