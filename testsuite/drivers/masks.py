"""What of testloom's output differs from run to run, and what is put in its place.

In the order in which the masks are applied.  All that they touch is in `MASKS`: whoever wonders
why a difference was not noticed finds the answer here.
"""

from __future__ import annotations

from typing import Any

from testloom.drivers import OutputRefiner, PatternSubstitute

_SECONDS = r"\d+(?:\.\d+)?(?:e-?\d+)?"


def _mask(pattern: str, replacement: str) -> OutputRefiner[Any]:
    return PatternSubstitute(f"(?m){pattern}", replacement)


MASKS = (
    # Names of runs and of temporary directories.
    _mask(r"\b20\d{6}-\d{6}-[0-9a-f]{5}\b", "<run>"),
    _mask(r"<work>/tmp/testloom-\w+", "<tmp>"),
    # Signs of life that a run gives when it takes long.
    _mask(r"^\[ *\d+%\] \d+/\d+.*\n", ""),
    # A long line of a log is cut, and how long this is depends on where people keep such files.
    _mask(r"\(cwd=[^)\n]*(?:\)|…$)", "(cwd=<tmp>)"),
    # The rule above a result ends with its time, and gets shorter as that gets longer.
    _mask(r"─{2,} \d[\d.]*s((?: · slot \d+)?(?: · try \d+/\d+)?) ──$", r"── <time>\1 ──"),
    _mask(r"^( Slowest  ).*(?:\n {9,}\d[\d.]*s  .*)*", r"\1<tests and times>"),
    _mask(rf"\bin {_SECONDS} ?s\b", "in <time>"),
    # Reports.
    _mask(
        rf'(time|time_s|cpu_s|wall_s|started_s|duration_s|started_at)(=|": ?)"?{_SECONDS}"?',
        r"\1\2<time>",
    ),
    _mask(r'("memory_bytes":)[1-9]\d*', r"\1<bytes>"),
    _mask(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", "<instant>"),
    _mask(r'(\bhostname=|"host": ?)"[^"]*"', r'\1"<host>"'),
    _mask(r"\bon \S+ since\b", "on <host> since"),
    _mask(r"\blinux-\w+\b", "<platform>"),
    # The system's numbers, and what the interpreter says of itself.
    _mask(r"\b(pid|process) \d+", r"\1 <number>"),
    _mask(r"\b0x[0-9a-f]{6,}\b", "<address>"),
    _mask(r"^[ │]+[~^]+ *\n", ""),
    _mask(r'^[ │]*File "[^"]*/testloom/\w+/\w+\.py", line \d+, in \w+\n(?:[ │]* {4}.*\n)*', ""),
)
"""Refiners of all output of inner runs."""
