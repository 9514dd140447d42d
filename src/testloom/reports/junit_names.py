"""What results are called in a JUnit report: a class and a name that no other one has.

Readers take the class for a path of packages, and drop or merge what looks like a duplicate.
"""

from __future__ import annotations

import functools
import os
from typing import Final

from testloom.model.summary import ResultEntry

_NAMELESS: Final = "(no name)"
"""Some readers refuse a document in which a name is empty."""
_ROOT_LEVELS: Final = 8
"""How deep below the suite's root names of tests may begin to be relative to."""


class Identities:
    """Gives each result of a document a ``classname`` and ``name`` that no other one has.

    The names of tests say which part of their directory matters: for ``tests/opt/dce/phi``, the
    test called ``opt__dce__phi`` (or ``opt/dce/phi``) is ``phi`` of class ``opt.dce``.
    """

    def __init__(self, suite: str) -> None:
        self._suite = _dotted(suite) or "tests"
        self._used: dict[tuple[str, str], int] = {}

    def of(self, entry: ResultEntry) -> tuple[str, str]:
        """Return class name and name of *entry*."""
        classname, name = self._plain(entry)
        identity = classname, name or _NAMELESS
        if identity in self._used:
            identity = identity[0], entry.name
        before = self._used.get(identity, 0)
        self._used[identity] = before + 1
        while before:
            # The same name once more: it is numbered, and the number may be somebody's name too.
            numbered = identity[0], f"{identity[1]} #{before + 1}"
            if numbered not in self._used:
                self._used[numbered] = 1
                return numbered
            before += 1
        return identity

    def _plain(self, entry: ResultEntry) -> tuple[str, str]:
        if not entry.source:
            directory, _, name = entry.name.rpartition("/")
            return _dotted(directory) or self._suite, name or entry.name
        parent, _, leaf = os.path.dirname(entry.source).rpartition("/")
        prefixes, classname = _prefixes(parent)
        name = entry.name
        for prefix, matching in prefixes:
            if name.startswith(prefix) and name != prefix:
                classname, name = matching, name.removeprefix(prefix)
                break
        else:
            matching = ""
        for prefix in (f"{leaf}__", f"{leaf}/"):
            # One of several tests in the directory.
            if leaf and name.startswith(prefix) and name != prefix:
                name = name.removeprefix(prefix)
                classname = f"{matching}.{_dotted(leaf)}" if matching else _dotted(leaf)
                break
        return classname or self._suite, name


@functools.lru_cache(maxsize=4096)
def _prefixes(directory: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return how names of tests in *directory* may begin, each with its class; and its class."""
    parts = [part for part in directory.split("/") if part not in ("", ".", "..")]
    found = [
        (separator.join(parts[first:]) + separator, _dotted("/".join(parts[first:])))
        for first in range(min(len(parts), _ROOT_LEVELS))
        for separator in ("__", "/")
    ]
    return tuple(found), _dotted(directory)


def _dotted(path: str) -> str:
    """Return *path* as a class name, in which a dot stands for a directory and nothing else."""
    parts = (part for part in path.split("/") if part not in ("", ".", ".."))
    return ".".join(part.replace(".", "_") for part in parts)
