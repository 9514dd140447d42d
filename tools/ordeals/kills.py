"""Main is killed by SIGKILL at random moments, again and again.

After each time: no process of the run is left, how long that took, and the journal has every result
that had been acknowledged (written to standard output) before.  Every 25th of the runs that had begun
is resumed, and must pass then.
"""

from __future__ import annotations

import random
import shutil
import time

from ordeals.numbers import at_most, percentiles
from ordeals.trial import Trial, place, say, verdict, wait_until_empty
from testloom.journal.reader import read
from testloom.model.errors import UsageError

TESTS = {
    "passes": "pass",
    "program": "sh('true')",
    "fails": "self.result.set_status(TestStatus.FAIL)",
    "naps": "sh('sleep 0.02')",
    "daemon": "sh('setsid sleep 1000 > /dev/null 2>&1 &')",
    "stubborn": "sh(\"trap '' TERM INT HUP; setsid sh -c 'trap \\\"\\\" TERM; sleep 1000' & sleep 1000\", 0.05)",
    "writes": "sh('head -c 100000 /dev/zero')",
    "crashes": "os.abort()",
}


def main(times: int, seed: int) -> int:
    """Kill that many runs."""
    chance = random.Random(seed)
    tests = {f"{name}-{n:02}": code for n in range(6) for name, code in TESTS.items()}
    empty_after: list[float] = []
    problems: list[str] = []
    begun = acknowledged = resumed = 0
    with place() as root:
        trial = Trial(root / "suite", tests)
        trial.start("-j4").end()
        began = time.monotonic()
        trial.start("-j4").end()
        longest = time.monotonic() - began
        for number in range(times):
            shutil.rmtree(trial.root / "out", ignore_errors=True)
            moment = chance.uniform(0, longest)
            run = trial.start("-j4", tells=True)
            try:
                run.ends_within(moment)
                run.process.kill()
                run.process.wait()
                empty_after.append(wait_until_empty())
                if left := trial.survivors():
                    problems.append(f"round {number}: {len(left)} processes are left")
                told = _acknowledged(run.said())
                acknowledged += len(told)
                kept = _kept(trial)
                begun += kept is not None
                if missing := told - (kept or set()):
                    problems.append(f"round {number}: lost {sorted(missing)}")
                if kept and number % 25 == 0:
                    resumed += 1
                    problems += _resume(trial, number)
            except AssertionError as error:
                problems.append(f"round {number}, after {moment:.3f} s: {error}")
            if (number + 1) % 100 == 0:
                say(f"{number + 1} kills, {len(problems)} problems")
    say(f"{times} SIGKILLs of main within {longest:.2f} s of its start, seed {seed}")
    say(f"in {begun} the journal had begun; {acknowledged} results had been acknowledged")
    say(f"runs with a lost result or a survivor: {at_most(len(problems), times)}")
    say(f"resumed: {resumed}")
    say(f"time until all is gone: {percentiles(empty_after)}")
    return verdict(problems)


def _acknowledged(said: str) -> set[str]:
    """Return the results of which whole lines speak."""
    lines = said.split("\n")[:-1]
    return {line.split()[1] for line in lines if line.startswith("acknowledged ")}


def _kept(trial: Trial) -> set[str] | None:
    path = trial.latest / "run.journal"
    if not path.is_file():
        return None
    try:
        return {entry.name for entry in read(str(path)).entries}
    except UsageError:  # not even its first record is whole
        return set()


def _resume(trial: Trial, number: int) -> list[str]:
    """Let the run that was killed go on, and see whether it has all results in the end."""
    run = trial.start("-j4", "--resume", tells=True)
    code = run.end()
    wait_until_empty()
    journal = read(str(trial.latest / "run.journal"))
    names = {entry.test for entry in journal.entries}
    if names != set(trial.tests) or code != 1:  # some of them fail
        return [
            f"round {number}: resumed, it exits with {code} and lacks {set(trial.tests) - names}"
        ]
    return []
