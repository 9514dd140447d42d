"""Reports for people: the lines of the console, and ``e3-testsuite-report``."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any, Protocol, TypeVar

from testloom.compat.e3_modules.index import ReportIndex, ReportIndexEntry
from testloom.compat.e3_modules.results import (
    KNOWN_REASONS,
    TestResultSummary,
    TestStatus,
    status_color,
    summary_of,
)
from testloom.compat.e3_modules.utils import ColorConfig
from testloom.compat.e3_modules.xunit_attachments import add_attachment_options, attachments_of
from testloom.model.log import Log, binary_repr
from testloom.model.result import TestResult as NativeResult

UNREMARKABLE = frozenset({TestStatus.PASS, TestStatus.XFAIL, TestStatus.XPASS, TestStatus.SKIP})
"""Statuses of results whose logs nobody wants to see at once."""
_WITHOUT_LOGS = UNREMARKABLE | {TestStatus.NOT_APPLICABLE}
_RULE = "-" * 79


class SupportsLessThan(Protocol):
    """Something that can be sorted."""

    def __lt__(self, other: Any) -> bool: ...


KeyType = TypeVar("KeyType")


def sorted_counters(
    counters: dict[KeyType, int], key: Callable[[KeyType], SupportsLessThan]
) -> list[tuple[KeyType, int]]:
    """Return those of *counters* that are not zero, sorted by *key*."""
    return sorted(((k, n) for k, n in counters.items() if n), key=lambda item: key(item[0]))


def summary_line(result: TestResultSummary, colors: ColorConfig, show_time_info: bool) -> str:
    """Return the line that says how a test ended."""
    style = colors.Style
    time = _time_of(result.time) if show_time_info and result.time is not None else ""
    line = (
        f"{status_color(result.status, colors)}{result.status.name:<8}{style.RESET_ALL}"
        f" {style.DIM}{time:>6}{style.NORMAL}"
        f" {style.BRIGHT}{result.test_name}{style.NORMAL}"
    )
    if result.msg:
        line += f": {style.DIM}{result.msg}{style.NORMAL}"
    return line


def _time_of(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}m{int(seconds) % 60:02d}s"


def error_output(result: NativeResult) -> str:
    """Return what explains *result* best: the difference if there is one, else its log."""
    diff = _text(result.diff)
    return diff or _text(result.log)


def _text(log: object) -> str:
    if log is None:
        return ""
    return binary_repr(log) if isinstance(log, bytes) else str(log)


def format_result_logs(
    result: NativeResult, colors: ColorConfig, show_error_output: bool, show_time_info: bool
) -> list[str]:
    """Return the lines that show *result*, with its logs if they are wanted."""
    style = colors.Style
    line = summary_line(summary_of(result), colors, show_time_info)
    if not show_error_output:
        return [line]
    logs = error_output(result) or f"{style.DIM}<all logs are empty>"
    return [_RULE, line, _RULE, "", logs, str(style.RESET_ALL)]


@dataclasses.dataclass(frozen=True)
class _Category:
    """Results of one kind, under one heading."""

    heading: str
    status: TestStatus
    entries: list[ReportIndexEntry]
    always: bool = False
    """Whether it is shown even if it is empty."""


def generate_report(
    output_file: IO[str],
    new_index: ReportIndex,
    old_index: ReportIndex | None,
    colors: ColorConfig,
    show_all_logs: bool,
    show_xfail_logs: bool,
    show_error_output: bool,
    show_time_info: bool,
) -> None:
    """Write a report on the results of *new_index*, compared with *old_index*, to *output_file*."""

    def say(text: str = "") -> None:
        output_file.write(f"{text}\n")

    style = colors.Style
    say(f"{style.BRIGHT}Summary:{style.NORMAL}")
    say()
    for line in _count_lines(new_index, old_index, colors):
        say(line)
    say()
    categories = _categories(new_index, old_index)
    say("  The following results may need further investigation:")
    for category in categories:
        if category.entries or category.always:
            _show_category(say, category, colors)
    wanted = _with_logs(
        new_index, categories, show_all=show_all_logs, show_xfail=show_xfail_logs or show_all_logs
    )
    say(f"{style.BRIGHT}Result logs:{style.NORMAL}")
    say()
    if not wanted:
        say(f"{style.DIM}No relevant logs to display{style.RESET_ALL}")
    for entry in wanted:
        for line in format_result_logs(_loaded(entry), colors, show_error_output, show_time_info):
            say(line)


def _loaded(entry: ReportIndexEntry) -> NativeResult:
    """Return the result of *entry*; if its file cannot be read, an ERROR that says so."""
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - whatever is in the file, the report goes on
        result = NativeResult(f"{entry.test_name}__error", status=TestStatus.ERROR)
        result.msg = "YAML loading error for the test result"
        result.log = Log(f"{entry.filename}: {error}\n")
        return result


def _count_lines(new: ReportIndex, old: ReportIndex | None, colors: ColorConfig) -> Iterable[str]:
    total = len(new.entries)
    yield f"  Out of {total} results"
    yield f"  {total - len(_skipped(new))} executed (not skipped)"
    if old is not None:
        yield f"  {len(_skipped(new) - _skipped(old))} new skipped test(s)"
        yield f"  {len(old.entries.keys() - new.entries.keys())} removed test(s)"
        yield ""
    for status, count in sorted_counters(new.status_counters, lambda status: status.value):
        name = f"{status_color(status, colors)}{status.name:<12}{colors.Style.RESET_ALL}"
        reasons = _reasons(new, status)
        yield f"  {name} {count}" + (", including:" if reasons else "")
        for reason, number in reasons:
            yield f"    {reason:<12} {number}"


def _skipped(index: ReportIndex) -> set[str]:
    return {name for name, it in index.entries.items() if it.status is TestStatus.SKIP}


def _reasons(index: ReportIndex, status: TestStatus) -> list[tuple[str, int]]:
    if status is not TestStatus.FAIL:
        return []
    counts = collections.Counter(
        reason
        for entry in index.entries.values()
        if entry.status is status
        for reason in entry.failure_reasons & KNOWN_REASONS
    )
    in_order = sorted_counters(counts, lambda reason: reason.value)
    return [(reason.name, count) for reason, count in in_order]


def _categories(new: ReportIndex, old: ReportIndex | None) -> list[_Category]:
    before = old.entries if old is not None else {}

    def had_failed(entry: ReportIndexEntry) -> bool:
        past = before.get(entry.test_name)
        return past is not None and past.status is TestStatus.FAIL

    def those(status: TestStatus) -> list[ReportIndexEntry]:
        found = [entry for entry in new.entries.values() if entry.status is status]
        return sorted(found, key=lambda entry: entry.test_name)

    failed, passed = those(TestStatus.FAIL), those(TestStatus.PASS)
    return [
        _Category(
            "new failure(s)", TestStatus.FAIL, [e for e in failed if not had_failed(e)], always=True
        ),
        _Category(
            "already detected failure(s)", TestStatus.FAIL, [e for e in failed if had_failed(e)]
        ),
        _Category("fixed failure(s)", TestStatus.PASS, [e for e in passed if had_failed(e)]),
        _Category("expected failure(s)", TestStatus.XFAIL, those(TestStatus.XFAIL)),
        _Category("unexpected passed test(s)", TestStatus.XPASS, those(TestStatus.XPASS)),
        _Category(
            "test(s) requiring additional verification",
            TestStatus.VERIFY,
            those(TestStatus.VERIFY),
        ),
        _Category(
            "test(s) aborted due to unknown error", TestStatus.ERROR, those(TestStatus.ERROR)
        ),
    ]


def _show_category(say: Callable[[str], None], category: _Category, colors: ColorConfig) -> None:
    style = colors.Style
    color = status_color(category.status, colors)
    if category.always:
        color += style.BRIGHT
    say(f"  {color}{len(category.entries)} {category.heading}{style.RESET_ALL}:")
    for entry in category.entries:
        message = f": {style.DIM}{entry.msg}{style.NORMAL}" if entry.msg else ""
        say(f"    {entry.test_name}{message}")
    say("")


def _with_logs(
    index: ReportIndex, categories: list[_Category], *, show_all: bool, show_xfail: bool
) -> list[ReportIndexEntry]:
    """Return the results whose logs are to be shown: those of the categories come first."""
    shown: dict[str, ReportIndexEntry] = {}
    for category in categories:
        if category.status is TestStatus.PASS:
            continue
        if category.status is TestStatus.XFAIL and not show_xfail:
            continue
        if category.status is TestStatus.XPASS and not show_all:
            continue
        shown.update((entry.test_name, entry) for entry in category.entries)
    if show_all:
        for name in sorted(index.entries):
            shown.setdefault(name, index.entries[name])
    return list(shown.values())


args_parser = argparse.ArgumentParser(description="Display the results of a testsuite.")
args_parser.add_argument(
    "--force-colors", "-C", action="store_true", help="Force the use of colors in the output."
)
args_parser.add_argument(
    "--all-logs", "-a", action="store_true", help="Show logs for all tests, even if successful."
)
args_parser.add_argument(
    "--xfail-logs", action="store_true", help="Display the log of XFAIL tests."
)
args_parser.add_argument(
    "--show-error-output",
    "-E",
    action="store_true",
    default=True,
    help="Display the log of test failures. Enabled by default.",
)
args_parser.add_argument(
    "--no-error-output",
    action="store_false",
    dest="show_error_output",
    help="Do not display test output logs.",
)
args_parser.add_argument(
    "--show-time-info",
    action="store_true",
    help="Display time information for test results, if available.",
)
args_parser.add_argument(
    "--xunit-name", metavar="NAME", default="Untitled testsuite", help="Name of the XUnit report."
)
args_parser.add_argument("--xunit-output", metavar="FILE", help="Write an XUnit report to FILE.")
add_attachment_options(args_parser)
args_parser.add_argument(
    "--old-result-dir",
    help="Results of a previous run, to tell new failures from those already detected.",
)
args_parser.add_argument(
    "--failure-exit-code",
    metavar="N",
    type=int,
    default=0,
    help="Exit code when a result is a failure or an error. By default, this is 0.",
)
args_parser.add_argument(
    "result_dir",
    metavar="RESULT_DIR",
    nargs="?",
    default=os.path.join("out", "new"),
    help="Directory with the results. By default, 'out/new'.",
)


def main(argv: list[str] | None = None) -> int:
    """Show the results in a directory; return the exit status."""
    args = args_parser.parse_args(argv)
    try:
        attachments = attachments_of(args)
        new = ReportIndex.read(args.result_dir)
        old = ReportIndex.read(args.old_result_dir) if args.old_result_dir else None
    except (OSError, ValueError, AssertionError) as error:
        print(f"{args_parser.prog}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    enabled = True if args.force_colors else None
    generate_report(
        output_file=sys.stdout,
        new_index=new,
        old_index=old,
        colors=ColorConfig(enabled),
        show_all_logs=args.all_logs,
        show_xfail_logs=args.xfail_logs,
        show_error_output=args.show_error_output,
        show_time_info=args.show_time_info,
    )
    if args.xunit_output:
        # Only now: a run has its lines from this module, and need not have a report.
        from testloom.compat.e3_modules.xunit import dump_xunit_report  # noqa: PLC0415 - see above

        dump_xunit_report(args.xunit_name, new, args.xunit_output, attachments)
    return args.failure_exit_code if new.has_failures else 0
