"""Tests whose failures do not count for a while: ``--quarantine FILE``.

::

    [[quarantine]]
    test = "net/*"                # a name, or a glob of names
    owner = "anna"                # who sees to it
    until = 2027-01-31            # the last day on which it holds
    reason = "the lab's DNS server, ticket 123"

Such a test runs as all others do.  What is bad about it becomes an XFAIL that says whose it is, so
it is in every report and makes no run fail; its log is as it was.  From the day after *until*, its
failures count again, and each run says so until somebody takes the entry out.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from testloom.discovery.patterns import name_glob
from testloom.model import records
from testloom.model.errors import UsageError, nearest
from testloom.model.result import one_line
from testloom.model.status import TestStatus
from testloom.processes.clock import SystemClock
from testloom.suite.attempts import Made
from testloom.suite.config import near_path
from testloom.suite.run_options import RunOptions

_TABLE: Final = "quarantine"
_KEYS: Final = ("test", "owner", "until", "reason")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the file."""

    test: str
    owner: str
    until: dt.date
    reason: str = ""
    where: str
    """``path:line``."""

    @property
    def words(self) -> str:
        """How long, whose, and why, in a few words."""
        why = f": {self.reason}" if self.reason else ""
        return f"quarantined until {self.until} ({self.owner}{why})"


class Quarantine:
    """What a file says about which tests, as of *today*."""

    def __init__(self, entries: Sequence[Entry], *, today: dt.date) -> None:
        holding = [entry for entry in entries if entry.until >= today]
        self._by_name = {entry.test: entry for entry in reversed(holding)}
        self._globs = [
            (name_glob(entry.test), entry) for entry in holding if re.search(r"[*?\[]", entry.test)
        ]
        self.notes = tuple(
            f"{entry.where}: the quarantine of {entry.test!r} ended on {entry.until}: its failures"
            f" count again; {entry.owner} has to see to it"
            for entry in entries
            if entry.until < today
        )

    @classmethod
    def load(cls, path: str, *, today: dt.date) -> Quarantine:
        """Read the file *path*.

        Raises:
            UsageError: it cannot be read, or says something that makes no sense.
        """
        shown = near_path(path)
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            data = tomllib.loads(text)
        except OSError as error:
            raise UsageError(f"{shown}: cannot be read: {error.strerror}; name another") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{shown}: is not UTF-8 text: {error.reason}") from error
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{shown}: {error}; mend it") from error
        odd = next((key for key in data if key != _TABLE), None)
        tables = data.get(_TABLE, [])
        if odd is not None or not isinstance(tables, list):
            raise UsageError(f"{shown}: {odd or _TABLE!r}: write entries as [[{_TABLE}]] tables")
        lines = [
            number
            for number, line in enumerate(text.splitlines(), 1)
            if re.match(rf"\s*\[\[\s*{_TABLE}\s*\]\]", line)
        ]
        entries = [
            _entry(table, f"{shown}:{lines[at] if at < len(lines) else 1}")
            for at, table in enumerate(tables)
        ]
        return cls(entries, today=today)

    def entry_of(self, test: str) -> Entry | None:
        """Return the entry that holds for *test*; None if there is none."""
        if (found := self._by_name.get(test)) is not None:
            return found
        return next((entry for glob, entry in self._globs if glob.match(test)), None)

    def pardoned(self, made: Made) -> Made:
        """Return a result as it counts: one that is bad may not."""
        result, data = made
        entry = self.entry_of(result.test) if result.status.is_bad else None
        if entry is None:
            return made
        whole = records.result_of(records.decode(data))
        message = one_line(f"{entry.words}: {result.status.name} {result.message}")
        whole.status, whole.msg = TestStatus.XFAIL, message
        whole.info = {**whole.info, "quarantine": f"until {entry.until}, {entry.owner}"}
        pardoned = msgspec.structs.replace(
            result, status=TestStatus.XFAIL, message=message or "", info=whole.info
        )
        return pardoned, records.encode(whole)


def _entry(table: object, where: str) -> Entry:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: write entries as [[{_TABLE}]] tables")
    for key in table:
        if key not in _KEYS:
            hint = nearest(key, _KEYS) or f"; known are {', '.join(_KEYS)}"
            raise UsageError(f"{where}: unknown key {key!r}{hint}")
    found: dict[str, Any] = {}
    for key in ("test", "owner", "reason"):
        value = table.get(key, "" if key == "reason" else None)
        if not isinstance(value, str) or (key != "reason" and not value.strip()):
            raise UsageError(f'{where}: {key!r} must be a text; write {key} = "..."')
        found[key] = value
    until = table.get("until")
    if not isinstance(until, dt.date) or isinstance(until, dt.datetime):
        raise UsageError(f"{where}: 'until' must be a day; write until = 2027-01-31")
    return Entry(**found, until=until, where=where)


def quarantine_of(options: RunOptions) -> Quarantine | None:
    """Return what the file says that *options* name; None if they name none.

    Raises:
        UsageError: it makes no sense.
    """
    if options.quarantine is None:
        return None
    today = dt.datetime.fromtimestamp(SystemClock().wall(), tz=dt.UTC).date()
    return Quarantine.load(options.quarantine, today=today)
