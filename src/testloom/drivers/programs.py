"""What drivers need around running a program: its input, its record in a result, its verdict.

Statuses and texts of programs that did not end by themselves are those that existing suites look
for: 2 and ``rlimit: Real time limit (N s) exceeded`` when its time was up, 5 and ``rlimit: could
not run ...`` when it could not be started.  A death by signal N is 128 + N, as shells say it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final, TypeAlias, assert_never

from testloom.model import reason
from testloom.model.log import binary_repr
from testloom.model.names import encodable
from testloom.model.outcome import (
    Exited,
    Killed,
    NotStarted,
    OutOfMemory,
    OutputLimit,
    ProgramEnd,
    TimedOut,
    headline,
)
from testloom.model.result import TestResult
from testloom.model.status import FailureReason
from testloom.processes.launcher import ProgramRun

DEVNULL: Final = -3
"""Stands for no input; `subprocess.DEVNULL` and the ``DEVNULL`` of e3 are the same number."""

Stdin: TypeAlias = "int | str | bytes | os.PathLike[str] | IO[Any] | None"
"""See `input_of`."""

MAX_SHOWN: Final = 1 << 20
"""Characters of one program's output that a result keeps in its log."""

DOING: Final = "What it was doing when its time was up:"
"""Stands in a log above the processes of a program that was ended."""

_STATUS_TIMED_OUT: Final = 2
_STATUS_NOT_STARTED: Final = 5
# Everything that needs no quotes; letters beyond ASCII never do.
_PLAIN: Final = re.compile(r"""[^\x00- "#$&'()*;<>?[\\`|~\x7f]+""")


def status_of(end: ProgramEnd) -> int:
    """Return one number for how a program ended: its exit status if it has one."""
    match end:
        case Exited(code):
            return code
        case Killed(signum):
            return 128 + signum
        case TimedOut():
            return _STATUS_TIMED_OUT
        case OutputLimit():
            return 128 + 15
        case OutOfMemory():
            return 128 + 9
        case NotStarted():
            return _STATUS_NOT_STARTED
        case _:
            assert_never(end)


def epilogue(end: ProgramEnd, argv: Sequence[str]) -> str:
    """Return what is put behind a program's output to say that it did not end by itself.

    A test that takes any exit status still sees it in the output that it compares.
    """
    match end:
        case TimedOut(after_s):
            return f"rlimit: Real time limit ({after_s:g} s) exceeded\n"
        case NotStarted(why):
            return f'rlimit: could not run "{argv[0]}": execvp: {why.rpartition(": ")[2]}\n'
        case OutputLimit() | OutOfMemory():
            return f"\n{headline(end)}\n"
        case _:
            return ""


def blame(result: TestResult, end: ProgramEnd) -> str:
    """Note in *result* why a program that ended as *end* failed; return the message."""
    match end:
        case Exited(code):
            why, family = reason.exited(code), None
            message = "non-zero status code"
        case Killed(signum):
            why, family = reason.crash(signum), FailureReason.CRASH
            message = headline(end)
        case TimedOut():
            why, family = reason.TIMEOUT, FailureReason.TIMEOUT
            message = headline(end)
        case OutputLimit():
            why, family = reason.OUTPUT_LIMIT, FailureReason.OUTPUT_LIMIT
            message = headline(end)
        case OutOfMemory():
            why, family = reason.OOM, FailureReason.CRASH
            message = headline(end)
        case NotStarted():
            why, family = reason.CONFIG, None
            message = headline(end)
        case _:
            assert_never(end)
    result.reason = result.reason or why
    if family is not None:
        result.failure_reasons.add(family)
    return message


def record(
    result: TestResult,
    run: ProgramRun,
    *,
    argv: Sequence[str],
    cwd: str,
    output: str | bytes,
    errors: str | bytes | None = None,
    line_count: int,
) -> None:
    """Add a run of *argv* to the log and the list of processes of *result*.

    Args:
        result: what to add to.
        run: how it went.
        argv: the program and its arguments.
        cwd: where it ran.
        output: what it wrote.
        errors: what it wrote to stderr, if that was kept apart.
        line_count: how many lines to show of the beginning and of the end; 0 shows all.
    """
    status = status_of(run.end)
    shown = text_of(output)
    log = f"Status code: {status}\nOutput: \n{cut(shown, line_count)}\n"
    process: dict[str, Any] = {
        "cmd": list(argv),
        "cwd": cwd,
        "status": status,
        "output": _clipped(shown),
        "wall_s": run.wall_s,
        "cpu_s": run.cpu_s,
        "max_rss_bytes": run.max_rss_bytes,
    }
    if errors is not None:
        shown = text_of(errors)
        process["errors"] = _clipped(shown)
        if shown:
            log = f"{log}Errors: \n{cut(shown, line_count)}\n"
    if run.doing:
        log += "".join([f"{DOING}\n", *(f"  {encodable(line)}\n" for line in run.doing)])
    note(result, log)
    result.processes.append(process)
    if run.leaked:
        before = result.info.get("leak")
        result.info["leak"] = ", ".join((*([before] if before else []), *run.leaked))


def note(result: TestResult, text: str) -> None:
    """Append *text* to the log of *result*."""
    result.log += text  # type: ignore[operator]  # the log of a result is text


def heading(argv: Sequence[str], cwd: str) -> str:
    """Return the line that opens the record of a run."""
    return f"Running: {quoted(argv)} (cwd={cwd})\n"


def quoted(argv: Sequence[str]) -> str:
    """Return *argv* as one would type it into a shell."""
    return " ".join(
        [arg if _PLAIN.fullmatch(arg) else "'" + arg.replace("'", "'\\''") + "'" for arg in argv]
    )


def cut(text: str, line_count: int) -> str:
    """Return *text* without its last line end, cut to its first and last *line_count* lines.

    0 lines means not to cut; more than `MAX_SHOWN` characters are never shown.
    """
    lines = _clipped(text).splitlines()
    skipped = len(lines) - 2 * line_count
    if line_count > 0 and skipped > 0:
        note = f"\n... {skipped} lines skipped...\n"
        lines = [*lines[:line_count], note, *lines[-line_count:]]
    return "\n".join(lines)


def indented(text: str) -> str:
    """Return *text* with each of its lines moved to the right."""
    return "\n".join([f"  {line}" for line in text.split("\n")])


def text_of(content: str | bytes) -> str:
    """Return *content* as text; bytes that are not printable are escaped."""
    return content if isinstance(content, str) else binary_repr(content)


def environment(extra: Mapping[str, str | None]) -> dict[str, str]:
    """Return the environment of this process with *extra* put in; None takes a variable out."""
    merged: dict[str, str | None] = {**os.environ, **extra}
    return {name: value for name, value in merged.items() if value is not None}


def input_of(stdin: Stdin) -> tuple[bytes | None, str | None]:
    """Return what a program is to read, as bytes or as the path of a file; neither: nothing.

    *stdin* may be bytes or, behind a ``|``, text (both are the input itself), the path of a file,
    an open file (from where it stands) or its descriptor, and None or `DEVNULL` for no input.
    """
    if stdin is None or (isinstance(stdin, int) and stdin < 0):
        return None, None
    if isinstance(stdin, bytes):
        return stdin.removeprefix(b"|"), None
    if isinstance(stdin, str) and stdin.startswith("|"):
        return stdin[1:].encode("utf-8", "surrogateescape"), None
    if isinstance(stdin, str | os.PathLike):
        return None, os.fspath(stdin)
    descriptor = stdin if isinstance(stdin, int) else None
    if descriptor is None:
        with contextlib.suppress(AttributeError, OSError):  # one in memory has none
            descriptor = stdin.fileno()  # type: ignore[union-attr]  # not a number: a file
    if descriptor is not None and not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None, f"/proc/self/fd/{descriptor}"
    if isinstance(stdin, int):
        with open(stdin, "rb", closefd=False) as file:
            return file.read(), None
    content = stdin.read()
    return (content.encode() if isinstance(content, str) else bytes(content)), None


def _clipped(text: str) -> str:
    if len(text) <= MAX_SHOWN:
        return text
    half = MAX_SHOWN // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters dropped ...\n{text[-half:]}"
