"""Makes one run of several: the shards of a suite, or runs of parts of it.

The archives are read as streams, twice: first to see whether they belong together, then to copy
their records.  What is in memory is the names of the tests, and one record at a time.

The merged run has the slots of all, one machine's behind the other's, and the times of each.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from testloom.journal import format as form
from testloom.journal.archive import Archive, writing
from testloom.model.errors import UsageError
from testloom.model.summary import RunInfo, RunPart

_SHARD: Final = re.compile(r"(\d+)/(\d+)")


class _Part(msgspec.Struct):
    """What is known of one archive after the first reading."""

    archive: Archive
    start: form.RunStart
    names: list[str] = []
    end: form.RunEnd | None = None
    fragments: int = 0
    """How many are named in its `Edges`."""
    is_torn: bool = False

    @property
    def run(self) -> RunInfo:
        return self.start.run

    @property
    def shard(self) -> tuple[int, int] | None:
        found = _SHARD.fullmatch(self.run.shard)
        return (int(found[1]), int(found[2])) if found else None


def merge(paths: Sequence[str], target: str, *, partial: bool = False) -> RunInfo:
    """Make *target* the archive of the run that those at *paths* are the parts of.

    Shards must all be there, unless the run is to be *partial*.

    Raises:
        UsageError: they do not belong together, or one is no archive.
        OSError: *target* cannot be written.
    """
    with contextlib.ExitStack() as stack:
        archives = [stack.enter_context(contextlib.closing(Archive(path))) for path in paths]
        parts = [_looked_at(archive) for archive in archives]
        _check_together(parts, partial=partial)
        run = _merged(parts)
        with writing(target, run_id=run.run_id, suite=run.suite) as stream:
            for record in _records(parts, run):
                stream.write(record)
    return run


def _looked_at(archive: Archive) -> _Part:
    part: _Part | None = None
    end = 0
    with archive.journal() as stream:
        for place, data in form.records_in(stream, archive.size):
            end = place + form.HEADER_SIZE + len(data) + 1
            if part is None:
                part = _Part(archive, _start(archive, data))
            match form.decode(data) if data.startswith(_LOOKED_AT) else None:
                case form.Tests(tests=tests):
                    part.names += [test.name for test in tests]
                case form.Edges(uids=uids):
                    part.fragments += len(uids)
                case form.RunEnd() as run_end:
                    part.end = run_end
    if part is None:
        raise UsageError(f"{archive.path}: its journal holds no run; archive that run again")
    part.is_torn = end != archive.size
    return part


_LOOKED_AT: Final = (b'{"type":"tests"', b'{"type":"edges"', b'{"type":"run-end"')


def _start(archive: Archive, data: bytes) -> form.RunStart:
    version = form.format_of(data)
    start = form.decode(data)
    if version is None or version > form.FORMAT or not isinstance(start, form.RunStart):
        raise UsageError(
            f"{archive.path}: its journal cannot be read here (format {version}, this testloom"
            f" reads up to {form.FORMAT}); upgrade testloom"
        )
    return start


def _check_together(parts: Sequence[_Part], *, partial: bool) -> None:
    """See that *parts* are of one suite, and that no test is in two of them."""
    first = parts[0]
    for part in parts[1:]:
        if part.run.suite != first.run.suite:
            raise UsageError(
                f"{part.archive.path}: is a run of suite {part.run.suite!r}, and"
                f" {first.archive.path} of {first.run.suite!r}; merge runs of one suite"
            )
    _check_shards(parts, partial=partial)
    holder: dict[str, str] = {}
    for part in parts:
        for name in part.names:
            other = holder.setdefault(name, part.archive.path)
            if other is not part.archive.path:
                raise UsageError(
                    f"{part.archive.path}: test {name!r} is in {other}, too; merge runs that have"
                    " no test in common"
                )


def _check_shards(parts: Sequence[_Part], *, partial: bool) -> None:
    first = parts[0]
    seen: dict[int, str] = {}
    for part in parts:
        path, shard = part.archive.path, part.shard
        if (shard is None) != (first.shard is None):
            raise UsageError(f"{path}: only some of the runs are shards; merge the shards alone")
        if shard is None or first.shard is None:
            continue
        number, count = shard
        if count != first.shard[1] or part.run.shard_plan != first.run.shard_plan:
            raise UsageError(
                f"{path}: is shard {part.run.shard} of another division than"
                f" {first.archive.path}; the tests, or the times they were divided by, differ:"
                " give all shards the same --shard-times"
            )
        if number in seen:
            raise UsageError(f"{path}: is shard {part.run.shard}, and so is {seen[number]}")
        seen[number] = path
    if first.shard is not None and not partial:
        missing = [n for n in range(1, first.shard[1] + 1) if n not in seen]
        if missing:
            named = ", ".join(f"{n}/{first.shard[1]}" for n in missing[:5])
            raise UsageError(f"shard {named} is missing; name its archive, or give --partial")


def _merged(parts: Sequence[_Part]) -> RunInfo:
    """Return what is known of the merged run."""
    runs = [part.run for part in parts]
    hosts = dict.fromkeys(run.host for run in runs if run.host)
    first = min(runs, key=lambda run: run.started_at)
    return msgspec.structs.replace(
        first,
        jobs=sum(run.jobs for run in runs),
        host=", ".join(hosts),
        selected=sum(run.selected for run in runs),
        resumes="",
        seed=None,
        shard="",
        shard_plan="",
        parts=tuple(each for run in runs for each in run.parts or (_part_of(run),)),
    )


def _part_of(run: RunInfo) -> RunPart:
    return RunPart(name=run.shard or run.run_id, jobs=run.jobs, host=run.host)


def _records(parts: Sequence[_Part], run: RunInfo) -> Iterator[bytes]:
    """Yield the records of the merged journal."""
    names = [name for part in parts for name in part.names]
    start = form.RunStart(
        t=0.0,
        format=form.FORMAT,
        run=run,
        selection=form.selection_hash(names),
        tests=len(names),
    )
    yield form.encode(start)
    slots = fragments = 0
    for part in parts:
        for record in _copied(part, slots, fragments):
            yield form.encode(record)
        slots += part.run.jobs
        fragments += part.fragments
    ends = [part.end for part in parts]
    if all(end is not None for end in ends) and not any(part.is_torn for part in parts):
        known = [end for end in ends if end is not None]
        stopped = dict.fromkeys(end.stopped for end in known if end.stopped)
        yield form.encode(
            form.RunEnd(
                t=max(end.t for end in known),
                duration_s=max(end.duration_s for end in known),
                stopped="; ".join(stopped),
                exit_code=max(end.exit_code for end in known),
            )
        )


def _copied(part: _Part, slots: int, fragments: int) -> Iterator[form.Written]:
    """Yield the records of *part*, its slots and its fragments numbered from there on."""

    def placed(slot: int) -> int:
        return slot + slots if slot >= 0 else slot

    with part.archive.journal() as stream:
        for _, data in form.records_in(stream, part.archive.size):
            whole = form.decode_whole(data)
            if whole is not None:
                yield msgspec.structs.replace(whole, slot=placed(whole.slot))
                continue
            record = form.decode(data)
            match record:
                case form.Tests() | form.TestEnd():
                    yield record
                case form.FragmentStart() | form.FragmentEnd():
                    yield msgspec.structs.replace(record, slot=placed(record.slot))
                case form.Edges(after=after):
                    moved = tuple(tuple(place + fragments for place in each) for each in after)
                    yield msgspec.structs.replace(record, after=moved)
