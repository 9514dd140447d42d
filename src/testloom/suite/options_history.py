"""The options about earlier runs: what runs again, in which order, what is kept, what is new.

Apart from `options`, which says how all options are spelled and where else they may be set.
"""

from __future__ import annotations

from typing import Any, Final

from testloom.suite import values

NO_HISTORY: Final = "none"
"""The place that means that nothing is kept."""
LATEST: Final = "latest"
RUN: Final = "RUN"


def add_rerunning(add: Any) -> None:
    """Add what chooses tests by what became of them; *add* is a `Group.ours`."""
    run = "what failed or did not get to run in RUN (latest, latest~1, a part of its id)"
    add("--lf", None, "what failed in the last run", dest="last_failed", const=LATEST)
    add("--last-failed", RUN, run, dest="last_failed")
    add("--ff --failed-first", None, "what failed last comes first", dest="failed_first")
    add("--nf --new-first", None, "what was never run before comes first", dest="new_first")


def add_order(add: Any) -> None:
    """Add how the order of tests is chosen."""
    orders = "|".join(values.ORDERS)
    what = (
        "auto: what failed last, then what takes longest (default); slowest-first: by time alone;"
        " given: as they are listed; random: in another order each time"
    )
    add("--order", orders, what, type=values.one_of(*values.ORDERS), default="auto")
    seed = "run tests in the random order that belongs to N: that of a run that shows it"
    add("--seed", "N", seed, type=values.count)


def add_history(add: Any) -> None:
    """Add what is kept of runs, and what makes one fail because of earlier ones."""
    place = "file, or URL of a PostgreSQL database, that keeps what runs found out"
    add("--history", "PLACE", place, default="")
    add("--no-history", None, "keep nothing, look at nothing", dest="history", const=NO_HISTORY)
    keep = "runs that the history keeps; 0 keeps all (default: 200)"
    add("--keep-runs", "N", keep, type=values.count, default=200)
    keep = "days for which it keeps a run; 0 for ever (default: 90)"
    add("--keep-days", "N", keep, type=values.count, default=90)
    kinds, words = values.FAIL_ON, "|".join(values.FAIL_ON)
    fail = "what makes the run fail: any failure (default), or new ones only"
    add("--fail-on", words, fail, type=values.one_of(*kinds), default="any")
    add("--against", RUN, "new is what did not fail in RUN (default: the last run)")
    add("--known-failures", "FILE", "new is what is not listed in FILE, one name a line")
    add("--update-known-failures", None, "write what fails now to that file")
