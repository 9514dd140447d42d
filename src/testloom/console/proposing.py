"""What to type after a run: the commands that lead on from what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from testloom.model.rerun import Commands
from testloom.model.summary import ResultEntry, Summary


def next_commands(
    summary: Summary, failures: Sequence[ResultEntry], commands: Commands
) -> list[tuple[str, str]]:
    """Return commands, each with a remark that may be empty; none after a run that is green.

    *failures* are the results that somebody has to look at, those to look at first in front.
    Where people don't type beside the run, only what needs nothing of it makes sense.
    """
    if not commands.are_at_hand:
        return [(commands.rerun(failures[0]), "")] if failures else []
    found = []
    if summary.run.stopped:
        found.append((commands.resume(), ""))
    elif len({entry.test for entry in failures}) > 1:
        found.append((commands.rerun_failed(), ""))
    elif failures:
        found.append((commands.rerun(failures[0]), ""))
    if failures:
        found.append((commands.show(failures[0]), ""))
    if summary.pending:
        found.append((commands.review(), f"({summary.pending} pending)"))
    return found
