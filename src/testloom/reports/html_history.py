"""What the HTML report shows of other runs: what changed, how each test did before.

The results of the last runs are read once; a row holds one letter for each of them, and the
page of a test their times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from testloom.model.compare import Change, Comparison
from testloom.model.history import PastResult, flakiness, usual_time_s
from testloom.model.status import PASSING_STATUSES, TestStatus
from testloom.model.summary import Summary

_RUNS: Final = 20
"""How many earlier runs are looked at."""
_PASS: Final = TestStatus.PASS
_NAMES: Final = 500
"""Names listed of each kind of change."""


class Past:
    """The last runs before the one that is reported."""

    def __init__(self, summary: Summary) -> None:
        runs = summary.history.runs(_RUNS)
        self._results: Mapping[str, Sequence[PastResult]] = (
            summary.history.recent(_RUNS) if runs else {}
        )
        self._numbers = {run.run_id: number for number, run in enumerate(runs)}
        self.runs = [
            {
                "run_id": run.run_id,
                "started_at": run.started_at,
                "duration_s": run.duration_s,
                "commit": run.commit,
                "passed": run.passed,
                "failed": run.failed,
                "skipped": run.skipped,
            }
            for run in runs
        ]

        self._letters = {
            name: "".join([_letter(result.status) for result in results])
            for name, results in self._results.items()
        }

    def letters(self, name: str) -> str:
        """Return a letter for each result of *name*, oldest first: ``p``, ``f``, or ``s``."""
        return self._letters.get(name, "")

    def usual_s(self, name: str) -> float | None:
        """Return how long *name* usually took."""
        return usual_time_s(self._results.get(name, ()))

    def unsteady(self) -> list[dict[str, Any]]:
        """Return the tests that turned from passing to failing and back, the worst first."""
        found = [
            (name, known)
            for name, results in self._results.items()
            # Most never failed, and need no closer look.
            if ("f" in self._letters[name] or any(result.flaky for result in results))
            and (known := flakiness(results)) is not None
        ]
        found.sort(key=lambda one: (-one[1].rate, one[0]))
        return [
            {
                "name": name,
                "rate": known.rate,
                "runs": known.runs,
                "failures": known.failures,
                "retried": known.retried,
                "past": self.letters(name),
            }
            for name, known in found[:_NAMES]
        ]

    def of(self, name: str) -> list[list[Any]]:
        """Return the results of *name*: number of the run, status, seconds, flaky tries."""
        return [
            [self._numbers.get(result.run_id, 0), _name(result.status), result.time_s, result.flaky]
            for result in self._results.get(name, ())
        ]


def changes_of(changes: Comparison | None) -> dict[str, Any] | None:
    """Return what changed since the run before, by names; None if nothing is known of that."""
    if changes is None:
        return None
    return {
        "against": changes.against,
        "new": _names(changes.new),
        "still": _names(changes.still),
        "fixed": _names(changes.fixed),
        "silenced": _names(changes.silenced),
        "gone": _names(changes.gone),
        "slower": [_slower(change) for change in changes.slower[:_NAMES]],
    }


def _names(changes: Sequence[Change]) -> dict[str, Any]:
    return {"total": len(changes), "names": [change.name for change in changes[:_NAMES]]}


def _slower(change: Change) -> list[Any]:
    before, after = change.before, change.after
    return [change.name, before and before.time_s, after and after.time_s]


# Asked a million times, mostly of a PASS; an enumeration takes its time to tell its name or hash.


def _name(status: TestStatus) -> str:
    return "PASS" if status is _PASS else status.name


def _letter(status: TestStatus) -> str:
    if status is _PASS:
        return "p"
    return "f" if status.is_bad else "p" if status in PASSING_STATUSES else "s"
