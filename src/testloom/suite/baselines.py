"""The outputs of a run that wait for somebody to accept them as baselines, or to reject them.

They lie in the directory of the run (`testloom.model.kept`), never among the sources.  To accept
one writes it over its baseline, unless the test or the baseline has changed since; to reject one
only forgets it.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from testloom.drivers.diff_text import unified
from testloom.model import kept
from testloom.model.errors import UsageError, nearest
from testloom.model.kept import KeptFailure, PendingBaseline
from testloom.model.summary import Summary
from testloom.processes.files import write_whole

_LARGEST_BYTES: Final = 64 << 20


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """One output that waits."""

    test: str
    baseline: PendingBaseline
    path: str
    """Absolute path of the baseline."""
    source: str
    """Digest of the file that defined the test; empty if there was none."""
    source_path: str
    """Absolute path of that file."""
    folder: str
    """Where its failure is kept."""

    @property
    def shown_path(self) -> str:
        """The baseline as one would name it."""
        return self.baseline.path


class NotAccepted(Exception):
    """An output was not made the baseline; the message says why, and what to do."""


def pending_in(run_dir: str, root: str) -> list[Pending]:
    """Return what waits in *run_dir*, by test; baselines are relative to *root*.

    What cannot be read, or names a baseline outside of *root*, is left out: it does not come from
    a run of this suite.
    """
    found: list[Pending] = []
    inside = os.path.realpath(root) + os.sep
    for folder, failure in failures_in(run_dir):
        for baseline in failure.pending:
            path = os.path.normpath(os.path.join(root, baseline.path))
            if not os.path.realpath(path).startswith(inside):
                continue
            if os.path.basename(baseline.actual) != baseline.actual:
                continue
            found.append(
                Pending(
                    test=failure.test,
                    baseline=baseline,
                    path=path,
                    source=failure.source,
                    source_path=os.path.join(root, failure.source_path),
                    folder=folder,
                )
            )
    return sorted(found, key=lambda each: (each.test, each.path))


def with_pending(summary: Summary, root: str) -> Summary:
    """Return *summary* with how many outputs of its run wait; baselines are below *root*."""
    if not summary.failed:
        return summary
    return msgspec.structs.replace(summary, pending=len(pending_in(summary.run.output_dir, root)))


def failures_in(run_dir: str) -> list[tuple[str, KeptFailure]]:
    """Return the failures kept in *run_dir*, each with its folder."""
    found = []
    place = os.path.join(run_dir, kept.FOLDER)
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return []
    for name in names:
        folder = os.path.join(place, name)
        try:
            with open(os.path.join(folder, kept.RECORD), "rb") as file:
                found.append((folder, kept.decode(file.read(_LARGEST_BYTES))))
        except (OSError, ValueError):
            continue
    return found


def chosen(pending: Sequence[Pending], words: Sequence[str]) -> list[Pending]:
    """Return those of *pending* that *words* name: tests, directories of tests, or patterns.

    Raises:
        UsageError: a word names none.
    """
    if not words:
        return list(pending)
    wanted: set[int] = set()
    for word in words:
        clean = word.rstrip("/")
        matching = [at for at, each in enumerate(pending) if _is_named(each.test, clean)]
        if not matching:
            tests = [each.test for each in pending]
            hint = nearest(word, tests) or "; 'testloom baseline list' shows those there are"
            raise UsageError(f"no output of {word!r} waits{hint}")
        wanted.update(matching)
    return [each for at, each in enumerate(pending) if at in wanted]


def _is_named(test: str, word: str) -> bool:
    return test == word or test.startswith(f"{word}/") or fnmatch.fnmatchcase(test, word)


def same_change(pending: Iterable[Pending], one: Pending) -> list[Pending]:
    """Return those of *pending* that add and remove the same lines as *one*."""
    change = one.baseline.change
    return [
        each for each in pending if not each.baseline.is_pattern and each.baseline.change == change
    ]


def groups(pending: Sequence[Pending]) -> list[list[Pending]]:
    """Return *pending*, those with the same change together, in the order of the first of each."""
    found: dict[str, list[Pending]] = {}
    for at, each in enumerate(pending):
        key = str(at) if each.baseline.is_pattern else each.baseline.change
        found.setdefault(key, []).append(each)
    return list(found.values())


def accept(one: Pending, *, force: bool = False) -> None:
    """Make the output its baseline, and forget it.

    Raises:
        NotAccepted: it is no text to compare with, something has changed since (unless
            *force*), or the file cannot be written.
    """
    if one.baseline.is_pattern:
        raise NotAccepted("the baseline is a regular expression; edit it by hand")
    if not force:
        if digest_of(one.path) != one.baseline.before:
            raise NotAccepted("the baseline has changed since the run; run the test again")
        if one.source and digest_of(one.source_path) != one.source:
            raise NotAccepted("the test has changed since the run; run it again")
    try:
        with open(os.path.join(one.folder, one.baseline.actual), "rb") as file:
            content = file.read()
        write_whole(os.path.realpath(one.path), content)  # a link stays one
    except OSError as error:
        raise NotAccepted(f"{error.filename}: {error.strerror}") from error
    forget(one)


def forget(one: Pending) -> None:
    """Let the output not wait any more.

    Raises:
        UsageError: the directory of the run cannot be written.
    """
    _put_down(one, None)


def to_edit(one: Pending) -> str:
    """Return the file that somebody may edit: the output, or the baseline that is a pattern."""
    return one.path if one.baseline.is_pattern else os.path.join(one.folder, one.baseline.actual)


def edited(one: Pending) -> Pending:
    """Return *one* as it waits now that its output has been edited.

    Raises:
        UsageError: a file cannot be read, or the directory of the run not be written.
    """
    if one.baseline.is_pattern:
        return one
    difference = unified(_text(one.path), _text(to_edit(one)))
    baseline = msgspec.structs.replace(one.baseline, difference=difference)
    _put_down(one, baseline)
    return msgspec.structs.replace(one, baseline=baseline)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="backslashreplace", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _put_down(one: Pending, baseline: PendingBaseline | None) -> None:
    """Let *baseline* wait in the place of *one*; None lets nothing wait there."""
    record = os.path.join(one.folder, kept.RECORD)
    try:
        with open(record, "rb") as file:
            failure = kept.decode(file.read(_LARGEST_BYTES))
        left = [each if each.path != one.baseline.path else baseline for each in failure.pending]
        waiting = tuple(each for each in left if each is not None)
        write_whole(record, kept.encode(msgspec.structs.replace(failure, pending=waiting)))
        if baseline is None and one.baseline.actual:
            os.unlink(os.path.join(one.folder, one.baseline.actual))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{error.filename or record}: {error.strerror}") from error


def digest_of(path: str) -> str:
    """Return the digest of the file *path*; empty if there is none."""
    try:
        with open(path, "rb") as file:
            return kept.digest(file.read())
    except OSError:
        return ""
