"""What came of a test of pytest as results of testloom, and its way back to reports of pytest.

Beside what every record holds, that of a test which may be taken over by another session has its
reports, so that pytest can be told of them there once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from testloom.drivers.pytest_driver import log_of, verdict_of
from testloom.model import records
from testloom.model.log import Log
from testloom.model.result import ResultHead, TestResult
from testloom.model.status import PASSING_STATUSES, TestStatus
from testloom.pytest_plugin import wire

_TAKEN_OVER: Final = frozenset(s.name for s in PASSING_STATUSES | {TestStatus.XFAIL})


class Made(NamedTuple):
    """A result."""

    head: ResultHead
    record: bytes
    """The JSON of its `ResultRecord`."""


class _Plain(msgspec.Struct):
    """A `ResultRecord` of a test that passed and said nothing, with its reports."""

    name: str
    status: str
    reports: wire.Item


class Results:
    """Makes results of reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._gathered = wire.Gathered(config)

    def of(
        self, nodeid: str, reports: Sequence[Any], done: wire.Item | None = None
    ) -> tuple[list[Made], bool]:
        """Return the results of test *nodeid*, and whether another session may take them over.

        *done* is what a slot has told of it, if that is where the *reports* are from.
        """
        told = self._told(reports) if done is None else wire.kept_of(done)
        if told is not None and not told.others and not any(p.sections for _, p in told.passed):
            status = TestStatus.PASS.name
            record = wire.as_json(_Plain(nodeid, status, told))
            return [Made(ResultHead(name=nodeid, status=status), record)], True
        made = _pushed(reports) or [_made_of(nodeid, reports)]
        if not all(one.head.status in _TAKEN_OVER for one in made):
            return made, True  # as one that failed, or was skipped
        if told is None:
            return made, False
        try:
            return [*made[:-1], _with_reports(made[-1], wire.as_json(told))], True
        except (TypeError, ValueError, OverflowError, RecursionError):  # what plugins have added
            return made, False

    def _told(self, reports: Sequence[Any]) -> wire.Item | None:
        """Return *reports* as another session can be told of them; None if that is not possible."""
        gathered = self._gathered
        gathered.begin(-1)
        for report in reports:
            if hasattr(report, "node"):  # of pytest-xdist, whose workers are not there later
                return None
            gathered.add(report)
        return wire.kept_of(gathered.item)


class _Reports(msgspec.Struct):
    """The part of a record that is of pytest."""

    reports: wire.Item | None = None


_reports = msgspec.json.Decoder(_Reports)


def reports_in(record: bytes | msgspec.Raw) -> wire.Item | None:
    """Return the reports in *record*; None if there are none."""
    return _reports.decode(record).reports


def _with_reports(made: Made, reports: bytes) -> Made:
    return Made(made.head, b'%b,"reports":%b}' % (made.record[:-1], reports))


def _pushed(reports: Sequence[Any]) -> list[Made]:
    """Return what a data test has pushed."""
    texts = [text for report in reports for text in getattr(report, "testloom_results", ())]
    return [_made(text.encode()) for text in texts]


def _made_of(nodeid: str, reports: Sequence[Any]) -> Made:
    """Return the result that pytest's *reports* tell of."""
    status, message = verdict_of(reports)
    result = TestResult(nodeid, status=status)
    result.msg = message or None
    result.log = Log("\n".join(filter(None, map(log_of, reports))))
    result.info = {str(k): str(v) for report in reports for k, v in report.user_properties}
    return _made(records.encode(result))


def _made(record: bytes) -> Made:
    return Made(records.decode_head(record), record)
