"""The files of results: one YAML file each, written beside the run.

On some file systems, making a file takes longer than all else that is done for a result, and the
run need not wait for it: the result is in the journal already.  A thread writes them, a few results
behind.  It does nothing but that: whatever else it did would take turns with the scheduler.
"""

from __future__ import annotations

import os
import queue
import secrets
import threading
from types import TracebackType
from typing import Final, Self

from testloom.compat.e3_modules.results import encoded
from testloom.model import names
from testloom.model.result import TestResult

_AHEAD: Final = 64
"""So many results wait for the disk, in memory; the run writes those that come then itself."""


class ResultFiles:
    """Writes results into *directory*, each to a file of its own.

    A context manager: afterwards every file is there, or `problem` says what went wrong.
    """

    def __init__(self, directory: str) -> None:
        self.problem = ""
        """Why a file could not be written, else empty."""
        self._directory = directory
        self._names: set[str] = set()
        self._waiting: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, result: TestResult, *, at_once: bool = False) -> str:
        """Have *result* written; return the name of its file.

        The file is there when `close` returns, or when this does, if *at_once*.  Without that, a
        thread is running from now on: no process may be forked.
        """
        name, data = self._new_name(result.test_name), encoded(result)
        if at_once or self._waiting.qsize() >= _AHEAD:
            self._write(name, data)
        else:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="result files")
                self._thread.start()
            self._waiting.put((name, data))
        return name

    def close(self) -> None:
        """Wait until everything is written."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _new_name(self, test: str) -> str:
        stem = names.path_for(test)
        while True:
            name = f"{stem}-{secrets.token_hex(4)}.yaml"
            if name not in self._names:
                self._names.add(name)
                return name

    def _write_all(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._write(*item)

    def _write(self, name: str, data: bytes) -> None:
        try:
            with open(os.path.join(self._directory, name), "wb", buffering=0) as file:
                # On a full disk some of it may fit: the next call says that the rest does not.
                while data := data[file.write(data) :]:
                    pass
        except OSError as error:
            self.problem = self.problem or f"{name}: cannot be written: {error.strerror}"
