"""When a run ends before everything has run, and how fast: pure decisions.

========================  ==================================================================
what happens              what follows
========================  ==================================================================
enough failures           nothing new starts; what runs may end
the time is up            nothing new starts; what runs is asked to end, then killed
nobody reads our output   nothing new starts; what runs is asked to end
first signal              nothing new starts; what runs is asked to end, then killed
second signal             what runs is killed
third signal              the process leaves at once
========================  ==================================================================
"""

from __future__ import annotations

import msgspec

from testloom.model.status import signal_name
from testloom.scheduling import Phase


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a run has seen enough."""

    max_failures: int | None = None
    max_consecutive_failures: int | None = None
    max_time_s: float | None = None
    """Of the run as a whole."""


class StopPolicy:
    """Decides about the end of one run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._signals = 0
        self.why = ""
        """Why the run is being stopped, in a few words; empty while it is not."""
        self.signum = 0
        """The first signal that came."""
        self.phase: Phase | None = None
        """How far the scheduler has to go; None while the run goes on."""

    @property
    def counts_failures(self) -> bool:
        """Whether a failure may stop the run."""
        limits = self._limits
        return limits.max_failures is not None or limits.max_consecutive_failures is not None

    def counted(self, bad: int, bad_in_a_row: int) -> bool:
        """Look at the number of failures so far; tell whether the run shall stop now."""
        limits = self._limits
        if limits.max_failures is not None and bad >= limits.max_failures:
            how_many = "1 failure" if bad == 1 else f"{bad} failures"
            return self._because(f"{how_many}, the limit", Phase.DRAINING)
        in_a_row = limits.max_consecutive_failures
        if in_a_row is not None and bad_in_a_row >= in_a_row:
            return self._because("too many consecutive failures", Phase.DRAINING)
        return False

    def time_is_up(self) -> None:
        """The run has taken as long as it may."""
        limit = self._limits.max_time_s
        self._because(f"the time of the run is up, {limit:g} s", Phase.TERMINATING)

    def reader_gone(self) -> None:
        """Nobody reads what we print any more."""
        self._because("the output was closed", Phase.TERMINATING)

    def signalled(self, signum: int) -> bool:
        """A signal came; tell whether the process shall leave at once."""
        self._signals += 1
        if self._signals == 1:
            self.signum = signum
            self._because(f"{signal_name(signum)} received", Phase.TERMINATING)
        elif self._signals == 2:
            self.phase = Phase.KILLING
        return self._signals > 2

    def _because(self, why: str, phase: Phase) -> bool:
        if self.phase is not None and phase <= self.phase:
            return False
        self.why = self.why or why
        self.phase = phase
        return True
