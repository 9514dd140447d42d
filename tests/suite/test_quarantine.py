"""Tests whose failures do not count for a while."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from testloom.model import records
from testloom.model.errors import UsageError
from testloom.model.log import Log
from testloom.model.result import TestResult as Result
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry
from testloom.suite.attempts import Made
from testloom.suite.quarantine import Quarantine

TODAY = dt.date(2026, 11, 27)
FILE = """\
[[quarantine]]
test = "net/*"
owner = "anna"
until = 2026-11-27
reason = "ticket 1"

[[quarantine]]
test = "old"
owner = "bob"
until = 2026-11-26
"""


def loaded(tmp_path: Path, text: str) -> Quarantine:
    (tmp_path / "q.toml").write_text(text)
    return Quarantine.load(str(tmp_path / "q.toml"), today=TODAY)


def made(test: str, status: TestStatus) -> Made:
    result = Result(test, status=status)
    result.msg, result.reason, result.log = "no answer", "exit:1", Log("log\n")
    entry = ResultEntry(
        name=test, test=test, status=status, message="no answer", reason="exit:1", attempt=2
    )
    return entry, records.encode(result)


def test_a_failure_in_quarantine_is_expected_and_says_whose_it_is(tmp_path: Path) -> None:
    quarantine = loaded(tmp_path, FILE)
    entry, data = quarantine.pardoned(made("net/dns", TestStatus.ERROR))
    record = records.decode(data)
    message = "quarantined until 2026-11-27 (anna: ticket 1): ERROR no answer"
    info = {"quarantine": "until 2026-11-27, anna"}
    assert (entry.status, entry.message, entry.info, entry.reason, entry.attempt) == (
        TestStatus.XFAIL,
        message,
        info,
        "exit:1",
        2,
    )
    assert (record.status, record.msg, record.info, record.log) == (
        "XFAIL",
        message,
        info,
        "log\n",
    )


@pytest.mark.parametrize(
    ("test", "status"),
    [
        ("net/dns", TestStatus.PASS),
        ("net/dns", TestStatus.SKIP),
        ("net", TestStatus.FAIL),
        ("net/a/b", TestStatus.FAIL),
        ("old", TestStatus.FAIL),
    ],
)
def test_everything_else_is_as_it_was(tmp_path: Path, test: str, status: TestStatus) -> None:
    one = made(test, status)
    assert loaded(tmp_path, FILE).pardoned(one) is one


def test_an_entry_whose_time_is_over_says_so(tmp_path: Path) -> None:
    (note,) = loaded(tmp_path, FILE).notes
    assert note.removeprefix(f"{tmp_path}/") == (
        "q.toml:7: the quarantine of 'old' ended on 2026-11-26: its failures count again;"
        " bob has to see to it"
    )


def test_a_name_counts_more_than_a_glob(tmp_path: Path) -> None:
    text = FILE + '[[quarantine]]\ntest = "net/dns"\nowner = "eve"\nuntil = 2027-01-01\n'
    found = loaded(tmp_path, text).entry_of("net/dns")
    assert found is not None
    assert found.owner == "eve"


def test_a_file_without_entries_is_fine(tmp_path: Path) -> None:
    assert loaded(tmp_path, "# nothing\n").entry_of("x") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x =", "q.toml: Invalid value (at end of document); mend it"),
        ("x = 1", "q.toml: 'x': write entries as [[quarantine]] tables"),
        ("quarantine = 1", "q.toml: 'quarantine': write entries as [[quarantine]] tables"),
        ("quarantine = [1]", "q.toml:1: write entries as [[quarantine]] tables"),
        ("\n[[quarantine]]\nowner = 'a'", "q.toml:2: 'test' must be a text; write test = \"...\""),
        (
            "[[quarantine]]\ntest = 'a'\nowner = ' '",
            "q.toml:1: 'owner' must be a text; write owner = \"...\"",
        ),
        (
            "[[quarantine]]\ntest = 'a'\nowner = 'b'",
            "q.toml:1: 'until' must be a day; write until = 2027-01-31",
        ),
        (
            "[[quarantine]]\ntest = 'a'\nowner = 'b'\nuntil = 2027-01-31T10:00:00",
            "q.toml:1: 'until' must be a day; write until = 2027-01-31",
        ),
        ("[[quarantine]]\nuntill = 1", "q.toml:1: unknown key 'untill'; did you mean 'until'?"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"q\.toml: cannot be read: No such file or directory"):
        Quarantine.load(str(tmp_path / "q.toml"), today=TODAY)
