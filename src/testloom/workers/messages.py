"""What main and a worker say to each other, as the payloads of `processes.channel` frames."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

READY: Final = 1
"""Worker: I live and wait for an order. Empty."""
RUN: Final = 2
"""Main: an `Order`."""
RESULT: Final = 3
"""Worker: a result was pushed that has no room on the tray; JSON of a `ResultRecord`."""
REPORT: Final = 4
"""Worker: the fragment has ended; a `Report`."""
SETUP: Final = 5
"""Main, to a fresh interpreter: a pickled `fresh.Setup`."""

KEPT: Final = b"k"
"""In place of a pickled value: the worker that is addressed has it in memory."""
PARCEL: Final = b"p"
"""In place of a pickled value: it is in the parcel of the name that follows."""


Values: TypeAlias = dict[bytes, bytes | None]


def packed_name(name: str) -> bytes:
    """Return *name* for a message; those of tests come from names of files, which may be no text."""
    return name.encode("utf-8", "surrogatepass")


def unpacked_name(packed: bytes) -> str:
    """Return the name that was *packed*."""
    return packed.decode("utf-8", "surrogatepass")


class Order(msgspec.Struct, array_like=True, gc=False):
    """Run one fragment."""

    index: int
    """The number of the fragment in the table that main and worker share."""
    attempt: int
    """Grows with each order of a run: tells late messages apart, and what came first."""
    continues: bool = False
    """Whether the same worker is going to be given the next fragment of the test."""
    shares: bool = False
    """Whether attributes of the driver have to reach fragments that run elsewhere."""
    last: bool = False
    """Whether the worker shall end afterwards."""
    wanted: bool = False
    """Whether anybody follows who needs the value."""
    values: Values = {}
    """Name of each predecessor (as `packed_name` gives it) and its pickled value; None if it has none."""
    states: list[bytes] = []
    """What predecessors of the same test that ran elsewhere set on their driver."""
    recipe: bytes = b""
    """For a fresh interpreter: how to make the driver; pickled `fresh.Recipe`."""
    parcel: str = ""
    """The parcel that holds the values, if they are too large together for a message."""
    part: int = 0
    """Which part of its desk is for the results, see `workers.desk`."""
    ahead: bool = False
    """Whether it may be taken back: the worker begins only if it gets the ticket."""


class Report(msgspec.Struct, array_like=True, gc=False):
    """How a fragment ended in a worker that lives."""

    attempt: int
    value: bytes | None = None
    raised: str = ""
    aborted: bool = False
    unpicklable: str = ""
    leaks: list[str] = []
    fit: bool = True
    """Whether the worker can take another fragment; if not, it ends now."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    state: bytes | None = None
    on_tray: bool = False
    """Whether results lie on the tray, see `processes.tray`."""
    waits: bool = False
    """Whether the worker does not begin what was laid out for it: main has to read first what was
    written to the standard streams, or it would not know who wrote what."""
    sent_at: float = 0.0
    """When the worker was done with all that, on the clock that never goes back."""


encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_values = msgspec.msgpack.Decoder(Values).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
