"""Ctrl-C at random moments, with tests that are polite and tests that are stubborn.

After each time: how long it took to end, that it died by that signal, that nothing is left, and that
the reports can be read and have a result for each test that was selected.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import time
from xml.etree import ElementTree as ET

from ordeals.numbers import percentiles
from ordeals.trial import Trial, place, say, verdict, wait_until_empty
from testloom.journal.reader import read

BOUND_S = 8.0
KINDS = {
    "polite": {
        "quick": "sh('true')",
        "sleeps": "sh('sleep 1000')",
        "cleans": "sh(\"trap 'echo bye; exit 0' TERM; sleep 1000 & wait\")",
    },
    "stubborn": {
        "quick": "sh('true')",
        "ignores": "sh(\"trap '' TERM INT; while :; do sleep 1000; done\")",
        "driver": "import signal; signal.signal(15, signal.SIG_IGN); signal.pause(); signal.pause()",
    },
}


def main(times: int, seed: int) -> int:
    """Interrupt that many runs, half of which are stubborn."""
    chance = random.Random(seed)
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    problems: list[str] = []
    reports = early = 0
    with place() as root:
        trials = {
            kind: Trial(
                root / kind, {f"{name}-{n}": code for n in range(8) for name, code in lines.items()}
            )
            for kind, lines in KINDS.items()
        }
        longest = 2 * _seconds_until_tests_run(trials["polite"])
        for number in range(times):
            kind = "stubborn" if number % 2 else "polite"
            trial = trials[kind]
            shutil.rmtree(trial.root / "out", ignore_errors=True)
            moment = chance.uniform(0, longest)
            run = trial.start("-j4")
            try:
                run.ends_within(moment)
                began = time.monotonic()
                run.process.send_signal(signal.SIGINT)
                code = run.end()
                took[kind].append(time.monotonic() - began)
                wait_until_empty()
                found = _problems(trial, run.said(), code)
                early += found is None
                reports += found == []
                problems += [
                    f"round {number}, {kind}, {moment:.3f} s: {what}" for what in found or ()
                ]
                if took[kind][-1] > BOUND_S:
                    problems.append(f"round {number}, {kind}: took {took[kind][-1]:.1f} s")
            except AssertionError as error:
                problems.append(f"round {number}, {kind}: {error}")
            if (number + 1) % 50 == 0:
                say(f"{number + 1} interrupts, {len(problems)} problems")
    say(f"{times} SIGINTs within {longest:.1f} s of the start, seed {seed}; bound {BOUND_S:g} s")
    say(f"{reports} with complete reports, {early} before there was a run to report")
    for kind, values in took.items():
        say(f"{kind}: from the signal to the end: {percentiles(values)}")
    return verdict(problems)


def _seconds_until_tests_run(trial: Trial) -> float:
    began = time.monotonic()
    run = trial.start("-j4", "quick-0")
    run.end()
    wait_until_empty()
    return time.monotonic() - began


def _problems(trial: Trial, said: str, code: int) -> list[str] | None:
    """Return what is wrong with a run that was interrupted; None if it had not begun yet."""
    out = trial.latest
    if "Traceback" in said and not re.search(r"testloom/(?!__init__\.py)", said):
        return None  # the interpreter itself was still starting; it has its own way to say so
    if code != -signal.SIGINT:
        return [f"it exits with {code}: {said[-500:]}"]
    if not (out / "run.journal").is_file():
        return [f"a traceback: {said[-500:]}"] if "Traceback" in said else None
    if "Traceback" in said:
        return [f"a traceback: {said[-1000:]}"]
    journal = read(str(out / "run.journal"))
    if not journal.entries and not (out / "junit.xml").exists() and not journal.complete:
        return [f"no reports: {said[-500:]}"]
    tests = {entry.test for entry in journal.entries}
    cases = ET.fromstring((out / "junit.xml").read_bytes()).iter("testcase")  # noqa: S314 - ours
    counts = {len(list(cases)), len(json.loads((out / "results.json").read_text())["results"])}
    counts.add(len(journal.entries))
    (out / "report.html").read_bytes().decode()
    if tests != set(trial.tests) or len(counts) != 1:
        return [f"results: {sorted(counts)}, missing {sorted(set(trial.tests) - tests)}"]
    return []
