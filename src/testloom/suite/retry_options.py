"""The options about running tests more than once, and about going on with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testloom.suite import values
from testloom.suite.retries import FAMILIES, Retries, RetryPolicy

if TYPE_CHECKING:
    from testloom.suite.options import Group
    from testloom.suite.run_options import RunOptions


def add_retry_options(group: Group) -> None:
    """Add the options to *group*."""
    add = group.ours
    reasons = f"retry failed tests N times; by reason: 2,timeout=0 ({', '.join(FAMILIES)})"
    add("--retries", "N[,REASON=N...]", reasons, type=retries_text, default="0")
    delay = "wait S seconds before the first retry of a test, twice as long before each further one"
    add("--retry-delay", "S", delay, type=values.delay, default=0.0, dest="retry_delay_s")
    add("--retry-budget", "N", "retry N times in the whole run at most", type=values.count)
    flaky = "fail if a test passed only after a retry"
    add("--flaky-fails", None, flaky, default=False, const=True)
    pardon = "the file of tests whose failures do not count for a while"
    add("--quarantine", "FILE", pardon)
    repeat = "run each test N times; it passes if it does every time"
    add("--repeat", "N", repeat, type=values.positive, default=1)
    until = "run all tests until one fails, with --repeat N at most N times"
    add("--until-fail", None, until, default=False, const=True)


def add_resume_options(group: Group) -> None:
    """Add the options about going on with a run that was cut off to *group*."""
    latest = "go on with the last run, which was cut off: run what has not passed or has changed"
    group.ours("--resume", None, latest, const="latest")
    group.ours("--resume-run", "RUN", "go on with RUN instead", dest="resume")


def retries_text(text: str) -> str:
    """Let a text pass that says how often to retry."""
    try:
        Retries.parse(text)
    except ValueError as error:
        raise values.BadValueError(str(error)) from error
    return text


def retry_policy(options: RunOptions) -> RetryPolicy:
    """Return what *options* say about running tests more than once."""
    return RetryPolicy(
        retries=Retries.parse(options.retries),
        delay_s=options.retry_delay_s,
        budget=options.retry_budget,
        repeat=options.repeat,
        until_fail=options.until_fail,
    )
