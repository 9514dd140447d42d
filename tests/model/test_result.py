from __future__ import annotations

import logging

import pytest

from testloom.model import reason
from testloom.model.log import Log, binary_repr, truncated
from testloom.model.outcome import Exited, Killed, NotStarted, OutputLimit, TimedOut, headline
from testloom.model.result import TestResult, TestResultSummary, one_line
from testloom.model.status import FailureReason, TestStatus, signal_name


def test_a_result_is_an_error_until_it_is_given_a_verdict() -> None:
    result = TestResult("t")

    assert (result.status, result.msg, result.log, result.reason) == (
        TestStatus.ERROR,
        None,
        Log(""),
        "",
    )


def test_a_verdict_is_given_once(caplog: pytest.LogCaptureFixture) -> None:
    result = TestResult("t")
    result.set_status(TestStatus.PASS, "  first \n line  ")
    with caplog.at_level(logging.ERROR):
        result.set_status(TestStatus.FAIL, "second")

    assert (result.status, result.msg) == (TestStatus.PASS, "first line")
    assert caplog.messages == ["cannot set test t status twice"]


def test_of_a_result_there_is_a_summary_without_logs() -> None:
    result = TestResult("t", status=TestStatus.FAIL, msg="no")
    result.failure_reasons.add(FailureReason.DIFF)
    result.info["k"] = "v"
    result.time = 1.5
    summary = result.summary
    result.info["k"] = "changed"

    assert summary == TestResultSummary(
        test_name="t",
        status=TestStatus.FAIL,
        msg="no",
        failure_reasons=frozenset({FailureReason.DIFF}),
        time=1.5,
        info={"k": "v"},
    )


@pytest.mark.parametrize(
    ("msg", "line"),
    [(None, None), ("", None), (" \n ", None), ("a", "a"), (" a \n\n  b ", "a  b")],
)
def test_a_message_is_one_line(msg: str | None, line: str | None) -> None:
    assert one_line(msg) == line


def test_numbers_and_names_are_those_that_files_have() -> None:
    assert [(s.value, s.name) for s in TestStatus] == list(
        enumerate(
            ["PASS", "FAIL", "XFAIL", "XPASS", "VERIFY", "SKIP", "NOT_APPLICABLE", "ERROR"], 1
        )
    )
    assert [s.name for s in TestStatus if s.is_bad] == ["FAIL", "ERROR"]
    assert [r.name for r in list(FailureReason)[:4]] == ["CRASH", "TIMEOUT", "MEMCHECK", "DIFF"]


def test_reasons_have_a_word_and_a_detail() -> None:
    assert (reason.crash(11), reason.crash(63), reason.exited(3)) == (
        "crash:SIGSEGV",
        "crash:SIG63",
        "exit:3",
    )
    assert signal_name(15) == "SIGTERM"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exited(0), "exit status 0"),
        (Killed(9), "killed by SIGKILL"),
        (TimedOut(2.5), "timed out after 2.5 s"),
        (TimedOut(60.0, ignored_term=True), "timed out after 60 s, SIGTERM ignored, killed"),
        (OutputLimit(10), "stopped: wrote more than 10 bytes"),
        (NotStarted("no such file"), "could not start: no such file"),
    ],
)
def test_every_end_of_a_program_has_a_headline(end: Exited, words: str) -> None:
    assert headline(end) == words


# -- logs ----------------------------------------------------------------------------------------


def test_a_log_grows_and_is_compared_by_content() -> None:
    text, binary = Log("a"), Log(b"a")
    text += "b"
    binary += b"\xff"

    assert (text, binary, len(binary), bool(Log(""))) == (Log("ab"), Log(b"a\xff"), 2, False)
    assert (text.is_text, text.is_binary, binary.is_text, binary.is_binary) == (
        True,
        False,
        False,
        True,
    )
    assert (str(text), str(binary), repr(binary)) == ("ab", r"a\xff", r"Log(b'a\xff')")
    assert Log("a") != "a"


def test_text_and_bytes_do_not_mix() -> None:
    log = Log("a")
    with pytest.raises(TypeError):
        log += b"b"  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize(
    ("binary", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"tab\tcr\r\n", "tab\\x09cr\\x0d\n"),
        (b"caf\xe9", r"caf\xe9"),
        (b"back\\slash", r"back\\slash"),
        (b"\x00\x1b", r"\x00\x1b"),
        (b"\\xe9", r"\\xe9"),
    ],
)
def test_bytes_are_shown_so_that_no_two_look_the_same(binary: bytes, text: str) -> None:
    assert binary_repr(binary) == text


@pytest.mark.parametrize(
    ("lines", "count", "expected"),
    [
        ("1\n2\n3\n4\n5\n", 2, "1\n2\n\n... 1 lines skipped...\n4\n5\n"),
        ("1\n2\n3\n4\n", 2, "1\n2\n3\n4\n"),
        ("1\n2\n3", 1, "1\n\n... 1 lines skipped...\n3"),
        ("1\n2\n3\n", 0, "1\n2\n3\n"),
        ("", 1, ""),
    ],
)
def test_long_output_is_cut_in_the_middle(lines: str, count: int, expected: str) -> None:
    assert truncated(lines, count) == expected
