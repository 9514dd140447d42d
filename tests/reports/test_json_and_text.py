"""The JSON and the plain text report, by whole documents."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testloom.model.names import shown, shown_line
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.json_report import JsonReport
from testloom.reports.text import TextReport

RUN = RunInfo(
    run_id="r1",
    suite="calc",
    root="/calc",
    output_dir="/calc/out",
    command=("./run-tests",),
    jobs=2,
    started_at=1.5,
    duration_s=2.25,
    stopped="too many failures",
    selected=2,
)
ENTRIES = (
    ResultEntry(name="a", test="a", status=TestStatus.PASS, time_s=0.5, source="a/test.yaml"),
    ResultEntry(
        name="b",
        test="b",
        status=TestStatus.FAIL,
        message="output differs",
        reason="diff",
        failure_reasons=("DIFF",),
        time_s=float("nan"),
        cpu_s=0.25,
        slot=2,
        started_s=1.0,
        driver="diff",
        source="b/test.yaml",
        line=3,
        tags=("smoke",),
        info={"k": "v"},
        place=7,
    ),
)
RECORD = ResultRecord(name="b", status="FAIL", log="log of b", diff="-1\n+2\n")


def summary(*entries: ResultEntry, **record: Any) -> Summary:
    kept = ResultRecord(name="b", status="FAIL", **record) if record else RECORD
    return Summary(run=RUN, entries=entries, load=lambda _: kept, notes=("look: \x1b[0m",))


def strict(document: str) -> Any:
    """Parse *document* as programs do that know no more than the standard."""

    def refuse(what: str) -> None:
        raise AssertionError(what)

    return json.loads(document.encode("utf-8"), parse_constant=refuse)


def test_a_json_document_holds_all_that_is_known() -> None:
    assert strict("".join(JsonReport().write(summary(*ENTRIES)))) == {
        "format": "testloom-results",
        "version": 1,
        "run": {
            "run_id": "r1",
            "suite": "calc",
            "root": "/calc",
            "output_dir": "/calc/out",
            "command": ["./run-tests"],
            "jobs": 2,
            "started_at": 1.5,
            "duration_s": 2.25,
            "host": "",
            "platform": "",
            "commit": "",
            "branch": "",
            "shard": "",
            "shard_plan": "",
            "parts": [],
            "resumes": "",
            "seed": None,
            "stopped": "too many failures",
            "selected": 2,
        },
        "counts": {"PASS": 1, "FAIL": 1},
        "passed": 1,
        "failed": 1,
        "skipped": 0,
        "flaky": 0,
        "changes": None,
        "notes": ["look: \x1b[0m"],
        "results": [
            {
                "name": "a",
                "test": "a",
                "status": "PASS",
                "message": "",
                "reason": "",
                "failure_reasons": [],
                "time_s": 0.5,
                "cpu_s": None,
                "memory_bytes": 0,
                "slot": -1,
                "started_s": 0.0,
                "driver": "",
                "source": "a/test.yaml",
                "line": 1,
                "tags": [],
                "attempt": 1,
                "max_attempts": 1,
                "info": {},
            },
            {
                "name": "b",
                "test": "b",
                "status": "FAIL",
                "message": "output differs",
                "reason": "diff",
                "failure_reasons": ["DIFF"],
                "time_s": None,
                "cpu_s": 0.25,
                "memory_bytes": 0,
                "slot": 2,
                "started_s": 1.0,
                "driver": "diff",
                "source": "b/test.yaml",
                "line": 3,
                "tags": ["smoke"],
                "attempt": 1,
                "max_attempts": 1,
                "info": {"k": "v"},
                "details": {"log": "log of b", "diff": "-1\n+2\n", "expected": "", "out": ""},
            },
        ],
    }


def test_a_json_document_of_no_results_is_one() -> None:
    assert strict("".join(JsonReport().write(summary())))["results"] == []


any_text = st.text(st.characters(codec=None))


@given(any_text, any_text)
def test_any_text_makes_strict_json(name: str, log: str) -> None:
    entry = ResultEntry(
        name=name, test=name, status=TestStatus.ERROR, info={name: name}, tags=(name,), place=0
    )
    (result,) = strict("".join(JsonReport().write(summary(entry, log=log))))["results"]
    escaped = name.encode("utf-8", "backslashreplace").decode()
    assert (result["name"], result["info"], result["tags"]) == (
        escaped,
        {escaped: escaped},
        [escaped],
    )
    assert result["details"]["log"] == log.encode("utf-8", "backslashreplace").decode()


def test_a_text_report() -> None:
    skipped = ResultEntry(name="c", test="c", status=TestStatus.SKIP, message="no network")
    crashed = ResultEntry(
        name="d",
        test="d",
        status=TestStatus.ERROR,
        reason="crash:SIGSEGV",
        failure_reasons=("CRASH",),
    )
    assert (
        "".join(TextReport().write(summary(*ENTRIES, skipped, crashed)))
        == """\
calc: 4 results in 2.2 s (run r1, 2 at a time)
stopped: too many failures

  PASS                 1
  FAIL                 1, of these 1 DIFF
  SKIP                 1
  ERROR                1, of these 1 CRASH

Failures (1)
  b: output differs

Errors (1)
  d: crash:SIGSEGV

Skipped (1)
  c: no network

Notes
  look: \\x1b[0m

-------------------------------------------------------------------------------
FAIL b: output differs
b/test.yaml:3
-------------------------------------------------------------------------------
-1
+2

-------------------------------------------------------------------------------
ERROR d: crash:SIGSEGV
-------------------------------------------------------------------------------
(no log)

1 passed, 2 failed, 1 skipped
"""
    )


@given(any_text, any_text)
def test_a_text_report_holds_no_control_characters(name: str, log: str) -> None:
    entry = ResultEntry(name=name, test=name, status=TestStatus.FAIL, place=0)
    written = "".join(TextReport().write(summary(entry, log=log)))
    assert shown(written) == written
    assert f"  {shown_line(name)}\n" in written
