"""What one process writes and another one reads later, whatever has become of the first meanwhile.

The memory is inherited: processes forked after it was made have it, others do not.
"""

from __future__ import annotations

import os

from testloom.processes import own_fds
from testloom.processes.channel import Frames, ProtocolError, frame

_READ_BYTES = 1 << 16


class Spool:
    """A file in memory, with no name: messages in the order in which they were put there.

    Raises:
        OSError: there can be no further one.
    """

    def __init__(self) -> None:
        self._fd = own_fds.add(os.memfd_create("testloom-spool"))

    @property
    def is_closed(self) -> bool:
        """Whether somebody has let go of it."""
        return self._fd < 0

    def fileno(self) -> int:
        """The descriptor, which is the runner's own."""
        return self._fd

    def put(self, message: bytes) -> None:
        """Add *message*.

        Raises:
            OSError: there is no memory for it.
        """
        rest = memoryview(frame(0, message))
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def messages(self) -> list[bytes]:
        """Return all messages; the last one is missing if its writer was killed while it wrote."""
        frames, at = Frames(), 0
        found: list[bytes] = []
        while data := os.pread(self._fd, _READ_BYTES, at):
            at += len(data)
            try:
                found.extend(message for _kind, message in frames.feed(data))
            except ProtocolError:
                break
        return found

    def close(self) -> None:
        """Let go of it; once more is fine."""
        if self._fd >= 0:
            own_fds.close(self._fd)
            self._fd = -1
