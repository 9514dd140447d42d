"""Who runs when: the peers are found, tried out on a tiny tree, and then take turns."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from environments import Environments, Missing, on_path
from measure import Sample, measure
from peers import PEERS, Peer
from table import Row
from trees import Tree, grow

REHEARSAL_TESTS = 10
LITTER = ("out", "tmp", "ctest/Testing", "ctest-compare/Testing")
"""What a run leaves in its place."""
LIMIT_S = 1800.0
"""A run that takes longer is killed and counts as trouble."""


@dataclass(slots=True)
class Entry:
    """A peer with a number of jobs in a place, and what its runs gave so far."""

    peer: Peer
    jobs: int
    tests: int
    place: Path
    samples: list[Sample] = field(default_factory=list)
    trouble: str = ""

    def run(self) -> None:
        """Run once in a clean place and keep the sample, or say what went wrong."""
        for litter in LITTER:
            shutil.rmtree(self.place / litter, ignore_errors=True)
        (self.place / "out").mkdir()
        (self.place / "tmp").mkdir()
        try:
            sample = measure(self.peer.command(self.place, self.jobs), limit_s=LIMIT_S)
        except TimeoutError as error:
            self.trouble = str(error)
            return
        passed = self.peer.passed(self.place, self.tests)
        if sample.exit_code:
            self.trouble = f"exit code {sample.exit_code}: {self.last_words()}"
        elif passed != self.tests:
            self.trouble = f"{passed} of {self.tests} tests passed: {self.last_words()}"
        else:
            self.samples.append(sample)

    def last_words(self) -> str:
        """Return the last line the runner printed."""
        console = self.place / "out" / "console.txt"
        lines = console.read_text(errors="replace").split("\n") if console.is_file() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "no output")

    def row(self) -> Row:
        return Row(
            peer=self.peer.name,
            jobs=self.jobs,
            tests=self.tests,
            samples=tuple(self.samples),
            trouble=self.trouble,
        )


def found(names: Iterable[str], environments: Environments) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers called *names* that are here, and for the others (by name) why not."""
    peers, missing = [], {}
    for kind in PEERS:
        if kind.name in names:
            try:
                for program in kind.needs:
                    on_path(program)
                peers.append(kind(environments.path_of(kind.tool)))
            except Missing as error:
                missing[kind.name] = str(error)
    return peers, missing


def rehearsed(
    peers: Iterable[Peer], work: Path, all_jobs: Sequence[int]
) -> tuple[list[Peer], dict[str, str]]:
    """Run each of *peers* on a tiny tree; return those that passed, and why others did not.

    This also has everybody's byte code compiled and programs in the page cache.
    """
    shutil.rmtree(work, ignore_errors=True)
    good, failed = [], {}
    for peer in peers:
        try:
            entry, *_ = trees_grown([peer], work, REHEARSAL_TESTS, all_jobs, first=True)
        except Missing as error:
            failed[peer.name] = f"while preparing: {error}"
            continue
        entry.run()
        if entry.trouble:
            failed[peer.name] = f"in a rehearsal: {entry.trouble}"
        else:
            good.append(peer)
    return good, failed


def trees_grown(
    peers: Iterable[Peer], work: Path, tests: int, all_jobs: Sequence[int], *, first: bool
) -> list[Entry]:
    """Write what *peers* need for *tests* tests below *work*; return the entries, not yet run.

    A peer that is too slow for so many gets fewer, but only if this is the *first* table: in the
    next it would be measured on the same tests again.
    """
    entries = []
    for peer in peers:
        count = min(tests, peer.most_tests or tests)
        if count < tests and not first:
            continue
        tree = Tree(work / str(count) / "tests", count)
        if not tree.root.exists():
            grow(tree)
        peer.prepare(tree)
        for jobs in all_jobs if peer.parallel else [1]:
            entries.append(Entry(peer, jobs, count, tree.place))  # noqa: PERF401 - plain to read
    return entries


def take_turns(entries: Sequence[Entry], rounds: int) -> None:
    """Run each entry once a round; who begins changes from round to round."""
    for number in range(rounds):
        first = number % len(entries)
        for entry in (*entries[first:], *entries[:first]):
            if not entry.trouble:
                entry.run()
                title = f"{entry.peer.name} -j{entry.jobs}, {entry.tests} tests"
                said = entry.trouble or f"{entry.samples[-1].wall_s:.2f} s"
                print(f"round {number + 1} of {rounds}: {title}: {said}", file=sys.stderr)
