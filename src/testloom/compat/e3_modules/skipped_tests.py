"""``e3-find-skipped-tests``: the tests that no run of several has run."""

from __future__ import annotations

import argparse

from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import TestStatus

args_parser = argparse.ArgumentParser(
    description="Look for testcases that are always skipped in a set of testsuite reports."
)
args_parser.add_argument(
    "result_dirs",
    metavar="RESULT_DIR",
    nargs="+",
    help="Directory that contains the report to load.",
)


def always_skipped_tests(reports: list[ReportIndex]) -> set[str]:
    """Return the names of the results that are SKIP in each of *reports* that has them."""
    skipped: set[str] = set()
    ran: set[str] = set()
    for report in reports:
        for name, entry in report.entries.items():
            (skipped if entry.status is TestStatus.SKIP else ran).add(name)
    return skipped - ran


def main(argv: list[str] | None = None) -> None:
    """Show the tests that are skipped in all directories of results."""
    args = args_parser.parse_args(argv)
    try:
        reports = [ReportIndex.read(path) for path in args.result_dirs]
    except (OSError, ValueError, AssertionError) as error:
        args_parser.exit(1, f"{args_parser.prog}: {error}\n")
    names = sorted(always_skipped_tests(reports))
    if names:
        lines = ["The following tests are never executed:", *(f"  {name}" for name in names)]
    else:
        lines = ["All testcases are executed at least once."]
    print("\n".join(lines))  # noqa: T201 - a command
