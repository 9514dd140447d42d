"""Runs files of tests for pytest: each function is a result of its own.

Not imported by the package, so that only suites that have such tests load pytest, once, in the main
process; the fragments' processes inherit it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from e3.collection.dag import DAG

from testloom.drivers.base import TestDriver
from testloom.model import reason
from testloom.model.log import Log
from testloom.model.result import TestResult
from testloom.model.status import TestStatus

_NOTHING_COLLECTED = 5


class PytestDriver(TestDriver):
    """Runs one file, or what ``pytest_args`` of the test says, in a process of its own.

    The results are called ``TEST.FUNCTION``; each is pushed when its function has ended, so that a
    crash costs only those that had not.  pytest reads its configuration as ever.
    """

    isolation = "process"
    runs_pytest = True
    """pytest itself does not take these tests for data tests: it finds what is in them."""

    def add_test(self, dag: DAG) -> None:
        self.add_fragment(dag, "run")

    def pytest_args(self) -> Sequence[str]:
        """Return what pytest is to run, and its options; override for another choice."""
        return self.test_env.get("pytest_args") or [str(self.test_env["file"])]

    def run(self, previous: dict[str, Any], slot: int) -> None:  # noqa: ARG002 - as every callback
        """Run the functions, and push what came of them."""
        listener = _Listener(self)
        # Its terminal would say everything twice, e3-core brings a plugin that moves tests about, and
        # ours would find this test once more.
        unwanted = ("terminal", "pytest", "testloom", "cacheprovider")
        own = [word for name in unwanted for word in ("-p", f"no:{name}")]
        with _in_directory(self.test_dir()):
            code = pytest.main([*own, *map(str, self.pytest_args())], plugins=[listener])
        if code == _NOTHING_COLLECTED:
            self.result.set_status(TestStatus.SKIP, "there are no tests in it")
            self.push_result()
        elif not listener.pushed:
            self.result.set_status(
                TestStatus.ERROR, f"pytest ended with {pytest.ExitCode(code).name}"
            )
            self.push_result()


class _Listener:
    """Makes results of pytest's reports."""

    def __init__(self, driver: PytestDriver) -> None:
        self._driver = driver
        self._reports: list[Any] = []
        self.pushed = 0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Push an error for what cannot be imported."""
        if report.failed:
            place = os.path.basename(report.nodeid) or "collection"
            self._push(place, TestStatus.ERROR, "cannot be collected", report.longreprtext, 0.0)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say what runs: the last words of a process that crashes."""
        print(f"running {nodeid}", flush=True)  # noqa: T201 - see above

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the report."""
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Push the result of a function that has ended."""
        reports, self._reports = self._reports, []
        status, message = verdict_of(reports)
        log = "\n".join(
            filter(None, map(log_of, reports[-1:] if status is TestStatus.PASS else reports))
        )
        self._push(_name_of(nodeid), status, message, log, sum(r.duration for r in reports))

    def _push(self, name: str, status: TestStatus, message: str, log: str, time_s: float) -> None:
        result = TestResult(f"{self._driver.test_name}.{name}", self._driver.test_env, status)
        result.msg = message or None
        result.log = Log(log)
        result.time = time_s
        if status is TestStatus.ERROR:
            result.reason = reason.EXCEPTION
        self._driver.push_result(result)
        self.pushed += 1


def verdict_of(reports: Sequence[Any]) -> tuple[TestStatus, str]:
    """Return status and message of a test with *reports*: one a phase, more if it has subtests.

    Where a plugin has run it several times (``rerun``), the last one counts.
    """
    again = [at for at, report in enumerate(reports) if report.outcome == "rerun"]
    reports = reports[again[-1] + 1 :] if again else reports
    telling = next((r for r in reports if r.outcome not in ("passed", "skipped")), None)
    if telling is None:  # a part that was skipped does not make it a test that was
        whole = (report for report in reports if not hasattr(report, "context"))
        telling = next((report for report in whole if report.outcome == "skipped"), None)
    why = next((r.wasxfail for r in reports if hasattr(r, "wasxfail")), None)
    if telling is None:
        return (TestStatus.PASS, "") if why is None else (TestStatus.XPASS, why)
    if telling.outcome == "skipped":
        if why is not None:
            return TestStatus.XFAIL, why
        place = telling.longrepr
        text = place[2] if isinstance(place, tuple) else str(place)
        return TestStatus.SKIP, text.removeprefix("Skipped: ")
    crash = getattr(telling.longrepr, "reprcrash", None)
    message = crash.message if crash is not None else telling.longreprtext
    status = TestStatus.FAIL if telling.when == "call" else TestStatus.ERROR
    return status, next(iter(message.splitlines()), "")


def log_of(report: Any) -> str:
    """Return all that *report* has to show."""
    sections = [f"{'-' * 10} {title} {'-' * 10}\n{text}" for title, text in report.sections]
    return "\n".join([report.longreprtext, *sections]).strip()


def _name_of(nodeid: str) -> str:
    """Return the part of a node id that names the function, as names of results are written."""
    file, _, rest = nodeid.partition("::")
    return rest.replace("::", ".") or os.path.basename(file)


@contextlib.contextmanager
def _in_directory(path: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)
