"""What makes a run fail where not every failure does: ``--fail-on new``.

New is what did not fail in an earlier run, or is not in a file of known failures.  Such a file
is kept with the sources, one name a line.  It gets shorter by itself: what passes now is taken
out, so that it cannot begin to fail again unnoticed; only people put names into it (with
``--update-known-failures``).  On a build server, told by ``CI``, nothing is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence

import msgspec

from testloom.journal.stored import stored_run
from testloom.model.compare import Comparison, KnownFailure, Seen, compare
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.model.summary import ResultEntry, Summary
from testloom.processes.files import write_whole
from testloom.suite.options_history import LATEST
from testloom.suite.run_options import RunOptions


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as known, and what becomes of the file that says so."""

    against: str
    before: Sequence[Seen]
    file: KnownFailures | None = None
    update: bool = False
    note: str = ""
    """What people should know, in one line."""

    def compared(self, summary: Summary) -> Comparison:
        """Return what is new in the run of *summary*."""
        found = compare(self.before, summary.entries, against=self.against)
        if self.update:  # what fails is about to be known
            return msgspec.structs.replace(found, still=[*found.still, *found.new], new=())
        return found

    def settle(self, summary: Summary, *, whole: bool, on_build_server: bool) -> str:
        """Bring the file up to date; return what is to be said about it, in one line.

        *whole* is whether all tests there are were run.
        """
        if self.file is None:
            return ""
        bad = [entry.name for entry in summary.entries if entry.status.is_bad]
        mended = _mended(self.file.names, summary.entries, whole=whole)
        added = [name for name in bad if name not in self.file.names] if self.update else []
        if not mended and not added:
            return ""
        where = f"{self.file.path}: {_counted(len(mended))} not fail any more"
        if on_build_server:
            return f"{where}: take out {', '.join(map(shown_line, mended[:5]))}" if mended else ""
        try:
            self.file.write(without=mended, plus=added)
        except OSError as error:
            return f"{self.file.path}: cannot be written: {error.strerror}"
        if added:
            return f"{self.file.path}: {len(added)} put in, {len(mended)} taken out"
        return f"{where} and were taken out"


class KnownFailures(msgspec.Struct, frozen=True):
    """A file that lists failures: one name a line, comments behind ``#``.

    A name that cannot stand as it is (it has a line end, or blanks around it, or begins like
    a comment) is written as a JSON text.
    """

    path: str
    lines: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for line in self.lines if (name := _name_in(line)) is not None)

    @classmethod
    def read(cls, path: str, *, may_be_missing: bool = False) -> KnownFailures:
        """Read the file at *path*.

        Raises:
            UsageError: it is not there, cannot be read, or has a line that makes no sense.
        """
        try:
            with open(path, encoding="utf-8") as file:
                lines = tuple(file.read().removesuffix("\n").split("\n"))
        except FileNotFoundError:
            if may_be_missing:
                return cls(path)
            raise UsageError(
                f"{path}: there is no such file; --update-known-failures makes one"
            ) from None
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: is not UTF-8 text: {error.reason}") from error
        for number, line in enumerate(lines, 1):
            try:
                _name_in(line)
            except ValueError:
                raise UsageError(
                    f"{path}:{number}: {line!r} is no name; write it without quotes,"
                    " or as a JSON text"
                ) from None
        return cls(path, lines)

    def write(self, *, without: Collection[str] = (), plus: Iterable[str] = ()) -> None:
        """Write the file anew, less and more some names; comments stay where they are."""
        kept = [line for line in self.lines if _name_in(line) not in without]
        lines = [*kept, *map(_line_of, plus)]
        # Where the file is a link, what it leads to is written.
        write_whole(os.path.realpath(self.path), "".join(f"{line}\n" for line in lines))


def gate_of(options: RunOptions, output_dir: str) -> Gate | None:
    """Return what *options* say about what makes a run fail; None if every failure does.

    Raises:
        UsageError: the run or the file that they name is not there or makes no sense.
    """
    if options.fail_on != "new" and not options.update_known_failures:
        return None
    if options.known_failures is not None:
        update = options.update_known_failures
        file = KnownFailures.read(options.known_failures, may_be_missing=update)
        known = [KnownFailure(name) for name in sorted(file.names)]
        return Gate(against=file.path, before=known, file=file, update=update)
    try:
        summary = stored_run(output_dir, options.against or LATEST)
    except UsageError as error:
        if options.against is not None:
            raise
        note = f"there is no run to compare with, so every failure is new: {error}"
        return Gate(against="", before=(), note=note)
    return Gate(against=summary.run.run_id, before=summary.entries)


def _mended(known: Collection[str], entries: Sequence[ResultEntry], *, whole: bool) -> list[str]:
    """Return those of *known* that need not be known any more."""
    passed = {e.name for e in entries if not e.is_flaky} & _passing(entries)
    gone = set(known) - {e.name for e in entries} if whole else set()
    return sorted(name for name in known if name in passed or name in gone)


def _passing(entries: Sequence[ResultEntry]) -> set[str]:
    found = compare([KnownFailure(e.name) for e in entries], entries)
    return {change.name for change in found.fixed}


def _counted(number: int) -> str:
    return "1 known failure does" if number == 1 else f"{number} known failures do"


def _name_in(line: str) -> str | None:
    """Return the name in a line of the file; None if there is none.

    Raises:
        ValueError: it begins like a JSON text, and is none.
    """
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    if not line.startswith('"'):
        return line
    return str(json.loads(line))


def _line_of(name: str) -> str:
    plain = name == name.strip() and name and name[0] not in '#"' and shown_line(name) == name
    return name if plain else json.dumps(name)
