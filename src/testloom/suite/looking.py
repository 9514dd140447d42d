"""Looks at the files of tests while more tests are being looked for.

Whatever begins a run has one core to itself and leaves the others idle.  Fingerprints, which take
half as long again as finding the tests, need nothing but their directories: a scribe makes them as
they are found, and leaves them in memory that both share.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Collection, Mapping
from typing import Final

from testloom.processes.scribe import Scribe
from testloom.scheduling import available_cores
from testloom.suite.fingerprints import SIZE, Fingerprints

_ENOUGH: Final = 512
"""With fewer tests, another process takes longer to start than they do."""
_TOGETHER: Final = 128
"""So many directories are sent at once: each time, the other process has to wake up."""
_MOST: Final = 1 << 20
"""What there is room for; the memory is taken only as it is used."""
_PATIENCE_S: Final = 60.0
_UNKNOWN: Final = bytes(SIZE)


class Looking:
    """Takes the directories of tests, one by one, and has what came of it in the end.

    What is below the directories *skip*, absolute paths, does not count.
    """

    def __init__(self, skip: Collection[str]) -> None:
        self._skip = skip
        self._waiting: list[str] = []
        self._sent: list[str] = []
        self._memory: mmap.mmap | None = None
        self._scribe: Scribe | None = None
        self._is_worth_it = available_cores() > 1

    def add(self, directory: str) -> None:
        """Have the files in *directory* looked at, sooner or later."""
        self._waiting.append(directory)
        if len(self._waiting) >= (_TOGETHER if self._sent else _ENOUGH) and self._is_worth_it:
            self._send()

    def _send(self) -> None:
        if self._scribe is None:
            self._start()
        now, self._waiting = self._waiting, []
        for at in range(0, len(now), _TOGETHER):
            some = now[at : at + _TOGETHER]
            message = b"\0".join(map(os.fsencode, some))
            if self._scribe is None or not self._scribe.send(message):
                self._is_worth_it = False  # it cannot keep up, or has gone
                return
            self._sent += some
        if len(self._sent) > _MOST - _TOGETHER:
            self._is_worth_it = False

    def _start(self) -> None:
        self._memory = memory = mmap.mmap(-1, _MOST * SIZE)
        prints = Fingerprints(self._skip)
        count = 0

        def look(message: bytes) -> None:
            nonlocal count
            for directory in map(os.fsdecode, message.split(b"\0")):
                digest = prints.tree(directory) or _UNKNOWN
                memory[count * SIZE : (count + 1) * SIZE] = digest
                count += 1

        with contextlib.suppress(OSError):
            self._scribe = Scribe(look, lambda: b"%d" % count)

    def send_rest(self) -> None:
        """Take note that there will be no more."""
        if self._scribe is not None and self._waiting and self._is_worth_it:
            self._send()

    def finish(self) -> Mapping[str, bytes]:
        """Return the digests of the directories that have been looked at, for `Fingerprints`."""
        if self._scribe is None or self._memory is None:
            return {}
        self.send_rest()
        self._is_worth_it = False
        count = int(self._scribe.last_words(_PATIENCE_S) or 0)
        found = [self._memory[at * SIZE : (at + 1) * SIZE] for at in range(count)]
        self._memory.close()
        self._memory = None
        pairs = zip(self._sent, found, strict=False)
        return {path: digest for path, digest in pairs if digest != _UNKNOWN}

    def close(self) -> None:
        """Wait for nothing but the end of who is done, and leave nobody behind."""
        self._is_worth_it = False
        if self._scribe is not None:
            self._scribe.close(0.0)
            self._scribe = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None
