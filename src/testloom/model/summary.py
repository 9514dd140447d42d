"""What a run came to: the one value that every report reads.

It holds one small entry a result; the result itself, with its logs, is loaded on demand from
wherever the run keeps it (the journal), so that a summary of 100,000 tests fits in memory.
"""

from __future__ import annotations

import collections
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from testloom.model.compare import Comparison
from testloom.model.history import NO_HISTORY, History
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.status import BAD_STATUSES, PASSING_STATUSES, TestStatus


class ResultFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is said of a result wherever it stands: in memory, in a journal, in a report."""

    name: str
    test: str
    """Name of the test that it is a result of; often `name` itself."""
    message: str = ""
    reason: str = ""
    failure_reasons: tuple[str, ...] = ()
    time_s: float | None = None
    """Wall-clock seconds of the test's fragments."""
    cpu_s: float | None = None
    """CPU seconds of the test's fragments and the programs they ran."""
    memory_bytes: int = 0
    """The most that one of its programs had in memory; 0 if that is not known."""
    slot: int = -1
    """The slot in which it was pushed; -1 if it never ran."""
    started_s: float = 0.0
    """Seconds from the beginning of the run to the start of the fragment that pushed it."""
    driver: str = ""
    """Name of the driver class."""
    source: str = ""
    """Path of the file that defines the test, relative to the suite's root where possible."""
    line: int = 1
    tags: tuple[str, ...] = ()
    attempt: int = 1
    """Which attempt at its test this is the result of."""
    max_attempts: int = 1
    """How many attempts the test might have had."""
    info: Mapping[str, str] = {}

    def facts(self) -> dict[str, Any]:
        """Return the facts by name, without what a subclass adds."""
        return dict(zip(ResultFacts.__struct_fields__, _facts_of(self), strict=True))


_facts_of: Callable[[ResultFacts], tuple[Any, ...]] = operator.attrgetter(
    *ResultFacts.__struct_fields__
)


class ResultEntry(ResultFacts, frozen=True, kw_only=True, gc=False):
    """One result of a run, without its logs."""

    status: TestStatus
    place: int = -1
    """Where `Summary.load` finds the whole record; -1 if nothing more is known."""
    earlier: tuple[ResultEntry, ...] = ()
    """Results of earlier attempts, oldest first; `Summary.load` finds their records, too."""

    @property
    def is_flaky(self) -> bool:
        """Whether it passed after an attempt of the same run that did not."""
        if not self.earlier:
            return False
        return self.status in PASSING_STATUSES and any(one.status.is_bad for one in self.earlier)

    @property
    def tries(self) -> str:
        """Which attempt of how many this was, such as ``2/3``."""
        return f"{self.attempt}/{max(self.attempt, self.max_attempts)}"


class RunPart(msgspec.Struct, frozen=True, kw_only=True):
    """One of the runs that a merged run is made of; their slots stand one behind the other."""

    name: str
    """Which shard it was, such as ``2/4``, else its id."""
    jobs: int
    host: str = ""


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run as a whole."""

    run_id: str
    suite: str
    root: str
    """Absolute path of the suite's root directory."""
    output_dir: str
    command: tuple[str, ...]
    """How the run was started, for people: the program and its arguments."""
    jobs: int
    started_at: float
    """Seconds since the epoch."""
    duration_s: float = 0.0
    host: str = ""
    platform: str = ""
    stopped: str = ""
    """Why the run ended before everything had run, else empty."""
    selected: int = 0
    """How many tests were selected."""
    commit: str = ""
    """The commit of the sources that are tested; empty if that is not known."""
    branch: str = ""
    shard: str = ""
    """Which share of the tests it has, such as ``2/4``; empty if it has all."""
    shard_plan: str = ""
    """Digest of how the tests were divided: the same for all shares that belong together."""
    parts: tuple[RunPart, ...] = ()
    """The runs that it was merged from."""
    resumes: str = ""
    """Name of the run that this one goes on with; empty if there is none."""
    seed: int | None = None
    """What the random order of tests depends on; None if it is not random."""
    environment: Mapping[str, str] = {}
    """The variables of the environment, without secrets; see `testloom.model.secrets`."""
    versions: Mapping[str, str] = {}
    """What else may matter: versions of testloom and Python, the number of cores."""

    def part_of(self, slot: int) -> int:
        """Return which of the `parts` had *slot*; -1 if none had."""
        for at, part in enumerate(self.parts):
            if 0 <= slot < part.jobs:
                return at
            slot -= part.jobs
        return -1


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run and its results, in the order in which they came."""

    run: RunInfo
    entries: Sequence[ResultEntry]
    load: Callable[[ResultEntry], ResultRecord]
    """Return the whole record of an entry, from wherever it is kept."""
    notes: Sequence[str] = ()
    """What the run wants people to know besides results: one line each."""
    spans: Callable[[], Iterable[FragmentSpan]] = tuple
    """Return when which fragment ran, in the order in which they ended; it reads the journal."""
    history: History = NO_HISTORY
    """What earlier runs found out; read when it is asked."""
    changes: Comparison | None = None
    """What changed since each test ran last; None if nothing is known of that."""
    pending: int = 0
    """How many outputs wait to be accepted as baselines, or to be rejected."""

    @property
    def counts(self) -> Mapping[TestStatus, int]:
        """How many results have each status; statuses that do not occur are not there."""
        found = collections.Counter(entry.status for entry in self.entries)
        return {status: found[status] for status in TestStatus if found[status]}

    @property
    def passed(self) -> int:
        return sum(n for status, n in self.counts.items() if status in PASSING_STATUSES)

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.counts.items() if status in BAD_STATUSES)

    @property
    def skipped(self) -> int:
        return sum(self.counts.values()) - self.passed - self.failed

    @property
    def flaky(self) -> int:
        """How many of those that passed did so after an attempt that did not."""
        return sum(entry.is_flaky for entry in self.entries)

    @property
    def last_line(self) -> str:
        """The line that people and tools look for at the end of a run."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
