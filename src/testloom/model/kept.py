r"""What is kept of a failure beside its result: the programs to run again, the outputs to accept.

A folder for each test that failed, below the run's own directory::

    failures/<path of the test's name>/failure.json    a `KeptFailure`
    failures/<path of the test's name>/repro.sh        runs the same programs without testloom
    failures/<path of the test's name>/<file>          what was to be read, and what came out

Only these values and what is derived from them are here; drivers write them where they run, and
commands read them when somebody asks.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from testloom.model.names import shown_line

FOLDER: Final = "failures"
RECORD: Final = "failure.json"
SCRIPT: Final = "repro.sh"


class KeptProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program that the test ran."""

    argv: tuple[str, ...]
    cwd: str
    """Absolute path."""
    env: Mapping[str, str | None] = {}
    """How its environment differed from the runner's; None takes a variable out."""
    stdin: str = ""
    """What it read: a file of the folder, or an absolute path; empty for nothing."""
    timeout_s: float | None = None


class PendingBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """An output that differs from its baseline, and that somebody may accept."""

    path: str
    """The baseline, relative to the suite's root where it is below that."""
    actual: str
    """The file of the folder that holds what would be the new baseline; empty for a pattern."""
    is_pattern: bool = False
    """Whether the baseline is a regular expression, which cannot be made from an output."""
    before: str
    """Digest of the baseline when it was compared; empty if it did not exist."""
    difference: str
    """The unified diff."""

    @property
    def change(self) -> str:
        """Digest of what is added and removed, wherever that is: equal for equal changes."""
        lines = [line for line in self.difference.splitlines() if _CHANGED.match(line)]
        return digest("\n".join(lines).encode("utf-8", "surrogatepass"))


_CHANGED: Final = re.compile(r"[-+](?!--|\+\+ )")


class KeptFailure(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of one failure."""

    test: str
    status: str
    message: str
    test_dir: str
    """Absolute path."""
    working_dir: str
    """Absolute path; it is there only if the run kept it."""
    source: str = ""
    """Digest of the file that defines the test; empty if there is none."""
    source_path: str = ""
    """That file, relative to the suite's root where it is below that."""
    environment: Mapping[str, str] = {}
    """What the configuration adds to the environment of every test."""
    programs: tuple[KeptProgram, ...] = ()
    pending: tuple[PendingBaseline, ...] = ()


_encoder = msgspec.json.Encoder()


def encode(kept: KeptFailure) -> bytes:
    """Return *kept* as JSON; lone surrogates, which JSON has not, become question marks."""
    return _encoder.encode(_clean(msgspec.to_builtins(kept)))


def decode(data: bytes) -> KeptFailure:
    """Return what `encode` was given.

    Raises:
        ValueError: *data* is something else.
    """
    return msgspec.json.decode(data, type=KeptFailure)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value


def digest(content: bytes) -> str:
    """Return what tells *content* from any other."""
    return hashlib.sha256(content).hexdigest()


def repro_script(kept: KeptFailure, folder: str) -> str:
    """Return a POSIX shell script that runs the programs of *kept* again; needs no testloom.

    It works in the test's working directory if that was kept, else in a fresh copy of the test's
    directory.  *folder* is the absolute path of the folder that it lies in.
    """
    lines = [
        "#!/bin/sh",
        f"# {shown_line(kept.test)}: {kept.status}: {shown_line(kept.message)}",
        "# Runs again what the test ran, and ends as the last program does.",
        "#   sh repro.sh [DIRECTORY]    in DIRECTORY instead of where the test worked",
        "set -u",
        f"test_dir={shlex.quote(kept.test_dir)}",
        f"work=${{1-{_default(kept.working_dir)}}}",
        'if [ ! -d "$work" ]; then',
        "    work=$(mktemp -d) || exit",
        '    cp -R "$test_dir/." "$work" || exit',
        '    echo "in a copy of the test: $work" >&2',
        "fi",
        *(f"export {name}={shlex.quote(kept.environment[name])}" for name in kept.environment),
        "status=0",
    ]
    for program in kept.programs:
        lines += ["", *_program_lines(program, kept, folder)]
    return "\n".join([*lines, "", "exit $status", ""])


def _program_lines(program: KeptProgram, kept: KeptFailure, folder: str) -> Iterable[str]:
    command = shlex.join(program.argv)
    yield f"echo {shlex.quote('$ ' + command)} >&2"
    yield "("
    yield f"    cd {_place(program.cwd, kept)} || exit"
    for name, value in program.env.items():
        if not _NAME.fullmatch(name):
            yield f"    # not a name that a shell can set: {shown_line(name)}"
        elif value is None:
            yield f"    unset {name}"
        else:
            yield f"    export {name}={shlex.quote(value)}"
    stdin = "/dev/null"
    if program.stdin:
        stdin = program.stdin if program.stdin.startswith("/") else f"{folder}/{program.stdin}"
    yield f"    exec {command} <{shlex.quote(stdin)}"
    yield ")"
    yield "status=$?"


_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _place(cwd: str, kept: KeptFailure) -> str:
    """Return a directory in shell, relative to what the script works in if it can be."""
    if kept.working_dir and (cwd == kept.working_dir or cwd.startswith(f"{kept.working_dir}/")):
        below = cwd[len(kept.working_dir) :]
        return '"$work"' + (shlex.quote(below) if below else "")
    return shlex.quote(cwd)


def _default(path: str) -> str:
    """Return *path* as the default value in a parameter expansion."""
    return shlex.quote(path) if path else "''"
