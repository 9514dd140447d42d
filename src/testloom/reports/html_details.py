"""What the HTML report knows of each result besides its row: logs, differences, programs.

Results are put into blocks, which are compressed one by one, so that a browser unpacks only what
is looked at.  All of it must stay a file that a browser opens: texts of tests that passed are
kept short, and once a report has become large, so are all others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

from testloom.model.causes import cause_of
from testloom.model.log import binary_repr
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.details import LIMIT_BYTES, excerpt, texts_of
from testloom.reports.html_history import Past
from testloom.reports.strict_json import json_bytes

_BLOCK_BYTES: Final = 256 << 10
"""A block is complete once it holds this much."""
_PASSED_BYTES: Final = 4 << 10
"""Bytes of each text of a test that passed."""
_LARGE_BYTES: Final = 96 << 20
"""Size of all blocks, uncompressed, from which on texts are cut to `_SHORT_BYTES`."""
_SHORT_BYTES: Final = 2 << 10
_PROCESSES: Final = 50
"""Programs shown of one result: the first ones."""


class Blocks:
    """The blocks of a report; iterate once, then read what was found on the way."""

    def __init__(self, summary: Summary, past: Past) -> None:
        self._summary = summary
        self._past = past
        self.starts: list[int] = []
        """For each block, the number of its first result."""
        self.causes: list[int] = []
        """For each result the number of its cause; -1 if it did not fail, or nothing is known."""
        self._numbers: dict[Hashable, int] = {}
        self._commands = Commands(program=next(iter(summary.run.command), ""))

    def __iter__(self) -> Iterator[bytes]:
        """Yield each block: a JSON array with one object for each result."""
        pending: list[bytes] = []
        size = total = 0
        for number, entry in enumerate(self._summary.entries):
            if not pending:
                self.starts.append(number)
            data = self._details(entry, is_large=total > _LARGE_BYTES)
            pending.append(data)
            size += len(data)
            total += len(data)
            if size >= _BLOCK_BYTES:
                yield b"[" + b",".join(pending) + b"]"
                pending, size = [], 0
        if pending:
            yield b"[" + b",".join(pending) + b"]"

    def _details(self, entry: ResultEntry, *, is_large: bool) -> bytes:
        record, lost = self._loaded(entry)
        self.causes.append(self._cause(entry, record))
        passed = entry.status is TestStatus.PASS
        limit = _SHORT_BYTES if is_large else _PASSED_BYTES if passed else LIMIT_BYTES
        found: dict[str, Any] = {"rerun": self._commands.rerun(entry), **lost}
        if entry.info:
            found["info"] = entry.info
        if record is not None:
            found.update(_of_record(record, limit))
        if entry.earlier:
            found["earlier"] = [self._attempt(one, limit) for one in entry.earlier]
        if past := self._past.of(entry.name):
            found["past"] = past
        return json_bytes(found)

    def _attempt(self, entry: ResultEntry, limit: int) -> dict[str, Any]:
        """Return what is shown of an earlier attempt."""
        record, lost = self._loaded(entry)
        return {
            "attempt": entry.attempt,
            "status": entry.status.name,
            "said": entry.message or entry.reason,
            "time": entry.time_s,
            **lost,
            **(_of_record(record, limit) if record is not None else {}),
        }

    def _loaded(self, entry: ResultEntry) -> tuple[ResultRecord | None, Mapping[str, str]]:
        if entry.place < 0:
            return None, {}
        try:
            return self._summary.load(entry), {}
        except OSError as error:
            return None, {"lost": str(error)}

    def _cause(self, entry: ResultEntry, record: ResultRecord | None) -> int:
        cause = cause_of(entry, record) if entry.status.is_bad else None
        return -1 if cause is None else self._numbers.setdefault(cause, len(self._numbers))


def _of_record(record: ResultRecord, limit: int) -> dict[str, Any]:
    texts = texts_of(record, limit)
    found: dict[str, Any] = {
        name: text for name in ("log", "diff", "expected", "out") if (text := getattr(texts, name))
    }
    processes = [_process(process, limit) for process in record.processes[:_PROCESSES]]
    if processes:
        found["processes"] = processes
        found["more_processes"] = len(record.processes) - len(processes)
    return found


def _process(process: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Return what is shown of a program; a driver may have put anything there."""
    words = process.get("cmd")
    return {
        "cmd": [_text(word) for word in words]
        if isinstance(words, list | tuple)
        else [_text(words)],
        "cwd": _text(process.get("cwd")),
        **{
            name: value
            for name in ("status", "wall_s", "cpu_s", "max_rss_bytes")
            if isinstance(value := process.get(name), int | float)
        },
        **{
            name: excerpt(text, limit)
            for name in ("output", "errors")
            if (text := _text(process.get(name)))
        },
    }


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return binary_repr(value)
    return value if isinstance(value, str) else "" if value is None else str(value)
