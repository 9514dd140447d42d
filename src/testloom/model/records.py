"""Turn a `TestResult` into a `ResultRecord` and back, whatever a driver put into it.

Nothing here raises because of what a driver did: a status that is none, a log that is not
text, a time that is not a number become an ERROR with reason ``protocol`` and a message that
names the field.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from testloom.model import reason
from testloom.model.log import Log
from testloom.model.names import encodable
from testloom.model.result import ResultHead, ResultRecord, TestResult, one_line
from testloom.model.status import FailureReason, TestStatus

MAX_TEXT = 8 * 1024 * 1024
"""Characters (or bytes) kept of each log of a result: half from its head, half from its tail."""
MAX_ENCODED = 48 * 1024 * 1024
"""Bytes of a record: less than a message between processes may have.  Escapes in JSON make six of one."""
_TEXT_OF_LARGE = 1024 * 1024
"""Characters kept of each log of a record that is larger than that."""
MAX_MESSAGE = 4096
"""Characters kept of a message."""
_MOST_MEMORY = 2**62
_LOGS: Final = ("log", "expected", "out", "diff")

_encoder = msgspec.json.Encoder()
_record_decoder = msgspec.json.Decoder(ResultRecord)
_head_decoder = msgspec.json.Decoder(ResultHead)


def encode(result: TestResult) -> bytes:
    """Return *result* as the JSON of a `ResultRecord`."""
    record = record_of(result)
    data = _encoded(record)
    if len(data) <= MAX_ENCODED:
        return data
    for field in _LOGS:
        for each in (field, f"{field}_bytes"):
            content = getattr(record, each)
            if content is not None:
                setattr(record, each, _cut(content, _TEXT_OF_LARGE))
    return _encoded(record)


def _encoded(record: ResultRecord) -> bytes:
    try:
        return _encoder.encode(record)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, RecursionError):
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

    def wrong(field: str, value: Any, instead: Any) -> Any:
        problems.append(f"{field} is {_safe_repr(value)}")
        return instead

    status, name, msg, time = result.status, result.test_name, result.msg, result.time
    why, matcher, info, processes = (
        result.reason,
        result.test_matcher,
        result.info,
        result.processes,
    )
    is_matcher = matcher is None or isinstance(matcher, str)
    record = ResultRecord(
        name=name if isinstance(name, str) else wrong("name", name, _safe_repr(name)),
        status=status.name if isinstance(status, TestStatus) else wrong("status", status, "ERROR"),
        msg=_message(msg) if msg is None or isinstance(msg, str) else _message(_safe_repr(msg)),
        reason=why if isinstance(why, str) else wrong("reason", why, ""),
        time=time if time is None or _is_number(time) else wrong("time", time, None),
        test_matcher=matcher if is_matcher else wrong("test_matcher", matcher, None),
        info=info if _is_info(info) else wrong("info", info, {}),
        processes=processes if _is_processes(processes) else wrong("processes", processes, []),
    )
    if record.processes:
        record.memory_bytes = max(map(_memory_of, record.processes))
    families = result.failure_reasons
    if families:
        is_set = isinstance(families, set | frozenset | list | tuple)
        found = families if is_set else wrong("failure_reasons", families, ())
        record.failure_reasons = sorted(r.name for r in found if isinstance(r, FailureReason))
    for field in _LOGS:
        value: Any = getattr(result, field)
        content = value.log if isinstance(value, Log) else value
        if content is None or (field == "log" and isinstance(content, str) and not content):
            continue
        if not isinstance(content, str | bytes):
            problems.append(f"{field} is a {type(content).__name__}")
        elif content or field != "log":
            cut = _cut(content, MAX_TEXT)
            setattr(record, field if isinstance(cut, str) else f"{field}_bytes", cut)
    if problems:
        record.status = TestStatus.ERROR.name
        record.reason = reason.PROTOCOL
        record.msg = _message("the driver pushed a malformed result: " + "; ".join(problems))
    return record


def _message(text: str | None) -> str | None:
    return one_line(text[:MAX_MESSAGE]) if text else None


def _is_number(value: Any) -> bool:
    try:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    except OverflowError:
        return False


def _is_info(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(map(_is_text, value)) and all(map(_is_text, value.values()))


def _is_processes(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_process, value))


def _is_process(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _memory_of(process: dict[str, Any]) -> int:
    used = process.get("max_rss_bytes")
    return used if isinstance(used, int) and 0 < used < _MOST_MEMORY else 0


def _safe_repr(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception:  # noqa: BLE001 - a foreign __repr__
        return f"a {type(value).__name__}"


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


def _cut(content: str | bytes, size: int) -> str | bytes:
    if len(content) <= size:
        return content
    half = size // 2
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
    if value is None or isinstance(value, bool | bytes):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < 4 and isinstance(value, dict):
        return {_text(k): _plain(v, depth + 1) for k, v in value.items()}
    if depth < 4 and isinstance(value, list | tuple):
        return [_plain(v, depth + 1) for v in value]
    return _text(value)


def _text(value: object) -> str:
    return encodable(value if isinstance(value, str) else _safe_repr(value))
