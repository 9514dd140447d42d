"""When a fragment ran, where, and what it had waited for."""

from __future__ import annotations

import msgspec


class FragmentSpan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The time that one fragment spent in its slot."""

    uid: str
    test: str
    name: str
    """Which step of its test it is: the last part of `uid`."""
    slot: int
    attempt: int = 1
    started_s: float
    """Seconds from the beginning of the run."""
    ended_s: float
    """The same; if it did not end, the last moment that is known of the run."""
    cpu_s: float = 0.0
    """CPU seconds of the fragment and of what it started."""
    end: str = ""
    """How it ended: the name of a class of `testloom.model.outcome.FragmentEnd`; empty if not."""
    after: tuple[str, ...] = ()
    """Uids of the fragments that had to end before it could start."""
