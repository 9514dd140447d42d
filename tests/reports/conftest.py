"""Runs to make reports of: a small one with everything in it, and one that means harm."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import xmlschema

from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<a href='javascript:alert(1)'>x</a>",
    "]]>",
    "--> <!-- </pre></details>",
    "&lt;&amp;&#0;",
    "nul\0esc\x1b[31m\x9b1m\x85",
    "\ufffe\uffff\ufeff",
    "lone \ud800 \udfff \udcff",
    "b\udcffytes".encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
    "::error::x\n::add-mask::y\n::set-output name=a::b",
    "| a | b |\n|---|---|",
    "```\n# Title\n```` `x` ``` @everyone #1 https://example.org",
    "=cmd|' /C calc'!A0",
    "ok 1 - fake\nnot ok 2\n1..9\nBail out! now\n  ...\n  ---",
    "a # TODO b # SKIP c \\# d \\",
    "name: 'x' \"y\" - {a: [b]}",
    "  two blanks first\n\n# include",
    "[[ATTACHMENT|/etc/passwd]]",
    "section_end:1:x\r\x1b[0K",
    "../../etc/passwd",
    "%0A%25\r\n\t",
    "\u202edlrow\u2028\u2029",
    "",
)
"""Texts that mean something to somebody who reads a report."""


DATA = Path(__file__).parent / "data"


def run_info(**changes: Any) -> RunInfo:
    known: dict[str, Any] = {
        "run_id": "20261121-003601-00000",
        "suite": "calc",
        "root": "/no/such/calc",
        "output_dir": "/no/such/calc/out",
        "command": ("./run-tests", "-j16"),
        "jobs": 16,
        "started_at": 1795221361.0,
        "duration_s": 68.4124,
        "host": "ci-3",
        "platform": "linux-x86_64",
        "selected": 3,
    }
    return RunInfo(**{**known, **changes})


def entry_of(name: str, status: TestStatus = TestStatus.PASS, **rest: Any) -> ResultEntry:
    rest.setdefault("test", name)
    return ResultEntry(name=name, status=status, **rest)


def summary_of(
    *entries: ResultEntry,
    run: RunInfo | None = None,
    logs: dict[str, Any] | None = None,
    **rest: Any,
) -> Summary:
    """Return a summary in which every result has the same *logs*."""

    def load(entry: ResultEntry) -> ResultRecord:
        return ResultRecord(name=entry.name, status=entry.status.name, **(logs or {}))

    return Summary(run=run or run_info(), entries=entries, load=load, **rest)


@pytest.fixture
def make_entry() -> Callable[..., ResultEntry]:
    return entry_of


@pytest.fixture
def make_summary() -> Callable[..., Summary]:
    return summary_of


@pytest.fixture
def make_run() -> Callable[..., RunInfo]:
    return run_info


@pytest.fixture
def check_ctrf() -> Callable[[Any], None]:
    """Hold a document against CTRF's schema."""
    schema = json.loads((DATA / "ctrf-0.0.json").read_text())
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    validator = jsonschema.Draft7Validator(schema, format_checker=checker)
    return validator.validate


@pytest.fixture
def check_junit() -> Callable[[str], None]:
    """Hold a document against the schema of Jenkins' xUnit plugin."""
    return xmlschema.XMLSchema(DATA / "junit-10.xsd").validate


@pytest.fixture
def retried() -> Summary:
    """Two tests that were tried again: one passed in the end."""
    first = entry_of(
        "net__ping",
        TestStatus.FAIL,
        message="timed out after 2 s",
        reason="timeout",
        failure_reasons=("TIMEOUT",),
        time_s=2.0,
        place=1,
    )
    crashed = entry_of(
        "net__ping", TestStatus.ERROR, reason="crash:SIGSEGV", place=2, attempt=2, started_s=3.0
    )
    flaky = entry_of(
        "net__ping", time_s=0.5, place=3, attempt=3, max_attempts=3, earlier=(first, crashed)
    )
    still = msgspec.structs.replace(first, name="net__dns", test="net__dns")
    bad = msgspec.structs.replace(still, attempt=2, max_attempts=2, earlier=(still,))
    return summary_of(flaky, bad, logs={"log": "$ ping\n"})


@pytest.fixture
def hostile() -> Summary:
    """A run whose every text is meant to be taken for something else."""
    entries = []
    logs = {}
    texts = itertools.cycle(HOSTILE)
    for number, (text, status) in enumerate(
        zip(HOSTILE * 2, itertools.cycle(TestStatus), strict=False)
    ):
        name = text if number < len(HOSTILE) else f"{text}{number}"
        earlier = (entry_of(name, TestStatus.FAIL, message=next(texts), place=number),)
        entries.append(
            entry_of(
                name,
                status,
                test=next(texts),
                message=next(texts),
                reason=next(texts),
                failure_reasons=("DIFF",) if status is TestStatus.FAIL else (),
                time_s=(0.5, float("nan"), float("inf"), None)[number % 4],
                slot=number % 3,
                driver=next(texts),
                source=f"{next(texts)}/test.yaml",
                line=number,
                tags=(next(texts), next(texts)),
                info={next(texts): next(texts)},
                place=number,
                attempt=1 if number % 5 else 2,
                earlier=() if number % 5 else earlier,
            )
        )
        whole = "\n".join((next(texts), *HOSTILE, ""))
        logs[number] = ResultRecord(
            name=name,
            status=status.name,
            msg=next(texts),
            log=whole if number % 2 else "",
            log_bytes=None if number % 2 else whole.encode("utf-8", "surrogatepass") + b"\xff\x00",
            diff=whole if number % 3 else None,
            out=next(texts),
            info={next(texts): next(texts)},
        )
    run = run_info(
        run_id=next(texts),
        suite=next(texts),
        host=next(texts),
        platform=next(texts),
        stopped=next(texts),
        command=HOSTILE,
    )
    return Summary(
        run=run,
        entries=entries,
        load=lambda entry: logs[entry.place],
        notes=HOSTILE,
        spans=hostile_spans,
    )


def hostile_spans() -> Iterable[FragmentSpan]:
    for number, text in enumerate(HOSTILE):
        yield FragmentSpan(
            uid=f"{text}.{text}",
            test=text,
            name=text,
            slot=number % 3,
            started_s=float(number // 3),
            ended_s=number // 3 + 0.5,
            end="Returned",
            after=(f"{HOSTILE[0]}.{HOSTILE[0]}",) if number >= 3 else (),
        )
