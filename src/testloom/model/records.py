"""Turn a `TestResult` into a `ResultRecord` and back, whatever a driver put into it.

Nothing here raises because of what a driver did: a status that is none, a log that is not
text, a time that is not a number become an ERROR with reason ``protocol`` and a message that
names the field.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from testloom.model import reason
from testloom.model.log import Log
from testloom.model.result import ResultHead, ResultRecord, TestResult, one_line
from testloom.model.status import FailureReason, TestStatus

MAX_TEXT = 8 * 1024 * 1024
"""Characters (or bytes) kept of each log of a result: half from its head, half from its tail."""
MAX_MESSAGE = 4096
"""Characters kept of a message."""

_encoder = msgspec.json.Encoder()
_record_decoder = msgspec.json.Decoder(ResultRecord)
_head_decoder = msgspec.json.Decoder(ResultHead)


def encode(result: TestResult) -> bytes:
    """Return *result* as the JSON of a `ResultRecord`."""
    record = record_of(result)
    try:
        return _encoder.encode(record)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        # Lone surrogates, or values of foreign types in `info` and `processes`.
        return _encoder.encode(_cleaned(record))


def decode(data: bytes) -> ResultRecord:
    """Return the record that *data* holds.

    Raises:
        msgspec.ValidationError: it holds none.
    """
    return _record_decoder.decode(data)


def decode_head(data: bytes) -> ResultHead:
    """Return the head of the record that *data* holds, without decoding its logs.

    Raises:
        msgspec.ValidationError: it holds none.
    """
    return _head_decoder.decode(data)


def record_of(result: TestResult) -> ResultRecord:
    """Return *result* as a value."""
    problems: list[str] = []
    status = result.status
    if not isinstance(status, TestStatus):
        problems.append(f"status is {status!r}")
        status = TestStatus.ERROR
    name = result.test_name
    if not isinstance(name, str):
        problems.append(f"name is {name!r}")
        name = str(name)
    time = result.time
    if time is not None and not (isinstance(time, int | float) and math.isfinite(time)):
        problems.append(f"time is {time!r}")
        time = None
    msg = result.msg
    if msg is not None and not isinstance(msg, str):
        msg = str(msg)
    record = ResultRecord(
        name=name,
        status=status.name,
        msg=one_line(msg[:MAX_MESSAGE]) if msg else None,
        reason=result.reason,
        time=time,
        test_matcher=result.test_matcher,
        info=result.info,
        processes=result.processes,
    )
    if result.failure_reasons:
        record.failure_reasons = sorted(
            r.name for r in result.failure_reasons if isinstance(r, FailureReason)
        )
    for field in ("log", "expected", "out", "diff"):
        value: Any = getattr(result, field)
        if value is None or value == "":
            continue
        content = value.log if isinstance(value, Log) else value
        if not isinstance(content, str | bytes):
            problems.append(f"{field} is a {type(content).__name__}")
        elif content or field != "log":
            cut = _cut(content)
            setattr(record, field if isinstance(cut, str) else f"{field}_bytes", cut)
    if problems:
        record.status = TestStatus.ERROR.name
        record.reason = reason.PROTOCOL
        record.msg = "the driver pushed a malformed result: " + "; ".join(problems)
    return record


def result_of(record: ResultRecord) -> TestResult:
    """Return the result that *record* is the value of."""
    result = TestResult(
        record.name, status=TestStatus[record.status], test_matcher=record.test_matcher
    )
    result.msg = record.msg
    result.reason = record.reason
    result.time = record.time
    result.info = dict(record.info)
    result.processes = list(record.processes)
    result.failure_reasons = {FailureReason[name] for name in record.failure_reasons}
    result.log = _log(record.log, record.log_bytes) or Log("")
    result.expected = _log(record.expected, record.expected_bytes)
    result.out = _log(record.out, record.out_bytes)
    result.diff = _log(record.diff, record.diff_bytes)
    return result


def _log(text: str | None, binary: bytes | None) -> Log[str] | Log[bytes] | None:
    if binary is not None:
        return Log(binary)
    return None if text is None else Log(text)


def _cut(content: str | bytes) -> str | bytes:
    if len(content) <= MAX_TEXT:
        return content
    half = MAX_TEXT // 2
    note = f"\n... {len(content) - 2 * half} characters dropped ...\n"
    if isinstance(content, bytes):
        return content[:half] + note.encode() + content[-half:]
    return content[:half] + note + content[-half:]


def _cleaned(record: ResultRecord) -> ResultRecord:
    """Return *record* with everything JSON cannot hold replaced by its escaped text."""
    fields = {name: _plain(getattr(record, name)) for name in record.__struct_fields__}
    fields["info"] = {_text(k): _text(v) for k, v in dict(record.info).items()}
    return ResultRecord(**fields)


def _plain(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int | bytes):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < 4 and isinstance(value, dict):
        return {_text(k): _plain(v, depth + 1) for k, v in value.items()}
    if depth < 4 and isinstance(value, list | tuple):
        return [_plain(v, depth + 1) for v in value]
    return _text(value)


def _text(value: object) -> str:
    text = str(value)
    try:
        # Bytes that were no text stand in it as surrogates.
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
