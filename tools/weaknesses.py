"""Prints what is weak in the systems whose doors testloom has, with the tests that it is not so here.

    python tools/weaknesses.py             runs the tests and prints the list
    python tools/weaknesses.py --no-run    only which weakness has which tests

A test names its weakness: ``test_dagrunner_w4_cycle`` is for the fourth one of dagrunner.  The
exit status is 1 if a weakness has no test, or one that failed.  ``skip`` means that a test was
left out because a Python package is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import rows

DOORS: Final[Mapping[str, tuple[str, ...]]] = {
    "dagrunner": (
        "polls: half a second for each level of a graph",
        "returns no values",
        "takes quadratic time",
        "hangs: child death, SystemExit, exceptions that cannot be unpickled, cycles",
        "hangs on Ctrl-C",
        "rewrites arguments, and finds keys here and not there",
        "takes literals for keys",
        "keeps failures, loses results, has no limits",
    ),
    "tasks": (
        "polls: every second task waits for another round",
        "never ends after a failure",
        "hangs: child death, outputs that cannot be pickled",
        "divides by zero on an idle machine, never runs fewer tasks again",
        "takes subtasks of a process for a queue",
        "swallows output, and hangs on much of it",
        "loses the end of captured output",
        "leaves children behind",
        "forks for each call, takes quadratic time",
        "loses what is done when something fails",
    ),
    "jobmon": (
        "leaves orphans behind when jobs are terminated",
        "spares children because another one has vanished",
        "reports jobs that end at once as running for ever",
        "has no exit info of jobs that were terminated in the queue",
        "gives workers a name that nobody knows",
        "ignores filters, resources and names, a thread for each job",
        "hangs on Ctrl-C",
        "has no way to wait",
    ),
    "e3_scheduler": (
        "polls, and sleeps when something has just ended",
        "blocks for ever on 64 KB of output",
        "sleeps for ever on a cycle",
        "leaves workers behind when a callback raises, has no limits",
        "takes quadratic time, in an order that differs from run to run",
        "hands no values on, and starts an interpreter for each fragment",
        "leaves children behind on Ctrl-C",
    ),
}
"""What is weak, in the order of the numbers."""
FOLDERS: Final = [
    rows.ROOT / "tests" / name for name in ("graph", "tasks", "cluster", "scheduling")
]


def main() -> int:
    """Print the list."""
    tests = {
        door: rows.tests_by_row(FOLDERS, rf"test_{door}_((?:w\d+_)+)", str.lower) for door in DOORS
    }
    files = sorted({path for folder in FOLDERS for path in folder.glob("test_*.py")})
    chosen = " or ".join(f"{door}_w" for door in DOORS)
    verdicts = {} if "--no-run" in sys.argv else rows.verdicts(files, "-k", chosen)
    worst = 0
    for door, weaknesses in DOORS.items():
        for number, what in enumerate(weaknesses, start=1):
            names = tests[door].get(f"w{number}", [])
            verdict = rows.worst([verdicts.get(name, "") for name in names])
            worst |= verdict in ("no test", "FAIL")
            print(f"{door} w{number:<3}{verdict:<8}{what}")  # noqa: T201 - a tool
            for name in names:
                print(f"    {verdicts.get(name, ''):<5}{name}")  # noqa: T201 - a tool
    return worst


if __name__ == "__main__":
    sys.exit(main())
