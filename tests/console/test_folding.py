"""The consoles of GitHub and GitLab: whole outputs of small runs."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from testloom.console.base import Console, Place
from testloom.console.choose import choose
from testloom.console.folding import GitLabConsole
from testloom.console.writer import Writer
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary

RUN = RunInfo(
    run_id="2f1c",
    suite="calc",
    root="/",
    output_dir="",
    command=(),
    jobs=1,
    started_at=0.0,
    duration_s=2.0,
    platform="linux-x86_64",
    selected=2,
)
EVIL = "::error::x\n ::add-mask::y\n::endgroup::\n\x1b[0Ksection_end:1:testloom_1\r\x1b[0K\n"


def github(environ: Mapping[str, str]) -> tuple[Any, io.StringIO]:
    out = io.StringIO()
    console = choose(
        SimpleNamespace(reporter="auto" if environ else "github"),
        out,
        None,
        environ,
        Commands(program="./run-tests", tool="./run-tests"),
        lambda summary: [f"::error title={entry.name}::no\n" for entry in summary.entries],
    )
    return console, out


def play(console: Console, *, log: str = EVIL) -> None:
    entries = [
        ResultEntry(name="100%0A", test="a", status=TestStatus.FAIL, message="::warning::no"),
        ResultEntry(name="b", test="b", status=TestStatus.PASS),
    ]
    summary = Summary(
        run=RUN, entries=entries, load=lambda e: ResultRecord(name=e.name, status="FAIL", log=log)
    )
    console.run_started(RUN, tests=2, fragments=2, now=0.0)
    for entry in entries:
        console.result_added(entry, summary.load)
    console.said("::error::said")
    console.run_ended(summary)


@pytest.mark.parametrize("environ", [{"GITHUB_ACTIONS": "true", "CI": "true"}, {}])
def test_github_obeys_our_commands_and_no_others(environ: Mapping[str, str]) -> None:
    console, out = github(environ)
    play(console)
    obeyed: list[str] = []
    words: list[str] = []
    stopped = ""
    for line in out.getvalue().splitlines():
        # What GitHub's runner does with a line.
        text = line.lstrip()
        if stopped:
            stopped = "" if text == f"::{stopped}::" else stopped
        elif text.startswith("::stop-commands::"):
            stopped = text.removeprefix("::stop-commands::")
            words.append(stopped)
        elif text.startswith("::"):
            obeyed.append(text)
    assert obeyed == [
        "::group::FAIL  100%250A ::warning::no",
        "::endgroup::",
        "::error title=100%0A::no",
        "::error title=b::no",
    ]
    assert len(words) == len(set(words)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", word) for word in words)
    assert out.getvalue().endswith("::error title=b::no\n1 passed, 1 failed, 0 skipped\n")


def test_gitlab_folds_failures_and_nothing_that_a_test_writes() -> None:
    out = io.StringIO()
    place = Place(out=Writer(out))
    play(GitLabConsole(place, wall=lambda: 1795221361.9))
    output = out.getvalue()
    marks = re.findall(r"\x1b\[0K(section_\w+:\d+:\S+?)\r\x1b\[0K", output)
    assert marks == [
        "section_start:1795221361:testloom_1[collapsed=true]",
        "section_end:1795221361:testloom_1",
    ]
    folded = output.partition(marks[0])[2].partition(marks[1])[0]
    assert folded.startswith("\r\x1b[0KFAIL  100%0A ::warning::no\n── FAIL 100%0A ──")
    assert output.count("\x1b") == 4
    assert output.endswith("1 passed, 1 failed, 0 skipped\n")


def test_what_is_one_line_is_not_folded() -> None:
    console, out = github({"GITHUB_ACTIONS": "true"})
    entry = ResultEntry(name="a", test="a", status=TestStatus.ERROR, reason="dependency-failed")
    console.run_started(RUN, tests=1, fragments=1, now=0.0)
    console.result_added(entry, lambda e: ResultRecord(name=e.name, status="ERROR"))
    assert "::group::" not in out.getvalue()
    assert out.getvalue().endswith("ERROR a dependency-failed\n")
