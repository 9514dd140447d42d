"""Where files are for those who read a report: paths from the top of the repository.

Build servers link to files, and people paste their paths, from there.  Without a repository the
top is the suite's root.
"""

from __future__ import annotations

import os

from testloom.model.summary import ResultEntry


class Sources:
    """Paths as seen from the top of the repository that holds *root*, the suite's root."""

    def __init__(self, root: str) -> None:
        self.top, self._prefix = _repository(root)

    def of(self, entry: ResultEntry) -> str:
        """Return the path of what defines the test of *entry*; empty if that is not known."""
        if not entry.source:
            return ""
        if os.path.isabs(entry.source):
            return self.shortened(entry.source)
        path = f"{self._prefix}{entry.source}"
        return os.path.normpath(path) if ".." in path else path

    def shortened(self, path: str) -> str:
        """Return the absolute *path* relative to the top; unchanged if it is not below it."""
        short = path.removeprefix(self.top)
        return os.path.normpath(short) if ".." in short else short


def _repository(root: str) -> tuple[str, str]:
    """Return the repository that holds *root*, and the path of *root* in it, each ending in /.

    Without a repository *root* itself is the top, and its path is empty.
    """
    top = root
    while not os.path.lexists(os.path.join(top, ".git")):
        above = os.path.dirname(top)
        if above == top:
            return os.path.join(root, ""), ""
        top = above
    prefix = os.path.relpath(root, top)
    return os.path.join(top, ""), "" if prefix == "." else f"{prefix}/"
