"""A run that is over, or was cut off, by the name that people give it."""

from __future__ import annotations

import os

import msgspec

from testloom.journal.reader import read, summary_of
from testloom.journal.rundir import JOURNAL, LATEST, find_run
from testloom.model.summary import Summary


def stored_run(output_dir: str, reference: str = LATEST) -> Summary:
    """Return the summary of the run in *output_dir* that *reference* names, see `find_run`.

    Tests that it did not get to are in it, with a result that says so.

    Raises:
        UsageError: there is no such run, or its journal makes no sense.
    """
    run_dir = find_run(output_dir, reference)
    summary = summary_of(read(os.path.join(run_dir, JOURNAL)))
    # The directory may have been moved, or come from another machine.
    return msgspec.structs.replace(
        summary, run=msgspec.structs.replace(summary.run, output_dir=run_dir)
    )
