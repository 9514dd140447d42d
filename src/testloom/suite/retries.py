"""Whether a test that has settled runs once more: pure decisions.

A test is *settled* when all of its fragments have ended.  Then this is decided, for the test as
a whole:

==================================  ========================================================
what its attempt came to            what follows
==================================  ========================================================
something bad, attempts are left    it runs again, after a delay
something bad, a reason forbids it  that counts
nothing bad                         that counts, unless it is to be repeated
==================================  ========================================================

How often depends on the reason: a result belongs to one of `FAMILIES`.  Where an attempt has
several bad results, the one that allows least decides, so a difference that comes every time is
not drowned by a timeout that comes now and then.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from testloom.model import reason
from testloom.model.errors import UsageError, nearest
from testloom.model.status import FailureReason
from testloom.model.summary import ResultEntry

FAMILIES: Final = ("timeout", "crash", "diff", "infra", "other")
MOST: Final = 1000
"""Retries of a test that may be asked for."""
_DELAY_LIMIT_S: Final = 600.0
_FINAL: Final = frozenset(
    {
        reason.INTERRUPTED,
        reason.RUN_ABORTED,
        reason.DEPENDENCY_FAILED,
        reason.CONFIG,
        reason.DUPLICATE_RESULT,
    }
)
"""Reasons that will be the same next time, or that are none of the test's doing."""


class Retries(msgspec.Struct, frozen=True):
    """How often a test that failed may run again, by the reason of its failure."""

    usual: int = 0
    by_family: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, value: object) -> Retries:
        """Return what *value* says: ``2``, ``"2,timeout=0"`` or ``{"crash": 1, "usual": 0}``.

        Raises:
            ValueError: it is none of these; the message says what to write.
        """
        if isinstance(value, Mapping):
            words = [(str(key), each) for key, each in value.items()]
        elif isinstance(value, str):
            words = [_split(word) for word in value.split(",")]
        else:
            words = [("usual", value)]
        found: dict[str, int] = {}
        for name, number in words:
            if name != "usual" and name not in FAMILIES:
                known = ", ".join(FAMILIES)
                hint = nearest(name, FAMILIES) or f"; write one of {known}"
                raise ValueError(f"{name!r} is no reason to run a test again{hint}")
            if name in found:
                raise ValueError(f"{name!r} is there twice; keep one of them")
            found[name] = _count(number)
        return cls(found.pop("usual", 0), tuple(found.items()))

    def allowed(self, family: str) -> int:
        """Return how often a test may run again after a failure of *family*."""
        return dict(self.by_family).get(family, self.usual)

    @property
    def most(self) -> int:
        """How often a test may run again at most."""
        return max([self.usual, *(number for _, number in self.by_family)])


def family_of(entry: ResultEntry) -> str:
    """Return which of `FAMILIES` the reason of a bad result belongs to."""
    why, reasons = entry.reason, entry.failure_reasons
    if why.startswith("infra:"):
        return "infra"
    if why == reason.TIMEOUT or FailureReason.TIMEOUT.name in reasons:
        return "timeout"
    if why.startswith("crash:") or FailureReason.CRASH.name in reasons:
        return "crash"
    if why == reason.DIFF or FailureReason.DIFF.name in reasons:
        return "diff"
    return "other"


class Counts(enum.Enum):
    """What becomes of an attempt that is the last one."""

    THIS = 1
    """Its results count."""
    WORST = 2
    """The results of the last attempt that had something bad count, if there is one."""


class Again(msgspec.Struct, frozen=True):
    """The test runs once more."""

    after_s: float


class RetryPolicy(msgspec.Struct, kw_only=True):
    """Decides for the tests of one run, and counts what they have used of its budget."""

    retries: Retries = Retries()
    delay_s: float = 0.0
    """Seconds before the second attempt; twice as long before each further one."""
    budget: int | None = None
    """How many retries the run has in all."""
    repeat: int = 1
    """How often each test runs, whatever it comes to."""
    until_fail: bool = False
    """Repeat each test until one fails, *repeat* times at most if that is above 1."""
    used: int = 0
    """How many retries there have been."""
    has_failed: bool = False
    """Whether a repeated test has failed."""

    @property
    def repeats(self) -> bool:
        """Whether tests run again although nothing is bad."""
        return self.repeat > 1 or self.until_fail

    def max_attempts(self, own: Retries | None) -> int:
        """Return how many attempts a test may have; *own* is what the test itself says."""
        if self.repeats:
            return max(1, self.repeat)
        return 1 + (self.retries if own is None else own).most

    def limit(self, results: Sequence[ResultEntry], own: Retries | None) -> int:
        """Return how many attempts a test may have if one of them came to *results*."""
        bad = [entry for entry in results if entry.status.is_bad]
        if self.repeats or not bad:
            return self.max_attempts(own)
        if any(entry.reason in _FINAL for entry in bad):
            return 1
        allowed = self.retries if own is None else own
        return 1 + min(allowed.allowed(family_of(entry)) for entry in bad)

    def may_run_again(self, own: Retries | None) -> bool:
        """Tell whether a test can have a second attempt at all."""
        return self.repeats or self.max_attempts(own) > 1

    def decide(
        self, attempt: int, results: Sequence[ResultEntry], own: Retries | None = None
    ) -> Again | Counts:
        """Decide about a test whose *attempt* (1 is the first) came to *results*."""
        is_bad = any(entry.status.is_bad for entry in results)
        if self.repeats:
            return self._after_repetition(attempt, is_bad=is_bad)
        if not is_bad or attempt >= self.limit(results, own):
            return Counts.THIS
        if self.budget is not None and self.used >= self.budget:
            return Counts.THIS
        self.used += 1
        return Again(min(self.delay_s * 2.0 ** (attempt - 1), _DELAY_LIMIT_S))

    def _after_repetition(self, attempt: int, *, is_bad: bool) -> Again | Counts:
        self.has_failed = self.has_failed or is_bad
        if self.until_fail and self.has_failed:
            return Counts.THIS
        is_limited = self.repeat > 1 or not self.until_fail
        return Counts.WORST if is_limited and attempt >= self.repeat else Again(0.0)


def own_retries(test_env: Mapping[str, object]) -> Retries | None:
    """Return what a test says about itself under ``retries``; None if it says nothing.

    Raises:
        UsageError: that makes no sense.
    """
    if "retries" not in test_env:
        return None
    try:
        return Retries.parse(test_env["retries"])
    except ValueError as error:
        raise UsageError(f"{test_env.get('test_name')}: 'retries': {error}") from error


def _split(word: str) -> tuple[str, object]:
    name, equals, number = word.strip().partition("=")
    return (name.strip(), number.strip()) if equals else ("usual", name)


def _count(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{value!r} is no number of retries; write 2, or 2,timeout=0")
    if int(text) > MOST:
        raise ValueError(f"{text} retries are too many; write at most {MOST}")
    return int(text)
