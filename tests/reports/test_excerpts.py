"""What reports show of logs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testloom.journal.format import JournalError
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.details import Details, details_of, excerpt

RUN = RunInfo(run_id="r", suite="s", root="/r", output_dir="/o", command=(), jobs=1, started_at=0)
ENTRY = ResultEntry(name="a", test="a", status=TestStatus.FAIL, place=0)


def test_a_short_text_stays_as_it_is() -> None:
    assert excerpt("é" * 50, 100) == "é" * 50


def test_a_long_text_loses_its_middle_and_says_how_much() -> None:
    assert excerpt("a" * 60 + "b" * 60, 60) == "a" * 16 + "\n... 88 bytes dropped ...\n" + "b" * 16


@given(st.text(max_size=300), st.integers(min_value=40, max_value=400))
def test_an_excerpt_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    cut = excerpt(text, limit)
    assert len(cut.encode("utf-8", "surrogatepass")) <= limit
    assert cut == text or " bytes dropped ..." in cut


def test_binary_logs_are_shown_with_escapes() -> None:
    record = ResultRecord(
        name="a", status="FAIL", log_bytes=b"\xff\n", diff="-a\n", expected_bytes=b"a", out="b"
    )
    summary = Summary(run=RUN, entries=[ENTRY], load=lambda _: record)
    assert details_of(summary, ENTRY) == Details(log="\\xff\n", diff="-a\n", expected="a", out="b")


def test_logs_that_cannot_be_read_do_not_stop_a_report() -> None:
    def load(_: ResultEntry) -> ResultRecord:
        raise JournalError("out/run.journal", "the result of 'a' is damaged")

    summary = Summary(run=RUN, entries=[ENTRY], load=load)
    assert details_of(summary, ENTRY) == Details(
        log="the logs of this result are lost: out/run.journal: the result of 'a' is damaged\n"
    )


def test_a_result_without_a_place_has_no_logs_to_load() -> None:
    def load(_: ResultEntry) -> ResultRecord:
        raise AssertionError

    nowhere = ResultEntry(name="a", test="a", status=TestStatus.SKIP)
    assert details_of(Summary(run=RUN, entries=[nowhere], load=load), nowhere) == Details()


def test_plain_and_other_texts_are_cut_alike() -> None:
    plain = excerpt("a" * 500, 100)
    assert excerpt("\xe9" * 250, 100).replace("\xe9", "aa") == plain
