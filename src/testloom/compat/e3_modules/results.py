"""Results that can be saved as e3-testsuite's YAML files, and read back from them.

The files are written by the C emitter and read by the C parser, both safe: no tag makes anything
but the three kinds of value below.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import yaml

from testloom.model import names, records
from testloom.model.log import Log
from testloom.model.result import ResultRecord
from testloom.model.result import TestResult as NativeResult
from testloom.model.status import FailureReason, TestStatus

__all__ = ["FailureReason", "Log", "TestResult", "TestResultSummary", "TestStatus"]

KNOWN_REASONS: Final = frozenset(
    {FailureReason.CRASH, FailureReason.TIMEOUT, FailureReason.MEMCHECK, FailureReason.DIFF}
)
"""Those that readers of e3-testsuite's files know."""

_PREFIX: Final = "!e3.testsuite.result."
_TEXTS: Final = ("log", "expected", "out", "diff")
_NOT_YAML: Final = re.compile(rb"\x7f|(?<=[:,\[ ])-?[0-9.]+e[-+]?[0-9]")
"""What JSON may contain, and YAML not, or as something else; also some texts, which does no harm."""
_OF_E3: Final = ("status", "failure_reasons")
"""The values that have types of their own."""
_LONGEST_KEY: Final = 128
"""YAML reads keys of up to 1024 characters where it does not expect one; each may be an escape."""
_JSON_SCALARS: Final = frozenset({str, int, bool, type(None)})
_json: Final = msgspec.json.Encoder().encode
_PROCESS_KEYS: Final = ("cmd", "cwd", "status", "output", "errors")
_COLORS: Final = {
    TestStatus.PASS: ("Fore.GREEN",),
    TestStatus.FAIL: ("Fore.RED",),
    TestStatus.XFAIL: ("Fore.CYAN",),
    TestStatus.XPASS: ("Fore.YELLOW",),
    TestStatus.VERIFY: ("Fore.YELLOW",),
    TestStatus.SKIP: ("Style.DIM",),
    TestStatus.NOT_APPLICABLE: ("Style.DIM",),
    TestStatus.ERROR: ("Fore.RED", "Style.BRIGHT"),
}


def status_color(status: TestStatus, colors: Any) -> str:
    """Return what to write before something that has *status*, to show it in its colour."""
    parts = (name.partition(".") for name in _COLORS[status])
    return "".join(getattr(getattr(colors, kind), value) for kind, _, value in parts)


TestStatus.color = status_color  # type: ignore[attr-defined]  # e3-testsuite has it as a method


@dataclasses.dataclass(frozen=True)
class TestResultSummary:
    """What of a result stays in memory when its logs are on disk."""

    __test__ = False

    test_name: str
    status: TestStatus
    msg: str | None
    failure_reasons: set[FailureReason]
    time: float | None
    info: dict[str, str]


class TestResult(NativeResult):
    """A result that can be saved as a file."""

    __test__ = False

    def __init__(
        self,
        name: str,
        env: dict[str, Any] | None = None,
        status: TestStatus | None = None,
        msg: str = "",
        test_matcher: str | None = None,
    ) -> None:
        super().__init__(name, {} if env is None else env, status, msg, test_matcher)
        self.msg = msg

    @property
    def summary(self) -> TestResultSummary:  # type: ignore[override]  # the same fields
        return summary_of(self)

    def save(self, results_dir: str) -> str:
        """Write the result to a new file in *results_dir*; return the file's name."""
        return save(self, results_dir)

    @staticmethod
    def load(filename: str) -> TestResult:
        """Return the result that the file has. Its logs are plain text or bytes.

        Raises:
            yaml.YAMLError: it is no such file.
        """
        with open(filename, "rb") as file:
            result = yaml.load(file, Loader=_Loader)  # noqa: S506 - a safe one
        if not isinstance(result, TestResult):
            raise yaml.YAMLError(f"{filename}: holds no test result")
        return result


def from_journal(record: ResultRecord, env: dict[str, Any]) -> NativeResult:
    """Return the result that a journal has as *record*, of a test that says *env* of itself."""
    result = records.result_of(record)
    result.env = env
    if result.msg is None and result.status is TestStatus.ERROR:
        result.msg = ""
    return result


def summary_of(result: NativeResult) -> TestResultSummary:
    """Return the summary of *result*."""
    return TestResultSummary(
        test_name=result.test_name,
        status=result.status,
        msg=result.msg,
        failure_reasons=set(result.failure_reasons),
        time=result.time,
        info=dict(result.info),
    )


def save(result: NativeResult, results_dir: str) -> str:
    """Write *result* to a new file in *results_dir*; return the file's name."""
    data = encoded(result)
    stem = names.path_for(result.test_name)
    while True:
        name = f"{stem}-{secrets.token_hex(4)}.yaml"
        try:
            with open(os.path.join(results_dir, name), "xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return name


def encoded(result: NativeResult) -> bytes:
    """Return the content of the file of *result*."""
    values = _values(result)
    try:
        return _written_quickly(values) or _dumped(values)
    except (UnicodeEncodeError, ValueError):
        return _dumped(_cleaned(values))


def plain(log: object) -> str | bytes | None:
    """Return the content of *log*: a `Log`, the content itself, or None."""
    return log.log if isinstance(log, Log) else log  # type: ignore[return-value]  # one of these


def _values(result: NativeResult) -> dict[str, Any]:
    return {
        "diff": plain(result.diff),
        "env": result.env or {},
        "expected": plain(result.expected),
        "failure_reasons": set(result.failure_reasons) & KNOWN_REASONS,
        "info": dict(result.info),
        "log": plain(result.log),
        "msg": result.msg,
        "out": plain(result.out),
        "processes": [
            {key: process[key] for key in _PROCESS_KEYS if key in process}
            for process in result.processes
        ],
        "status": result.status,
        "test_matcher": result.test_matcher,
        "test_name": result.test_name,
        "time": result.time,
    }


class _Result(dict[str, Any]):
    """The values of a result, to be written under its tag."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # chosen here
    """Writes results, and whatever a test's environment may hold, as plain values."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen here
    """Reads results."""


def _dumped(values: dict[str, Any]) -> bytes:
    data: bytes = yaml.dump(
        _Result(values), Dumper=_Dumper, encoding="utf-8", allow_unicode=True, sort_keys=False
    )
    return data


def _written_quickly(values: dict[str, Any]) -> bytes:
    """Return the document of a result that nobody will want to look at; empty if there is a doubt.

    JSON in ASCII is YAML, too, and made ten times faster than by the emitter.  What is left to
    the emitter: results that are looked at, what JSON cannot hold, numbers that YAML takes
    for text (``1e-05``), and keys that are too long for it.
    """
    plain = [value for key, value in values.items() if key not in _OF_E3]
    if values["status"].is_bad or values["failure_reasons"] or not _is_json(plain):
        return b""
    lines = [b"!e3.testsuite.result.TestResult"]
    for key, value in values.items():
        if key == "status":
            text = b"!e3.testsuite.result.TestStatus %d" % value.value
        elif key == "failure_reasons":
            text = b"!!set {}"
        else:
            text = _json(value)
        lines.append(b"%s: %s" % (key.encode(), text))
    document = b"\n".join([*lines, b""])
    return document if document.isascii() and not _NOT_YAML.search(document) else b""


def _is_json(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(
            type(key) is str and len(key) <= _LONGEST_KEY and _is_json(it)
            for key, it in value.items()
        )
    if kind is list:
        return all(map(_is_json, value))
    if kind is float:
        return math.isfinite(value)
    return kind in _JSON_SCALARS


def _plain_value(dumper: Any, value: Any) -> Any:
    """Write a value of a foreign type as the nearest plain one."""
    kinds: Sequence[tuple[Any, Callable[[Any], object]]] = (
        (str, str),
        (bool, bool),
        (int, int),
        (float, float),
        (Mapping, dict),
        ((list, tuple, collections.deque), list),
        ((set, frozenset), set),
    )
    for kind, make in kinds:
        if isinstance(value, kind):
            return dumper.represent_data(make(value))
    return dumper.represent_str(value.name if isinstance(value, enum.Enum) else str(value))


def _cleaned(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if depth > 20:
        return str(value)[:1000]
    if isinstance(value, dict):
        return {_cleaned(key, depth + 1): _cleaned(it, depth + 1) for key, it in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(it, depth + 1) for it in value]
    return value


def _made_result(loader: Any, node: Any) -> Iterator[TestResult]:
    result = TestResult("")
    yield result
    vars(result).update(loader.construct_mapping(node, deep=True))


def _made_status(_loader: Any, node: Any) -> TestStatus:
    return TestStatus(int(node.value))


def _made_reason(_loader: Any, node: Any) -> FailureReason:
    return FailureReason(int(node.value))


def _made_log(loader: Any, node: Any) -> Any:
    return loader.construct_mapping(node, deep=True).get("log", "")


_Dumper.add_representer(
    _Result, lambda dumper, values: dumper.represent_mapping(f"{_PREFIX}TestResult", dict(values))
)
_Dumper.add_representer(
    TestStatus,
    lambda dumper, status: dumper.represent_scalar(f"{_PREFIX}TestStatus", str(status.value)),
)
_Dumper.add_representer(
    FailureReason,
    lambda dumper, reason: dumper.represent_scalar(f"{_PREFIX}FailureReason", str(reason.value)),
)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)
_Dumper.add_representer(Log, lambda dumper, log: dumper.represent_data(log.log))
_Dumper.add_multi_representer(object, _plain_value)

for _loader in (_Loader, yaml.SafeLoader):  # suites read such files with yaml.safe_load
    _loader.add_constructor(f"{_PREFIX}TestResult", _made_result)
    _loader.add_constructor(f"{_PREFIX}TestStatus", _made_status)
    _loader.add_constructor(f"{_PREFIX}FailureReason", _made_reason)
    _loader.add_constructor(f"{_PREFIX}Log", _made_log)
