"""The attempts at the tests of one run: which may run again, and how far each of them has come.

`testloom.suite.retries` decides; here is what it has to know, and what a decision leaves behind.
A test on whose fragments other tests depend never runs again: what depends on it may be at work
already, with what the first attempt has left.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from testloom.model.summary import ResultEntry
from testloom.processes.files import remove_tree
from testloom.suite.planning import Plan, PlannedTest, followed_tests
from testloom.suite.retries import Again, Counts, Retries, RetryPolicy, own_retries

Made: TypeAlias = tuple[ResultEntry, bytes]
"""A result and the JSON of its `ResultRecord`, not yet kept."""


class Attempts(msgspec.Struct, eq=False, kw_only=True):
    """How far a test that may run more than once has come."""

    own: Retries | None = None
    max_attempts: int = 1
    follows: Mapping[str, tuple[str, ...]] = {}
    """Its fragments, and which of each other they follow; none if it does not run again."""
    number: int = 1
    """Which attempt goes on."""
    before: int = 0
    """How many attempts there were before this run."""
    held: list[Made] = []
    """The results of the attempt that goes on: nobody knows yet whether they count."""
    earlier: list[ResultEntry] = []
    """Those of earlier attempts, oldest first."""
    worst: list[Made] = []
    """Those of the last attempt that had something bad."""
    next: Again | None = None
    """That it is to run again, until that has been seen to."""

    def take_next(self) -> Again | None:
        """Return whether and when the test is to run again, once."""
        again, self.next = self.next, None
        return again


class Retrying:
    """Which tests of a run may run again."""

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy
        self.closed = False
        """Whether the run is coming to its end, so that nothing runs again."""
        self.notes: tuple[str, ...] = ()
        self._own: dict[str, Retries] = {}

    @property
    def keeps_all(self) -> bool:
        """Whether to keep attempts in which nothing was bad; there may be no end of them."""
        return not self.policy.until_fail

    def prepare(self, driver: Any) -> None:
        """Take what the test of *driver* says about itself.

        Raises:
            UsageError: that makes no sense.
        """
        own = own_retries(driver.test_env)
        if own is not None:
            self._own[driver.test_name] = own

    def begin(self, plan: Plan) -> frozenset[str]:
        """Give each test of *plan* that may run again its `Attempts`; return their fragments."""
        for test in plan.tests.values():
            if test.earlier:
                self._go_on(test)
        names = {
            name
            for name, test in plan.tests.items()
            if test.left and self.policy.may_run_again(self._own.get(name))
        }
        if not names:
            return frozenset()
        depended_on = set(itertools.chain.from_iterable(followed_tests(plan).values()))
        if names & depended_on:
            how_many = len(names & depended_on)
            self.notes = (f"{how_many} of the tests never run again, because others follow them",)
        names -= depended_on
        follows: dict[str, dict[str, tuple[str, ...]]] = {}
        for uid, owner in plan.owners.items():
            if owner.name in names:
                own = [p for p in plan.graph.predecessors[uid] if plan.owners[p] is owner]
                follows.setdefault(owner.name, {})[uid] = tuple(own)
        for name, fragments in follows.items():
            own_words = self._own.get(name)
            attempts = plan.tests[name].attempts or Attempts()
            attempts.own, attempts.follows = own_words, fragments
            attempts.max_attempts = attempts.before + self.policy.max_attempts(own_words)
            plan.tests[name].attempts = attempts
        return frozenset(uid for fragments in follows.values() for uid in fragments)

    def decide(self, attempts: Attempts) -> Again | Counts:
        """Decide about a test that has settled, all of whose results are held."""
        entries = [entry for entry, _ in attempts.held]
        if any(entry.status.is_bad for entry in entries):
            attempts.max_attempts = attempts.before + self._limit(attempts, entries)
            for entry in entries:  # nobody has seen them yet
                msgspec.structs.force_setattr(entry, "max_attempts", attempts.max_attempts)
        if self.closed or not attempts.follows:
            return Counts.THIS
        return self.policy.decide(attempts.number - attempts.before, entries, attempts.own)

    def _limit(self, attempts: Attempts, entries: Sequence[ResultEntry]) -> int:
        return self.policy.limit(entries, attempts.own) if attempts.follows else 1

    @staticmethod
    def _go_on(test: PlannedTest) -> None:
        """Count the attempts that *test* had in the run that is resumed."""
        before = max(one.attempt for one in test.earlier)
        test.attempts = Attempts(
            max_attempts=before + 1, number=before + 1, before=before, earlier=[*test.earlier]
        )


def set_aside(driver: Any, attempt: int) -> None:
    """Move what *attempt* has left in its working directory out of the way of the next one."""
    path = driver.test_env.get("working_dir")
    if path and os.path.isdir(path):
        with contextlib.suppress(OSError):
            os.rename(path, f"{path}~{attempt}")
            return
        remove_tree(path)
