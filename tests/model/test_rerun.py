"""The command that runs one test again, given to a real shell."""

from __future__ import annotations

import subprocess

import pytest

from testloom.model.rerun import quoted, rerun_command
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry


@pytest.mark.parametrize(
    "name",
    [
        "a/b__c.d-e",
        "with blank",
        "it's",
        "-option",
        "$(x) `y` \\z",
        "",
        "caf\u00e9",
        "a\x1bb7\n'\\",
    ],
)
def test_the_command_names_the_test_and_nothing_else(name: str) -> None:
    entry = ResultEntry(name=name, test=name, status=TestStatus.FAIL)
    command = rerun_command(entry, "printf %s")
    assert command.isprintable()
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, check=True)
    assert done.stdout.removeprefix(b"--").decode() == name


def test_bytes_of_a_name_that_are_no_text_are_written_as_bytes() -> None:
    assert quoted("a\udcff7") == "$'a\\3777'"
