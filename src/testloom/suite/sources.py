"""Which commit of the sources is tested: read from the files of git, without running it.

Running ``git`` takes as long as a small test.  What its files don't say in the way they mostly
do (a commit without a branch, references in a table) is not known, which harms nobody.
"""

from __future__ import annotations

import os
import re
from typing import Final

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_BRANCH: Final = "refs/heads/"
_MOST: Final = 4096
"""Bytes read of a small file."""


def commit_of(directory: str) -> tuple[str, str]:
    """Return commit and branch of the checkout that *directory* is in; empty if not known."""
    git = _git_directory(os.path.abspath(directory))
    if git is None:
        return "", ""
    head = _read(os.path.join(git, "HEAD"))
    reference = head.removeprefix("ref: ")
    if reference == head:
        return _checked(head), ""
    common = os.path.normpath(os.path.join(git, _read(os.path.join(git, "commondir")) or "."))
    commit = _checked(_read(os.path.join(common, reference))) or _packed(common, reference)
    return commit, reference.removeprefix(_BRANCH) if reference.startswith(_BRANCH) else ""


def _git_directory(directory: str) -> str | None:
    """Return the directory that git keeps its files in, for the nearest checkout upwards."""
    while True:
        path = os.path.join(directory, ".git")
        if os.path.isdir(path):
            return path
        link = _read(path)
        if link.startswith("gitdir: "):  # a second checkout of the same repository
            return os.path.join(directory, link.removeprefix("gitdir: "))
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _packed(common: str, reference: str) -> str:
    try:
        with open(os.path.join(common, "packed-refs"), encoding="utf-8", errors="replace") as file:
            for line in file:
                commit, _, name = line.rstrip("\n").partition(" ")
                if name == reference:
                    return _checked(commit)
    except OSError:
        pass
    return ""


def _checked(commit: str) -> str:
    return commit if _COMMIT.match(commit) else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MOST).strip()
    except (OSError, ValueError):
        return ""
