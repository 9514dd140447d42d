"""Large values on their way between processes, each in a file in memory.

A message that large would have to be copied several times, and no limit would suit everybody.
The files are in the machine's shared memory where there is room, else in the directory for
temporary files.  The name of their directory is made before processes are forked, so all of them
know it; the directory is made when the first parcel is sent, and removed with all that is still
in it by whoever made this object.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Final

from testloom.processes import files

_MEMORY: Final = "/dev/shm"  # noqa: S108 - the directory in it is ours alone


class Parcels:
    """The parcels of one run."""

    def __init__(self) -> None:
        name = f"testloom-{os.getpid()}-{os.urandom(8).hex()}"
        self._places = [os.path.join(top, name) for top in (_MEMORY, tempfile.gettempdir())]

    def put(self, name: str, data: bytes) -> None:
        """Send *data* as *name*, which nobody has used before.

        Raises:
            OSError: there is no room for it anywhere.
        """
        memory, disk = self._places
        try:
            _write(memory, name, data)
        except OSError:
            _write(disk, name, data)

    def get(self, name: str) -> bytes:
        """Return what was sent as *name*.

        Raises:
            FileNotFoundError: nothing was, or it has been removed.
        """
        memory, disk = self._places
        try:
            return _read(memory, name)
        except FileNotFoundError:
            return _read(disk, name)

    def remove(self, name: str) -> None:
        """Forget what was sent as *name*, if anything was."""
        for place in self._places:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(place, name))

    def close(self) -> None:
        """Forget everything."""
        for place in self._places:
            if os.path.isdir(place):
                files.remove_tree(place)


def _write(place: str, name: str, data: bytes) -> None:
    if not os.path.isdir(os.path.dirname(place)):
        raise FileNotFoundError(place)
    with contextlib.suppress(FileExistsError):
        os.mkdir(place, 0o700)
    path = os.path.join(place, name)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _read(place: str, name: str) -> bytes:
    with open(os.path.join(place, name), "rb", buffering=0) as file:
        return file.read()
