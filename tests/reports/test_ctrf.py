"""CTRF, by whole documents and its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from testloom import __version__
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.ctrf import CtrfReport


def document(summary: Summary) -> Any:
    return json.loads("".join(CtrfReport().write(summary)))


def test_a_whole_document(
    make_entry: Callable[..., ResultEntry],
    make_summary: Callable[..., Summary],
    check_ctrf: Callable[[Any], None],
) -> None:
    written = document(
        make_summary(
            make_entry("parser__eof", source="parser/eof/test.yaml", time_s=0.25),
            make_entry(
                "parser__eol",
                TestStatus.FAIL,
                message="output differs",
                reason="diff",
                time_s=1.8304,
                slot=7,
                started_s=2.5,
                driver="diff",
                source="parser/eol/test.yaml",
                line=3,
                tags=("smoke",),
                info={"target": "x86"},
                place=0,
            ),
            logs={"log": "$ ./calc\n", "diff": "-a\n+b\n"},
        )
    )
    check_ctrf(written)
    start = 1795221361000
    assert written == {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "reportId": written["reportId"],
        "timestamp": "2026-11-21T00:37:09+00:00",
        "generatedBy": f"testloom {__version__}",
        "results": {
            "tool": {"name": "testloom", "version": __version__},
            "summary": {
                "tests": 2,
                "passed": 1,
                "failed": 1,
                "skipped": 0,
                "pending": 0,
                "other": 0,
                "flaky": 0,
                "start": start,
                "stop": start + 68412,
                "duration": 68412,
            },
            "tests": [
                {
                    "name": "parser__eof",
                    "status": "passed",
                    "rawStatus": "PASS",
                    "duration": 250,
                    "start": start,
                    "stop": start + 250,
                    "suite": ["calc", "parser"],
                    "filePath": "parser/eof/test.yaml",
                    "line": 1,
                    "labels": {},
                },
                {
                    "name": "parser__eol",
                    "status": "failed",
                    "rawStatus": "FAIL",
                    "duration": 1830,
                    "start": start + 2500,
                    "stop": start + 4330,
                    "suite": ["calc", "parser"],
                    "message": "output differs",
                    "filePath": "parser/eol/test.yaml",
                    "line": 3,
                    "tags": ["smoke"],
                    "threadId": "7",
                    "labels": {"driver": "diff", "reason": "diff", "target": "x86"},
                    "trace": "-a\n+b\n",
                    "stdout": ["$ ./calc"],
                },
            ],
            "environment": {
                "appName": "calc",
                "osPlatform": "linux-x86_64",
                "extra": {
                    "host": "ci-3",
                    "jobs": 16,
                    "runId": "20261121-003601-00000",
                    "stopped": "",
                },
            },
        },
    }


@pytest.mark.parametrize(
    ("status", "theirs"),
    [
        (TestStatus.PASS, "passed"),
        (TestStatus.XPASS, "passed"),
        (TestStatus.FAIL, "failed"),
        (TestStatus.VERIFY, "failed"),
        (TestStatus.ERROR, "failed"),
        (TestStatus.SKIP, "skipped"),
        (TestStatus.NOT_APPLICABLE, "skipped"),
        (TestStatus.XFAIL, "other"),
    ],
)
def test_each_status_has_one_of_theirs(
    status: TestStatus,
    theirs: str,
    make_entry: Callable[..., ResultEntry],
    make_summary: Callable[..., Summary],
) -> None:
    results = document(make_summary(make_entry("a", status)))["results"]
    (test,) = results["tests"]
    assert (test["status"], test["rawStatus"]) == (theirs, status.name)
    assert results["summary"][theirs] == results["summary"]["tests"] == 1


def test_attempts_are_told_before_the_last_one(
    retried: Summary, check_ctrf: Callable[[Any], None]
) -> None:
    written = document(retried)
    check_ctrf(written)
    flaky, failed = written["results"]["tests"]
    assert (flaky["retries"], flaky["flaky"], failed["retries"], failed["flaky"]) == (
        *(2, True),
        *(1, False),
    )
    assert [(one["attempt"], one["status"], one["message"]) for one in flaky["retryAttempts"]] == [
        (1, "failed", "timed out after 2 s"),
        (2, "failed", "crash:SIGSEGV"),
    ]
    assert flaky["retryAttempts"][0]["stdout"] == ["$ ping"]
    assert written["results"]["summary"]["flaky"] == 1


def test_the_report_of_a_run_is_always_the_same(
    make_run: Callable[..., RunInfo], make_summary: Callable[..., Summary]
) -> None:
    first = document(make_summary())
    assert document(make_summary()) == first
    assert document(make_summary(run=make_run(run_id="other")))["reportId"] != first["reportId"]


def test_what_was_tested_is_part_of_the_environment(
    make_run: Callable[..., RunInfo], make_summary: Callable[..., Summary]
) -> None:
    run = make_run(commit="9ab3f1c", branch="main")
    environment = document(make_summary(run=run))["results"]["environment"]
    assert (environment["commit"], environment["branchName"]) == ("9ab3f1c", "main")
