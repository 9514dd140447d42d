"""The report formats, what a user asks for, and how a report gets to its file.

A report is asked for as ``FORMAT`` or ``FORMAT=PATH``; the path ``-`` is the standard output.
It appears at its path as a whole, or the file that was there before stays as it was.  Some
formats put large things into files beside it, or are a directory of files.
"""

from __future__ import annotations

import os
import stat
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from testloom.model.errors import UsageError, nearest
from testloom.model.summary import Summary
from testloom.processes.files import write_whole
from testloom.reports.beside import FilesBeside

STDOUT: Final = "-"


class Report(Protocol):
    """A format in which a run can be reported."""

    @property
    def name(self) -> str:
        """What users call the format."""

    @property
    def default_file(self) -> str:
        """The file, relative to the output directory, if the user names none."""

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the report piece by piece: valid Unicode, never everything at once."""


@runtime_checkable
class ReportWithFiles(Report, Protocol):
    """A format that puts things into files of their own."""

    @property
    def main_file(self) -> str:
        """The file of the report itself, if its path is that of a directory; else empty."""

    def write_with_files(self, summary: Summary, files: FilesBeside) -> Iterator[str]:
        """Yield the report, and add to *files* what does not belong into it."""


_CLASSES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "html": ("html:HtmlReport", {}),
    "junit": ("junit:JUnitReport", {}),
    "junit-full": ("junit:JUnitReport", {"full": True}),
    "ctrf": ("ctrf:CtrfReport", {}),
    "json": ("json_report:JsonReport", {}),
    "tap": ("tap:TapReport", {}),
    "tap14": ("tap:TapReport", {"version": 14}),
    "markdown": ("markdown:MarkdownReport", {}),
    "text": ("text:TextReport", {}),
    "github": ("github:GitHubReport", {}),
    "gaia": ("gaia:GaiaReport", {}),
    "trace": ("trace:TraceReport", {}),
}


class Formats(Mapping[str, Report]):
    """The formats that there are by name: ours, and *more*, which may have the names of ours.

    The module of one of ours is imported when it is asked for: most runs write few reports.
    """

    def __init__(self, more: Mapping[str, Report] | None = None) -> None:
        self._made = dict(more or {})

    def __getitem__(self, name: str) -> Report:
        if name not in self._made:
            where, how = _CLASSES[name]
            module, _, cls = where.partition(":")
            self._made[name] = getattr(import_module(f"{__package__}.{module}"), cls)(**how)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in _CLASSES

    def __iter__(self) -> Iterator[str]:
        return iter({**_CLASSES, **self._made})

    def __len__(self) -> int:
        return len(_CLASSES.keys() | self._made.keys())


BUILT_IN: Final = Formats()


class ReportError(Exception):
    """A report could not be written; the message is one line that names it and says why."""


class ReportRequest(msgspec.Struct, frozen=True):
    """A report that a user asked for."""

    format: str
    path: str = ""
    """Where it goes; empty for the format's own place in the output directory."""

    def target(self, output_dir: str, formats: Mapping[str, Report] = BUILT_IN) -> str:
        """Return the path it is written to, ``-`` for the standard output."""
        report = formats[self.format]
        path = self.path or os.path.join(output_dir, report.default_file)
        main_file = report.main_file if isinstance(report, ReportWithFiles) else ""
        return os.path.join(path, main_file) if main_file else path


def parse_request(text: str, formats: Mapping[str, Report] = BUILT_IN) -> ReportRequest:
    """Return the request that *text*, ``FORMAT`` or ``FORMAT=PATH``, stands for.

    Raises:
        UsageError: there is no such format, or the path is empty.
    """
    name, equals, path = text.partition("=")
    if name not in formats:
        hint = nearest(name, formats) or f"; known: {', '.join(sorted(formats))}"
        raise UsageError(f"no report format is called {name!r}{hint}")
    if equals and not path:
        raise UsageError(f"report {text!r} names no file; write {name}=PATH, or just {name}")
    report = formats[name]
    if path == STDOUT and isinstance(report, ReportWithFiles) and report.main_file:
        raise UsageError(f"report {text!r}: it is a directory of files; write {name}=DIRECTORY")
    return ReportRequest(name, path)


def check_targets(
    requests: Iterable[ReportRequest], output_dir: str, formats: Mapping[str, Report] = BUILT_IN
) -> None:
    """See, before anything runs, that each report can be written; make missing directories.

    Raises:
        UsageError: a target is a directory or cannot be written, or two reports share one.
    """
    taken: dict[str, str] = {}
    for request in requests:
        target = request.target(output_dir, formats)
        if target != STDOUT:
            target = _checked(request, target)
        if target in taken:
            raise UsageError(
                f"{target}: asked for by two reports, {taken[target]} and {request.format};"
                " give each its own file"
            )
        taken[target] = request.format


def write_report(
    request: ReportRequest, summary: Summary, formats: Mapping[str, Report] = BUILT_IN
) -> str:
    """Write the report of *summary* that *request* asks for; return where it is.

    Raises:
        ReportError: it could not be written; what was at its path before is still there.
    """
    target = request.target(summary.run.output_dir, formats)
    report = formats[request.format]
    problem = f"{target}: {_named(request.format, report)} not written"
    try:
        _write(target, report, summary)
    except OSError as error:
        raise ReportError(f"{problem}: {error.strerror or error}") from error
    except (Exception, SystemExit) as error:  # a format may be anybody's code
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise ReportError(
            f"{problem}: {type(error).__name__}: {error} ({at.filename}:{at.lineno})"
        ) from error
    return target


def write_reports(
    requests: Sequence[ReportRequest],
    summary: Summary,
    formats: Mapping[str, Report] = BUILT_IN,
) -> tuple[str, ...]:
    """Write every report; return one line for each that could not be written."""
    problems = []
    for request in requests:
        try:
            write_report(request, summary, formats)
        except ReportError as error:
            problems.append(str(error))
    return tuple(problems)


def _named(name: str, report: Report) -> str:
    """Return what to call *report* in a message: with the plugin that it comes from."""
    module = type(report).__module__
    is_ours = module.startswith(f"{__package__}.")
    return f"{name} report" if is_ours else f"{name} report of plugin {module}"


def _checked(request: ReportRequest, target: str) -> str:
    """Return the real path of *target*, where the report can be written."""
    where = f"{target}: the {request.format} report cannot be written here"
    try:
        target = os.path.realpath(target)
        directory = os.path.dirname(target)
        os.makedirs(directory, exist_ok=True)
        is_directory = os.path.isdir(target)
        to_write = directory if _is_replaceable(target) else target
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{where}: {why}; name another file") from error
    if is_directory:
        raise UsageError(f"{where}: it is a directory; name a file")
    if not os.access(to_write, os.W_OK):
        raise UsageError(f"{where}: no permission to write; name another file")
    return target


def _write(target: str, report: Report, summary: Summary) -> None:
    if target == STDOUT:
        _to_stdout(report.write(summary))
        return
    target = os.path.realpath(target)
    if not _is_replaceable(target):
        with open(target, "w", encoding="utf-8") as file:
            file.writelines(report.write(summary))
        return
    directory = os.path.dirname(target)
    os.makedirs(directory, exist_ok=True)
    if isinstance(report, ReportWithFiles):
        beside = directory if report.main_file else f"{os.path.splitext(target)[0]}-files"
        files = FilesBeside(beside)
        write_whole(target, report.write_with_files(summary, files))
        files.tidy()
    else:
        write_whole(target, report.write(summary))


def _is_replaceable(target: str) -> bool:
    """Tell whether *target* is a file or nothing yet; a pipe or a device is written as it is."""
    try:
        return stat.S_ISREG(os.stat(target).st_mode)
    except FileNotFoundError:
        return True


def _to_stdout(pieces: Iterable[str]) -> None:
    # Bytes, because the encoding of the terminal may not have all characters.
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece.encode("utf-8"))
    sys.stdout.buffer.flush()
