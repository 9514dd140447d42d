"""When fragments ran and what they waited for, read from a journal one after the other.

Nothing of this is in memory while a run goes on: who wants it reads the journal once more.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from testloom.journal import format as form
from testloom.model.span import FragmentSpan

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FRAGMENTS_A_RECORD: Final = 1000
_BUFFER: Final = 1 << 20
_WANTED: Final = (b'{"type":"fragment-', b'{"type":"edges"')
"""How the records begin that matter here; the others, which are most of a journal, do not."""


def edges_of(predecessors: Mapping[str, AbstractSet[str]], t: float) -> Iterator[form.Edges]:
    """Return the records that say what each fragment follows; none if no fragment follows any.

    *predecessors* has every fragment, and every one that it names.
    """
    linked: set[str] = set()
    for uid, before in predecessors.items():
        if before:
            linked.add(uid)
            linked.update(before)
    uids = [uid for uid in predecessors if uid in linked]
    places = {uid: place for place, uid in enumerate(uids)}
    for at in range(0, len(uids), _FRAGMENTS_A_RECORD):
        batch = tuple(uids[at : at + _FRAGMENTS_A_RECORD])
        after = tuple(tuple(sorted(places[it] for it in predecessors[uid])) for uid in batch)
        yield form.Edges(t=t, uids=batch, after=after)


def spans_in(path: str) -> Iterator[FragmentSpan]:
    """Yield the fragments that ran, from the journal at *path*, in the order in which they ended.

    Those that did not end come last.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb", buffering=_BUFFER) as file:
        yield from _spans(file, os.fstat(file.fileno()).st_size)


def spans_from(fd: int) -> Iterator[FragmentSpan]:
    """Yield the same from the journal that is open as *fd*, whose position stays as it is."""
    file = io.BufferedReader(_Positioned(fd), _BUFFER)
    yield from _spans(cast("BinaryIO", file), os.fstat(fd).st_size)


def _spans(file: BinaryIO, size: int) -> Iterator[FragmentSpan]:
    uids: list[str] = []
    follows: dict[str, tuple[int, ...]] = {}
    running: dict[str, form.FragmentStart] = {}
    data = b""

    def span(start: form.FragmentStart, ended_s: float, end: str, cpu_s: float) -> FragmentSpan:
        return FragmentSpan(
            uid=start.uid,
            test=start.test,
            name=start.uid.removeprefix(f"{start.test}."),
            slot=start.slot,
            attempt=start.attempt,
            started_s=start.t,
            ended_s=ended_s,
            cpu_s=cpu_s,
            end=end,
            # What comes from elsewhere may name fragments that it does not have.
            after=tuple(uids[n] for n in follows.get(start.uid, ()) if 0 <= n < len(uids)),
        )

    for _, data in form.records_in(file, size, _WANTED):
        if not data.startswith(_WANTED):
            continue
        match form.decode(data):
            case form.Edges() as edges:
                uids.extend(edges.uids)
                follows.update(zip(edges.uids, edges.after, strict=False))
            case form.FragmentStart() as start:
                running[start.uid] = start
            case form.FragmentEnd() as end:
                started = running.pop(end.uid, None)
                if started is not None:
                    yield span(started, started.t + end.wall_s, end.end, end.cpu_s)
    last_t = form.time_of(data)
    for start in running.values():
        yield span(start, max(start.t, last_t), "", 0.0)


class _Positioned(io.RawIOBase):
    """Reads a file that others use, too, from its beginning."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset if whence == os.SEEK_SET else self._at + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = os.preadv(self._fd, [buffer], self._at)
        self._at += count
        return count
