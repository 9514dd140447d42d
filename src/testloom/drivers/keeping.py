"""Keeps, of a test that failed, what it takes to run it again and to accept its outputs.

A driver notes each program and each difference while it runs; when the test has failed, they go
to the folder that `testloom.model.kept` describes.  Noting is cheap, as most tests pass.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from testloom.model.kept import (
    RECORD,
    SCRIPT,
    KeptFailure,
    KeptProgram,
    PendingBaseline,
    digest,
    encode,
    repro_script,
)
from testloom.model.names import path_for
from testloom.model.result import TestResult
from testloom.processes.files import read_whole, write_whole
from testloom.processes.launcher import Program

_MOST_PROGRAMS: Final = 50
_LARGEST_BYTES: Final = 16 << 20
_MANY: Final = 100


class _Difference(msgspec.Struct):
    path: str
    actual: bytes | None
    """None for a pattern."""
    before: str
    difference: str


class Keeping:
    """What one test has run and written so far."""

    def __init__(self) -> None:
        self._programs: list[Program] = []
        self._differences: list[_Difference] = []

    def program(self, program: Program) -> None:
        """Note that *program* is run; of very many, the last ones count."""
        self._programs.append(program)
        if len(self._programs) >= 2 * _MOST_PROGRAMS:
            del self._programs[:-_MOST_PROGRAMS]

    def difference(self, path: str, actual: bytes | None, difference: str) -> None:
        """Note that *actual*, None for something to match a pattern, is not what is in *path*."""
        if len(self._differences) < _MANY and (actual is None or len(actual) <= _LARGEST_BYTES):
            self._differences.append(_Difference(path, actual, digest_of(path), difference))

    def write(
        self,
        place: str,
        result: TestResult,
        test: Mapping[str, Any],
        *,
        work: str,
        root: str,
        environment: Mapping[str, str],
    ) -> None:
        """Write the folder of *result* below *place*.

        A disk that does not take it makes no other result of the test: that nothing was kept is
        told in ``info``.

        Args:
            place: the folder of all failures of the run.
            result: how the test ended.
            test: what is known of the test.
            work: its working directory.
            root: the directory of the suite.
            environment: what the configuration adds to the environment of every test.
        """
        folder = os.path.join(place, path_for(result.test_name))
        try:
            shutil.rmtree(folder, ignore_errors=True)  # of an earlier attempt
            os.makedirs(folder)
            kept = KeptFailure(
                test=result.test_name,
                status=result.status.name,
                message=result.msg or "",
                test_dir=test.get("test_dir") or "",
                working_dir=work,
                source=digest_of(_source(test)),
                source_path=_below(root, _source(test)),
                environment=environment,
                programs=tuple(
                    _kept_program(program, folder, at)
                    for at, program in enumerate(self._programs[-_MOST_PROGRAMS:], 1)
                ),
                pending=tuple(
                    _pending(each, folder, at, root) for at, each in enumerate(self._differences, 1)
                ),
            )
            write_whole(os.path.join(folder, RECORD), encode(kept))
            script = repro_script(kept, folder).encode("utf-8", "surrogateescape")
            write_whole(os.path.join(folder, SCRIPT), script)
        except OSError as error:
            result.info["not-kept"] = f"{folder}: {error.strerror or error}"


def digest_of(path: str) -> str:
    """Return the digest of the file *path*; empty if it cannot be read."""
    try:
        return digest(read_whole(path))
    except (OSError, ValueError):
        return ""


def like(path: str, new: bytes) -> bytes:
    """Return *new* with the line ends of the file *path*, which it is to replace.

    For outputs that are compared without regard to them: to accept one must not change them.
    """
    try:
        old = read_whole(path)
    except OSError:
        return new
    lines = old.count(b"\n")
    if lines and lines == old.count(b"\r\n") and b"\r" not in new and b"\0" not in old:
        return new.replace(b"\n", b"\r\n")
    return new


def _below(root: str, path: str) -> str:
    """Return *path* relative to *root* if it is below that."""
    return os.path.relpath(path, root) if path.startswith(f"{root}/") else path


def _source(test: Mapping[str, Any]) -> str:
    return os.path.join(test.get("test_dir") or "", "test.yaml")


def _kept_program(program: Program, folder: str, at: int) -> KeptProgram:
    stdin = os.path.abspath(os.path.join(program.cwd or "", program.stdin_file or ""))
    if program.stdin is not None:
        stdin = f"stdin-{at}"
        write_whole(os.path.join(folder, stdin), program.stdin)
    elif program.stdin_file is None or program.stdin_file.startswith("/proc/"):
        stdin = ""
    return KeptProgram(
        argv=program.argv,
        cwd=os.path.abspath(program.cwd or "."),
        env=_changes(program.env),
        stdin=stdin,
        timeout_s=program.timeout_s,
    )


def _changes(env: Mapping[str, str] | None) -> dict[str, str | None]:
    """Return how *env* differs from the environment of this process."""
    if env is None:
        return {}
    ours = os.environ
    changed: dict[str, str | None] = {
        name: value for name, value in env.items() if ours.get(name) != value
    }
    changed.update({name: None for name in ours if name not in env})
    return changed


def _pending(each: _Difference, folder: str, at: int, root: str) -> PendingBaseline:
    actual = ""
    if each.actual is not None:
        actual = f"actual-{at}"
        write_whole(os.path.join(folder, actual), each.actual)
    return PendingBaseline(
        path=_below(root, each.path),
        actual=actual,
        is_pattern=each.actual is None,
        before=each.before,
        difference=each.difference,
    )
