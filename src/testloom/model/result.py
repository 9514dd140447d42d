"""The result of a test: what a driver fills in and what a report shows.

`TestResult` is mutable because drivers build it up while the test runs.  `ResultRecord` is the
same as a value that can travel: it is what a worker sends, what the journal keeps, and what a
report loads back.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from testloom.model.log import Log
from testloom.model.status import FailureReason, TestStatus

logger = logging.getLogger("testloom.result")


class TestResultSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What of a result stays in memory when its logs are on disk."""

    __test__ = False

    test_name: str
    status: TestStatus
    msg: str | None = None
    failure_reasons: frozenset[FailureReason] = frozenset()
    time: float | None = None
    """Seconds of wall-clock time."""
    info: dict[str, str] = {}


class TestResult:
    """One result of a test, under construction.

    A driver has one at hand as ``self.result``; a driver that pushes several results makes the
    others itself, named ``TEST.SUB`` by convention.
    """

    __test__ = False

    def __init__(
        self,
        name: str,
        env: dict[str, Any] | None = None,
        status: TestStatus | None = None,
        msg: str = "",
        test_matcher: str | None = None,
    ) -> None:
        self.test_name = name
        self.env = env
        self.test_matcher = test_matcher
        self.status = status or TestStatus.ERROR
        self.msg: str | None = msg or None
        self.log: Log[str] | Log[bytes] = Log("")
        self.processes: list[dict[str, Any]] = []
        """One dictionary for each program run: cmd, cwd, status, output, and what it used."""
        self.failure_reasons: set[FailureReason] = set()
        self.reason: str = ""
        """Machine-readable why, see `testloom.model.reason`; empty for a plain PASS."""
        self.expected: Log[str] | Log[bytes] | None = None
        self.out: Log[str] | Log[bytes] | None = None
        self.diff: Log[str] | Log[bytes] | None = None
        self.time: float | None = None
        """Seconds of wall-clock time; filled in by the run unless the driver sets it."""
        self.info: dict[str, str] = {}

    def set_status(self, status: TestStatus, msg: str | None = "") -> None:
        """Give the verdict. It can be given once; a second one is logged and ignored."""
        if self.status is not TestStatus.ERROR:
            logger.error("cannot set test %s status twice", self.test_name)
            return
        self.status = status
        self.msg = one_line(msg)

    @property
    def summary(self) -> TestResultSummary:
        return TestResultSummary(
            test_name=self.test_name,
            status=self.status,
            msg=self.msg,
            failure_reasons=frozenset(self.failure_reasons),
            time=self.time,
            info=dict(self.info),
        )

    def __str__(self) -> str:
        return f"{self.test_name:<24} {self.status.name:<12} {self.msg}"


def one_line(msg: str | None) -> str | None:
    """Return *msg* with its lines stripped and joined by a space; None if nothing is left."""
    if not msg:
        return None
    return " ".join(line.strip() for line in msg.splitlines()).strip() or None


class ResultRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A result as a value that can be sent and stored (JSON).

    Text fields are valid Unicode: what is not has been escaped.  Of ``log``, ``expected``,
    ``out`` and ``diff``, a binary one has its bytes in the field of the same name with
    ``_bytes`` behind it, and no text.
    """

    name: str
    status: str
    msg: str | None = None
    reason: str = ""
    failure_reasons: list[str] = []
    time: float | None = None
    test_matcher: str | None = None
    memory_bytes: int = 0
    """The most that one of `processes` had in memory; 0 if that is not known."""
    info: dict[str, str] = {}
    log: str = ""
    log_bytes: bytes | None = None
    expected: str | None = None
    expected_bytes: bytes | None = None
    out: str | None = None
    out_bytes: bytes | None = None
    diff: str | None = None
    diff_bytes: bytes | None = None
    processes: list[dict[str, Any]] = []


class ResultHead(msgspec.Struct, kw_only=True):
    """The part of a `ResultRecord` that the main process looks at; the rest is not decoded."""

    name: str
    status: str
    msg: str | None = None
    reason: str = ""
    failure_reasons: list[str] = []
    time: float | None = None
    test_matcher: str | None = None
    memory_bytes: int = 0
    info: dict[str, str] = {}
