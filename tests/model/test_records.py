"""Results as values: what a driver filled in, through JSON and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testloom.model import records
from testloom.model.log import Log
from testloom.model.result import ResultHead, ResultRecord, TestResult
from testloom.model.status import FailureReason, TestStatus

TEXT = st.text(max_size=30)
LOGS = st.one_of(TEXT.map(Log), st.binary(max_size=30).map(Log))


def full() -> TestResult:
    result = TestResult("t", status=TestStatus.FAIL, msg="why", test_matcher="dir/t")
    result.log = Log("text\n")
    result.expected, result.out, result.diff = Log(b"\xff"), Log("é"), Log("")
    result.reason, result.time = "diff", 1.25
    result.failure_reasons = {FailureReason.DIFF, FailureReason.CRASH}
    result.info = {"k": "v"}
    result.processes = [{"cmd": ["a"], "status": 3, "output": Log("x").log}]
    return result


def back(result: TestResult) -> TestResult:
    return records.result_of(records.decode(records.encode(result)))


def test_all_of_a_result_comes_back() -> None:
    before, after = vars(full()), vars(back(full()))

    assert after == before


@given(name=TEXT, msg=TEXT, log=LOGS, out=st.none() | LOGS, info=st.dictionaries(TEXT, TEXT))
def test_any_text_and_any_bytes_come_back(
    name: str, msg: str, log: Log[Any], out: Log[Any] | None, info: dict[str, str]
) -> None:
    result = TestResult(name)
    result.set_status(TestStatus.PASS, msg)
    result.log, result.out, result.info = log, out, info
    after = back(result)

    assert (after.test_name, after.msg, after.log, after.out, after.info) == (
        name,
        result.msg,
        log if log.log or log.is_text else Log(""),
        out,
        info,
    )


def test_the_head_is_there_without_the_logs() -> None:
    assert records.decode_head(records.encode(full())) == ResultHead(
        name="t",
        status="FAIL",
        msg="why",
        reason="diff",
        failure_reasons=["CRASH", "DIFF"],
        time=1.25,
        test_matcher="dir/t",
        info={"k": "v"},
    )


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        records.decode(b'{"name": 3}')
    with pytest.raises(msgspec.MsgspecError):
        records.decode_head(b"\xff")


def test_what_json_cannot_hold_is_escaped() -> None:
    result = TestResult("a\udcffb", status=TestStatus.PASS)
    result.processes = [{"cmd": ("x",), "odd": object, "nan": float("nan"), "bytes": b"\xff"}]
    record = records.decode(records.encode(result))

    assert record.name == r"a\xffb"
    assert record.processes[0]["cmd"] == ["x"]
    assert record.processes[0]["odd"].startswith("<class")
    assert record.processes[0]["nan"] in ("nan", None)


def test_long_texts_are_cut_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_TEXT", 10)
    monkeypatch.setattr(records, "MAX_MESSAGE", 5)
    result = TestResult("t", status=TestStatus.PASS, msg="0123456789")
    result.log, result.out = Log("0123456789abcdef"), Log(b"0123456789abcdef")
    record = records.record_of(result)

    assert (record.msg, record.log, record.out_bytes) == (
        "01234",
        "01234\n... 6 characters dropped ...\nbcdef",
        b"01234\n... 6 characters dropped ...\nbcdef",
    )


def test_texts_that_escapes_make_too_long_are_cut_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_ENCODED", 1000)
    monkeypatch.setattr(records, "_TEXT_OF_LARGE", 10)
    result = TestResult("t", status=TestStatus.FAIL)
    result.log, result.diff = Log("\0" * 100), Log("\0" * 100)
    result.out = Log(b"short")
    record = records.decode(records.encode(result))

    cut = "\0\0\0\0\0\n... 90 characters dropped ...\n\0\0\0\0\0"
    assert (record.status, record.log, record.diff) == ("FAIL", cut, cut)
    assert record.out_bytes == b"short"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("status", "PASS", "status is 'PASS'"),
        ("test_name", 3, "name is 3"),
        ("time", float("nan"), "time is nan"),
        ("time", "1", "time is '1'"),
        ("log", 3, "log is a int"),
        ("out", Log(3), "out is a int"),  # type: ignore[type-var]  # that is the mistake
    ],
)
def test_a_malformed_result_is_an_error_that_names_the_field(
    field: str, value: Any, said: str
) -> None:
    result = TestResult("t", status=TestStatus.PASS)
    setattr(result, field, value)
    record = records.record_of(result)

    assert (record.status, record.reason, record.msg) == (
        "ERROR",
        "protocol",
        f"the driver pushed a malformed result: {said}",
    )


def test_a_plain_record_is_small() -> None:
    assert msgspec.json.encode(ResultRecord(name="t", status="PASS")) == (
        b'{"name":"t","status":"PASS"}'
    )


class Spiteful:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(exclude_categories=())),
        st.binary(),
        st.builds(Spiteful),
        st.builds(object),
        st.builds(lambda: 10**400),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=3),
    ),
    max_leaves=5,
)


@settings(suppress_health_check=list(HealthCheck), database=None)
@given(field=st.sampled_from(sorted(vars(full()).keys() - {"env"})), value=ANYTHING)
def test_whatever_a_driver_fills_in_there_is_a_record(field: str, value: Any) -> None:
    result = TestResult("t")
    setattr(result, field, value)
    record = records.decode(records.encode(result))

    assert record.status in TestStatus.__members__


def test_the_memory_of_a_result_is_the_most_that_one_of_its_programs_had() -> None:
    result = full()
    result.processes = [{"max_rss_bytes": 5}, {"max_rss_bytes": 7}, {"max_rss_bytes": "9"}, {}]

    assert records.decode(records.encode(result)).memory_bytes == 7
    assert records.decode(records.encode(full())).memory_bytes == 0
