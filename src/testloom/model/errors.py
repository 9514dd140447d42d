"""The exceptions of testloom, by who has to act.

::

    Exception
     ├─ UsageError          the user asked for something wrong: one line, exit 4
     │   └─ CycleError      fragments wait for each other
     ├─ InternalError       testloom is wrong: traceback, "please report", exit 3
     ├─ TestAbort           raised by a driver to end a fragment without a result
     │   ├─ TestSkip, TestAbortWithError, TestAbortWithFailure
     ├─ FragmentLost        in place of a value: the fragment crashed or was ended
     ├─ WorkersCannotStart  no worker gets as far as to take a fragment: exit 3
     └─ ProbingError        raised by a finder: the directory holds a broken test
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class UsageError(Exception):
    """The request is wrong; the message is one line that says what to change."""


class InternalError(Exception):
    """This should never happen: if you get it, please file a bug."""


class CycleError(UsageError):
    """Fragments wait for each other, so none of them can start.

    `path` lists the uids along the cycle, the first one repeated at the end.
    """

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        shown = self.path if len(self.path) <= 12 else (*self.path[:6], "...", *self.path[-5:])
        super().__init__(
            "these fragments wait for each other: "
            + " -> ".join(shown)
            + "; remove one of these dependencies"
        )


class TestAbort(Exception):
    """End the current fragment; the driver has pushed its results, if any."""

    __test__ = False


class TestSkip(TestAbort):
    """End the test: it does not apply here. The message says why."""


class TestAbortWithError(TestAbort):
    """End the test: it cannot be run. The message says why."""


class TestAbortWithFailure(TestAbort):
    """End the test: it failed. The message says how."""


class FragmentLost(Exception):
    """Stands in for the value of a fragment that did not get to return one."""


class WorkersCannotStart(Exception):
    """Worker after worker died before it could take a fragment; the message says of what."""


class ProbingError(Exception):
    """A directory looks like a test and is none; the message says what is wrong with it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name closest to *name*, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
