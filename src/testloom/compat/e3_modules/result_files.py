"""The files of results: one YAML file each, written beside the run.

On some file systems, making a file takes longer than all else that is done for a result, and the
run need not wait for it: the result is in the journal already.  A process of its own reads it there
and writes it again, a few results behind.  What that one did not come to, the run writes itself.
"""

from __future__ import annotations

import functools
import math
import os
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from testloom.compat.e3_modules.results import encoded, from_journal
from testloom.journal.format import JournalError
from testloom.journal.reader import load_from
from testloom.journal.writer import JournalWriter
from testloom.model import names
from testloom.model.events import Load
from testloom.model.result import TestResult
from testloom.model.summary import ResultEntry
from testloom.processes.clock import Clock, SystemClock
from testloom.processes.scribe import Scribe

_TOGETHER: Final = 16
"""So many results are sent at once: each time, the other process has to wake up ..."""
_LATEST_S: Final = 0.1
"""... unless the last time is so many seconds ago."""
_PATIENCE_S: Final = 60.0
"""How long the disk may take to write what the other process is behind."""

_Sent = list[tuple[str, ResultEntry]]
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Sent).decode


class ResultFiles:
    """Writes results into *directory*, each to a file of its own.

    A context manager: afterwards every file is there, or `problem` says what went wrong.

    Args:
        directory: where the files are made.
        journal: where the results are.
        envs: name of each test -> what the test says about itself.
    """

    def __init__(
        self,
        directory: str,
        journal: JournalWriter,
        envs: Mapping[str, dict[str, Any]],
        clock: Clock | None = None,
    ) -> None:
        self.problem = ""
        """Why a file could not be written, else empty."""
        self._directory = directory
        self._journal = journal
        self._envs = envs
        self._clock = clock or SystemClock()
        self._entries: dict[str, ResultEntry] = {}
        """Name of each file -> its result."""
        self._unsent: _Sent = []
        self._sent_at = -math.inf
        self._scribe: Scribe | None = None

    @property
    def writer_pid(self) -> int | None:
        """The process that writes, if it is not this one."""
        return None if self._scribe is None else self._scribe.pid

    def __enter__(self) -> Self:
        # It is ours alone: what belongs to the journal is closed in forked processes.
        fd = os.dup(self._journal.fileno())
        load = functools.partial(load_from, fd, self._journal.path)
        try:
            self._scribe = Scribe(functools.partial(self._write_sent, load), self._last_words)
        except OSError:  # there can be no further process: it is done here
            pass
        finally:
            os.close(fd)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, entry: ResultEntry, result: TestResult, *, at_once: bool = False) -> str:
        """Have *result*, which is that of *entry*, written; return the name of its file.

        The file is there when `close` returns, or when this does, if *at_once*.
        """
        name = self._new_name(entry)
        if at_once or self._scribe is None or entry.place < 0:
            self._write(name, result)
            return name
        self._unsent.append((name, entry))
        if len(self._unsent) >= _TOGETHER or self._clock.now() - self._sent_at >= _LATEST_S:
            self.send()
        return name

    def send(self) -> None:
        """Do not wait for more results to be written together with those that wait."""
        if self._unsent and self._scribe is not None:
            unsent, self._unsent = self._unsent, []
            self._sent_at = self._clock.now()
            if not self._scribe.send(_encode(unsent)):
                self._write_all(self._journal.load, unsent)

    def close(self) -> None:
        """Wait until everything is written."""
        if self._scribe is None:
            return
        self.send()
        words = self._scribe.close(_PATIENCE_S)
        self._scribe = None
        if words is None:
            self._write_all(self._journal.load, list(self._entries.items()))
        else:
            self.problem = self.problem or words.decode()

    def _new_name(self, entry: ResultEntry) -> str:
        stem = names.path_for(entry.name)
        while True:
            name = f"{stem}-{secrets.token_hex(4)}.yaml"
            if name not in self._entries:
                self._entries[name] = entry
                return name

    def _write_sent(self, load: Load, message: bytes) -> None:
        self._write_all(load, _decode(message))

    def _last_words(self) -> bytes:
        return self.problem.encode("utf-8", "backslashreplace")

    def _write_all(self, load: Load, wanted: _Sent) -> None:
        for name, entry in wanted:
            try:
                result = from_journal(load(entry), self._envs.get(entry.test, {}))
            except JournalError as error:
                self.problem = self.problem or f"{name}: cannot be written: {error}"
            else:
                self._write(name, result)

    def _write(self, name: str, result: TestResult) -> None:
        data = encoded(result)
        try:
            with open(os.path.join(self._directory, name), "wb", buffering=0) as file:
                # On a full disk some of it may fit: the next call says that the rest does not.
                while data := data[file.write(data) :]:
                    pass
        except OSError as error:
            self.problem = self.problem or f"{name}: cannot be written: {error.strerror}"
