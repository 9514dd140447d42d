"""The commands that people are shown after a run, given to a real shell."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from testloom.model.rerun import Commands, quoted
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry

NAMES = (
    "a/b__c.d-e",
    "with blank",
    "it's",
    "-option",
    "$(x) `y` \\z",
    "",
    "caf\u00e9",
    "a\x1bb7\n'\\",
)


def entry(name: str) -> ResultEntry:
    return ResultEntry(name=name, test=name, status=TestStatus.FAIL)


def words(command: str) -> list[bytes]:
    """Return what a shell makes of *command*, which begins with ``print``."""
    assert command.isprintable()
    script = f"print() {{ printf '%s\\0' \"$@\"; }}; {command}"
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, check=True)
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_names_the_test_and_nothing_else(name: str) -> None:
    end = [b"--"] if name == "-option" else []
    assert words(Commands(program="print").rerun(entry(name))) == [*end, name.encode()]


@pytest.mark.parametrize("name", NAMES)
def test_to_look_at_a_test_takes_its_name_too(name: str) -> None:
    end = [b"--"] if name == "-option" else []
    command = Commands(tool="print", places=["-o 'a b'"]).show(entry(name))
    assert words(command) == [b"show", b"-o", b"a b", *end, name.encode()]


def test_what_had_to_be_said_for_a_run_is_said_again() -> None:
    commands = Commands(
        program="./run-tests", tool="testloom", places=["-P ci", "-o x"], paths=["tests", "'a b'"]
    )
    assert commands.rerun(entry("t")) == "./run-tests -P ci -o x t"
    assert commands.rerun_failed() == "./run-tests -P ci -o x --lf tests 'a b'"
    assert commands.resume() == "./run-tests -P ci -o x --resume tests 'a b'"
    narrowed = msgspec.structs.replace(commands, selecting=["--tags=x"])
    assert narrowed.resume() == "./run-tests -P ci -o x --resume --tags=x tests 'a b'"
    # Without paths, the run itself knows what it had selected.
    assert msgspec.structs.replace(narrowed, paths=[]).resume() == "./run-tests -P ci -o x --resume"
    assert commands.review() == "testloom baseline review -P ci -o x"


def test_bytes_of_a_name_that_are_no_text_are_written_as_bytes() -> None:
    assert quoted("a\udcff7") == "$'a\\3777'"
