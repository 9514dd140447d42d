"""Files beside a report: what is too large to stand in it, or belongs into files of its own.

They are in one directory.  A list in it says which ones testloom made: those that an earlier
report has left and the new one does not have are removed, and nothing else is.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

from testloom.processes.files import write_whole

LIST: Final = ".testloom-report"
_HEAD: Final = "# testloom made these files, and removes them when it writes the report again.\n"


class FilesBeside:
    """The files of one report, in *directory*; with an empty path there are none."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._names: set[str] = set()

    def add(self, name: str, content: str | bytes) -> str:
        """Write *content* to the file called *name*; return its path, empty if there is none.

        Text that is no valid Unicode is written with escapes.

        Raises:
            OSError: it cannot be written.
        """
        if not self.directory:
            return ""
        if not self._names:
            os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, name)
        data = content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
        _write(path, data)
        self._names.add(name)
        return path

    def tidy(self) -> None:
        """Remove what an earlier report has left; remember what is there now.

        Raises:
            OSError: the directory cannot be written.
        """
        path = os.path.join(self.directory, LIST)
        for name in _listed(path) - self._names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.directory, name))
        if self._names:
            write_whole(path, _HEAD + "".join(f"{name}\n" for name in sorted(self._names)))
        elif os.path.exists(path):
            os.unlink(path)
            with contextlib.suppress(OSError):  # something else is in it, too
                os.rmdir(self.directory)


def _write(path: str, data: bytes) -> None:
    """Write *data* to *path*: a new file as it is, which is much faster; an old one as a whole.

    Nobody is told of a new one before the report itself is there.
    """
    try:
        file = open(path, "xb")  # noqa: SIM115 - closed below, or it was not opened
    except FileExistsError:
        write_whole(path, data)
        return
    try:
        with file:
            file.write(data)
    except OSError:
        os.unlink(path)
        raise


def _listed(path: str) -> set[str]:
    """Return the names in the list at *path*; none of them leads out of its directory."""
    try:
        with open(path, encoding="utf-8") as file:
            names = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {name for name in names if name and name[0] not in "#." and "/" not in name}


NOWHERE: Final = FilesBeside("")
"""For a report that goes where there is no room beside it."""
