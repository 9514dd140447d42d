"""The way from the console to the world: writes text whatever the reader and the stream are.

What is written is on its way when `write` returns.  A stream that cannot show a character gets
its escape; one that somebody made non-blocking is waited for; one whose reader went away makes
`broken` true, and everything after that is dropped.  Nothing here raises because of the stream.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import TextIO


class Writer:
    """Writes to *stream*; None (the program was started with the stream closed) drops all."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.encoding: str = _encoding(stream)
        self.why = ""
        """Why writing failed; empty while it works."""
        self.has_left = False
        """Whether it failed because the reader has gone away, as `head` does."""

    @property
    def broken(self) -> bool:
        """Tell whether somebody who was there to read is there no more."""
        return bool(self.why)

    def write(self, text: str) -> None:
        """Write *text*; return when the system has it."""
        if self._stream is None or self.why:
            return
        data = text.encode(self.encoding, "backslashreplace")
        try:
            # What others have printed comes first.
            self._stream.flush()
            fd = self.fileno()
            if fd is None:
                self._stream.write(data.decode(self.encoding))
                self._stream.flush()
            else:
                _write_all(fd, data)
        except OSError as error:
            self.why = error.strerror or str(error)
            self.has_left = isinstance(error, BrokenPipeError)
        except ValueError as error:  # the stream was closed under our hands
            self.why = str(error)

    def fileno(self) -> int | None:
        """Return the descriptor behind the stream; None if there is none."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return self._stream.fileno() if self._stream is not None else None
        return None

    def isatty(self) -> bool:
        """Tell whether a terminal reads what is written."""
        fd = self.fileno()
        return fd is not None and os.isatty(fd)


def _encoding(stream: TextIO | None) -> str:
    name = getattr(stream, "encoding", None) or "utf-8"
    try:
        "".encode(name)
    except LookupError:
        return "ascii"
    return str(name)


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            # A program that shares the terminal or pipe with us has set O_NONBLOCK on it.
            select.select([], [fd], [])
