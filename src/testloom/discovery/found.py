"""What a walk found, with each name once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from testloom.discovery.problems import relative
from testloom.discovery.terms import Candidate
from testloom.model import reason
from testloom.model.names import shown_line
from testloom.model.test import BrokenTest, ParsedTest


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk found, in the order of paths."""

    tests: list[ParsedTest]
    broken: list[BrokenTest]
    warnings: list[str]
    known: list[str]
    """The names of all tests that were seen, selected or not."""
    missed: list[str]
    """What the user wrote that selects none of them."""


def without_duplicates(
    chosen: Sequence[Candidate], root: str
) -> tuple[list[ParsedTest], list[BrokenTest]]:
    """Return the tests and the broken ones; of tests with one name, the first is kept.

    Each of the others becomes a `BrokenTest` with a name of its own, as results have it that
    come twice in e3-testsuite: ``NAME__except1``.  Paths in messages are relative to *root*.
    """
    tests: list[ParsedTest] = []
    broken: list[BrokenTest] = []
    first: dict[str, Candidate] = {}
    taken = {candidate.name for candidate in chosen}
    counts: dict[str, int] = {}
    for candidate in chosen:
        test = candidate.test
        name = candidate.name
        if first.setdefault(name, candidate) is not candidate:
            number = counts.get(name, 0) + 1
            while f"{name}__except{number}" in taken:
                number += 1
            counts[name] = number
            test = _duplicate(f"{name}__except{number}", candidate, first[name], root)
        if isinstance(test, BrokenTest):
            broken.append(test)
        else:
            tests.append(test)
    return tests, broken


def _duplicate(name: str, second: Candidate, first: Candidate, root: str) -> BrokenTest:
    here, there = (relative(_source(candidate), root) for candidate in (second, first))
    message = f"duplicate test name: {second.name}: {here}: {there} has that name too; rename one"
    return BrokenTest(
        test_name=name,
        test_dir=second.test.test_dir,
        message=shown_line(message),
        reason=reason.DUPLICATE_TEST,
        log=second.test.message if isinstance(second.test, BrokenTest) else "",
        source=_source(second),
        line=second.test.line,
    )


def _source(candidate: Candidate) -> str:
    return candidate.test.source or candidate.test.test_dir or candidate.path
