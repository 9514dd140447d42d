"""The files through which main and the nodes of a cluster talk about fragments.

::

    DIR/setup       what every node has to know
    DIR/N.order     main: run this fragment
    DIR/N.outcome   the node: this is what came of it

The directory has to be on a file system that all share.  Each file is written whole and then
given its name, so it is there or it is not.  Only their owner may read them: they hold pickles,
and the environment of the run.
"""

from __future__ import annotations

import contextlib
import os
from typing import TypeVar

import msgspec

from testloom._version import __version__
from testloom.model.outcome import (
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.processes.files import remove_tree, write_whole
from testloom.workers.fresh import Setup
from testloom.workers.messages import Order

_T = TypeVar("_T")


class ExchangeError(Exception):
    """A file is missing, or is not one of this version of testloom."""


class NodeSetup(msgspec.Struct, array_like=True):
    """What every node of a run has to know."""

    setup: Setup
    cwd: bytes
    environ: dict[bytes, bytes]
    """Added to what the node has."""
    version: str = __version__


class NodeOrder(msgspec.Struct, array_like=True):
    """Run one fragment."""

    uid: str
    """For people; the fragment itself is made by what `order` says."""
    name: str
    slot: int
    order: Order
    timeout_s: float | None
    version: str = __version__


class NodeOutcome(msgspec.Struct, array_like=True):
    """What came of one fragment."""

    end: str
    """The name of the class in `testloom.model.outcome`."""
    text: str = ""
    """The traceback of what it raised, a note, or a reason."""
    aborted: bool = False
    unpicklable: str = ""
    leaks: list[str] = []
    code: int = 0
    """What its worker exited with, or the negative number of the signal that killed it."""
    after_s: float = 0.0
    ignored_term: bool = False
    results: list[bytes] = []
    output: bytes = b""
    value: bytes | None = None
    state: bytes | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    notes: list[str] = []
    """What people should know."""
    version: str = __version__


class Exchange:
    """The files of one run, below the directory *path*."""

    def __init__(self, path: str) -> None:
        self.path = path

    def make(self, setup: NodeSetup) -> None:
        """Make the directory, for *setup* and all that follows."""
        os.mkdir(self.path, 0o700)
        self._write("setup", setup)

    def setup(self) -> NodeSetup:
        """Return what every node has to know."""
        return self._read("setup", NodeSetup)

    def give(self, number: int, order: NodeOrder) -> None:
        """Write down order *number*."""
        self._write(f"{number}.order", order)

    def order(self, number: int) -> NodeOrder:
        """Return order *number*."""
        return self._read(f"{number}.order", NodeOrder)

    def answer(self, number: int, outcome: NodeOutcome) -> None:
        """Write down what came of order *number*."""
        self._write(f"{number}.outcome", outcome)

    def has_outcome(self, number: int) -> bool:
        """Tell whether it has been written down what came of order *number*."""
        return os.path.exists(os.path.join(self.path, f"{number}.outcome"))

    def outcome(self, number: int) -> NodeOutcome | None:
        """Return what came of order *number*; None if nothing has been written."""
        if not self.has_outcome(number):
            return None
        return self._read(f"{number}.outcome", NodeOutcome)

    def forget(self, number: int) -> None:
        """Remove what is there about order *number*."""
        for kind in ("order", "outcome"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.path, f"{number}.{kind}"))

    def remove(self) -> None:
        """Remove everything."""
        remove_tree(self.path)

    def _write(self, name: str, content: msgspec.Struct) -> None:
        write_whole(os.path.join(self.path, name), msgspec.msgpack.encode(content))

    def _read(self, name: str, kind: type[_T]) -> _T:
        path = os.path.join(self.path, name)
        try:
            with open(path, "rb") as file:
                content = msgspec.msgpack.decode(file.read(), type=kind)
        except OSError as error:
            raise ExchangeError(f"{path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise ExchangeError(f"{path}: it was not written by this version: {error}") from error
        version = getattr(content, "version", "")
        if version != __version__:
            raise ExchangeError(f"{path}: written by testloom {version}, this is {__version__}")
        return content


def outcome_of(end: FragmentEnd | None) -> NodeOutcome:
    """Return what is to be told of *end*."""
    name = type(end).__name__
    match end:
        case Returned():
            return NodeOutcome(
                name,
                end.raised,
                aborted=end.aborted,
                unpicklable=end.unpicklable,
                leaks=list(end.leaks),
            )
        case WorkerDied(how, note):
            code = how.code if isinstance(how, Exited) else -how.signal
            return NodeOutcome(name, note, code=code)
        case FragmentTimedOut(after_s, ignored_term):
            return NodeOutcome(name, after_s=after_s, ignored_term=ignored_term)
        case Stopped(why) | WorkerLost(why):
            return NodeOutcome(name, why)
        case None:
            return NodeOutcome(WorkerLost.__name__, "the node ended before the fragment did")


def end_of(outcome: NodeOutcome) -> FragmentEnd:
    """Return the end that *outcome* tells of."""
    match outcome.end:
        case "Returned":
            return Returned(
                raised=outcome.text,
                aborted=outcome.aborted,
                unpicklable=outcome.unpicklable,
                leaks=tuple(outcome.leaks),
            )
        case "WorkerDied":
            code = outcome.code
            return WorkerDied(Exited(code) if code >= 0 else Killed(-code), outcome.text)
        case "FragmentTimedOut":
            return FragmentTimedOut(outcome.after_s, outcome.ignored_term)
        case "Stopped":
            return Stopped(outcome.text)
        case _:
            return WorkerLost(outcome.text)
