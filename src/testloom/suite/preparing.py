"""Steps between the options of a run and its first fragment, which several doors share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from testloom.journal.format import JournalError
from testloom.journal.format import PlannedTest as JournalTest
from testloom.journal.rundir import RunDir
from testloom.journal.writer import JournalWriter
from testloom.model.errors import UsageError
from testloom.model.summary import RunInfo
from testloom.processes import namespaces, own_fds, signals
from testloom.processes.claim import MARK
from testloom.processes.clock import SystemClock
from testloom.suite.planning import Plan
from testloom.suite.run import RunOutcome
from testloom.suite.run_options import RunOptions
from testloom.suite.stopping import Limits
from testloom.workers.making import WorkerSettings

if TYPE_CHECKING:
    from testloom.model.cluster import ClusterDistributor


def limits_of(options: RunOptions) -> Limits:
    """Return when a run has seen enough."""
    return Limits(
        max_failures=options.max_failures,
        max_consecutive_failures=options.max_consecutive_failures,
        max_time_s=options.max_time_s,
    )


def worker_settings(
    options: RunOptions, info: RunInfo, distributor: ClusterDistributor | None = None
) -> WorkerSettings:
    """Return how the fragments of a run are to be run.

    Raises:
        UsageError: they cannot be isolated as the options want it.
    """
    if options.isolate == "pidns" and (why := namespaces.why_not()):
        raise UsageError(
            f"--isolate pidns: no namespace can be made here: {why}; be root, or leave it out"
        )
    name = f"testloom-{info.run_id}"
    os.environ[MARK] = name  # by this, what a run has left behind can be told
    return WorkerSettings(
        name=name,
        start_method=options.start_method,
        in_process=options.in_process,
        post_mortem=options.pdb,
        timeout_s=options.timeout_s,
        distributor=distributor,
        exchange_dir=info.output_dir,
        isolated=options.isolate == "pidns",
    )


@contextlib.contextmanager
def journal_of(
    run_dir: RunDir, info: RunInfo, the_plan: Plan, words: Sequence[str] = ()
) -> Iterator[JournalWriter]:
    """Open the journal of a run and write down what is going to run.

    Signals that ask the run to end are held until it listens to them: the journal has an end then.

    Raises:
        UsageError: that cannot be written.
    """
    tests = [
        JournalTest(t.name, t.source, t.line, t.driver, t.tags, t.inputs)
        for t in the_plan.tests.values()
    ]
    with signals.held(), contextlib.ExitStack() as stack:
        try:
            journal = JournalWriter(run_dir.journal, SystemClock())
            stack.callback(_close, journal)
            for fd in (journal.fileno(), run_dir.fileno()):
                stack.callback(own_fds.discard, own_fds.add(fd))
            journal.run_started(info, tests, the_plan.graph.predecessors, words)
        except JournalError as error:
            with contextlib.suppress(OSError):  # there has been no such run
                os.unlink(run_dir.journal)
            advice = "make room, or choose another directory with --output-dir"
            raise UsageError(f"{error}; {advice}") from error
        yield journal


def _close(journal: JournalWriter) -> None:
    """Close *journal*; whether it could be written, `written_to_the_end` has told."""
    with contextlib.suppress(JournalError):
        journal.close()


def written_to_the_end(journal: JournalWriter, outcome: RunOutcome, code: int) -> tuple[str, ...]:
    """Write the end of a run, which exits with *code*; return a line if that cannot be done."""
    try:
        journal.run_ended(duration_s=outcome.duration_s, stopped=outcome.stopped, exit_code=code)
        journal.sync()
    except JournalError as error:
        # Who has been told that already need not read it again.
        return () if outcome.broken_down else (f"the results cannot be kept: {error}",)
    return ()


def set_platforms(env: Any, options: RunOptions) -> None:
    """Let *env* know the platforms that the user named."""
    for name in ("build", "host", "target"):
        value = getattr(options, name)
        if value:
            getattr(env, f"set_{name}")(*value.split(","))
