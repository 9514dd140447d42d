"""The whole space of ways in which a program or a fragment can end."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from testloom.model.sizes import shown_size
from testloom.model.status import signal_name

OUT_OF_MEMORY: Final = "killed by the kernel: out of memory"


class Exited(msgspec.Struct, frozen=True):
    """It ended by itself, with an exit status."""

    code: int


class Killed(msgspec.Struct, frozen=True):
    """A signal ended it that we did not send."""

    signal: int


class TimedOut(msgspec.Struct, frozen=True):
    """We ended it because its time was up, whatever it exited with then."""

    after_s: float
    ignored_term: bool = False
    """Whether it had to be killed because it did not end when asked to."""
    was_idle: bool = False
    """Whether it had time left, and wrote nothing for so long."""


class OutputLimit(msgspec.Struct, frozen=True):
    """We ended it because it wrote more than it may."""

    limit_bytes: int


class OutOfMemory(msgspec.Struct, frozen=True):
    """The kernel ended it, or something that it had started, because its memory was used up."""

    limit_bytes: int


class NotStarted(msgspec.Struct, frozen=True):
    """It could not be run at all, for instance because it is not there."""

    why: str


ProgramEnd: TypeAlias = Exited | Killed | TimedOut | OutputLimit | OutOfMemory | NotStarted


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """The fragment's callback returned or raised; its worker lives."""

    value: bytes | None = None
    """The pickled value (or exception); None for no value at all. Never unpickled by main."""
    raised: str = ""
    """The traceback if the callback raised, else empty."""
    aborted: bool = False
    """Whether it raised `TestAbort`: an end without a result, on purpose."""
    unpicklable: str = ""
    """Why the value could not be sent, else empty."""
    leaks: tuple[str, ...] = ()
    """What the worker had to restore afterwards, such as ``threads=2``."""


class WorkerDied(msgspec.Struct, frozen=True):
    """The process that ran the fragment ended before the fragment did."""

    end: Exited | Killed
    note: str = ""


class FragmentTimedOut(msgspec.Struct, frozen=True):
    """The fragment's time was up; its worker was ended with everything it had started."""

    after_s: float
    ignored_term: bool = False


class Stopped(msgspec.Struct, frozen=True):
    """The run is being stopped; the fragment was ended while it ran."""

    why: str


class WorkerLost(msgspec.Struct, frozen=True):
    """The fragment did not get to run to an end for a reason that is not its own."""

    why: str


FragmentEnd: TypeAlias = Returned | WorkerDied | FragmentTimedOut | Stopped | WorkerLost


def headline(end: ProgramEnd) -> str:
    """Say in a few words how a program ended."""
    match end:
        case Exited(code):
            return f"exit status {code}"
        case Killed(signum):
            return f"killed by {signal_name(signum)}"
        case TimedOut(after_s, ignored_term, was_idle):
            what = "wrote nothing for" if was_idle else "timed out after"
            tail = ", SIGTERM ignored, killed" if ignored_term else ""
            return f"{what} {after_s:g} s{tail}"
        case OutputLimit(limit):
            return f"stopped: wrote more than {limit} bytes"
        case OutOfMemory(limit):
            return f"{OUT_OF_MEMORY}, limit {shown_size(limit)}"
        case NotStarted(why):
            return f"could not start: {why}"
