"""What a result says about its test, and the machine-readable why.

Three levels, from coarse to fine: `TestStatus` is what counts and colours are made from,
`FailureReason` is the family of a failure, and a *reason* (a short string such as
``crash:SIGSEGV``) is what scripts match on.  Names and numbers of the first eight statuses and
the first four reasons are those of e3-testsuite: they stand in its files.
"""

from __future__ import annotations

import enum
import signal as _signal
from typing import Final


class TestStatus(enum.Enum):
    """The verdict on one test."""

    __test__ = False  # not a pytest class

    PASS = 1
    """The test ran and did what was expected."""
    FAIL = 2
    """The test ran and did something else."""
    XFAIL = 3
    """The test failed, as its control said it would."""
    XPASS = 4
    """The test passed although its control said it would fail."""
    VERIFY = 5
    """The test ran; a person has to look at what it did."""
    SKIP = 6
    """The test did not run, on purpose."""
    NOT_APPLICABLE = 7
    """The test makes no sense in this set-up."""
    ERROR = 8
    """The test could not be run to an end that means anything."""

    # Each member is one object, and the hash of its name takes many times as long.
    __hash__ = object.__hash__

    @property
    def is_bad(self) -> bool:
        """Tell whether a run with this result must not end green."""
        return self in BAD_STATUSES


BAD_STATUSES: Final = frozenset({TestStatus.FAIL, TestStatus.ERROR})
"""The statuses that make a run fail."""

PASSING_STATUSES: Final = frozenset({TestStatus.PASS, TestStatus.XPASS, TestStatus.VERIFY})
"""The statuses counted as *passed* in the last line of a run."""


class FailureReason(enum.Enum):
    """The family a failure belongs to."""

    CRASH = 1
    TIMEOUT = 2
    MEMCHECK = 3
    DIFF = 4
    LEAK = 5
    OUTPUT_LIMIT = 6
    NO_RESULT = 7
    WORKER_LOST = 8
    NOT_RUN = 9


def signal_name(number: int) -> str:
    """Return the name of signal *number*, such as ``SIGSEGV``; ``SIG<n>`` if it has none."""
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
