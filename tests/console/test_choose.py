"""Which console a run gets."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TextIO

import pytest

from testloom.console.choose import NoConsole, choose
from testloom.console.folding import GitHubConsole, GitLabConsole
from testloom.console.lines import DotsConsole, LinesConsole, MinimalConsole
from testloom.console.live import LiveConsole
from testloom.model.errors import UsageError
from testloom.model.rerun import Commands
from testloom.model.result import ResultRecord
from testloom.model.summary import RunInfo, Summary


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("reporter", "environ", "kind"),
    [
        ("auto", {"TERM": "xterm"}, LiveConsole),
        (None, {"TERM": "xterm"}, LiveConsole),
        ("auto", {"TERM": "dumb"}, LinesConsole),
        ("auto", {}, LinesConsole),
        ("auto", {"TERM": "xterm", "CI": "true"}, LinesConsole),
        ("auto", {"TERM": "xterm", "CI": "false"}, LiveConsole),
        ("live", {"TERM": "xterm", "CI": "true"}, LiveConsole),
        ("live", {"TERM": "dumb"}, LinesConsole),
        ("lines", {"TERM": "xterm"}, LinesConsole),
        ("dots", {"TERM": "xterm"}, DotsConsole),
        ("minimal", {"TERM": "xterm"}, MinimalConsole),
        ("none", {"TERM": "xterm"}, NoConsole),
        ("auto", {"TERM": "xterm", "CI": "true", "GITHUB_ACTIONS": "true"}, GitHubConsole),
        ("auto", {"GITLAB_CI": "true", "CI": "true"}, GitLabConsole),
        ("lines", {"GITLAB_CI": "true"}, LinesConsole),
        ("github", {}, GitHubConsole),
        ("gitlab", {}, GitLabConsole),
    ],
)
def test_on_a_terminal(
    terminal: TextIO, reporter: str | None, environ: Mapping[str, str], kind: type
) -> None:
    options = argparse.Namespace(reporter=reporter)
    assert type(choose(options, terminal, None, environ, Commands())) is kind


@pytest.mark.parametrize("reporter", ["auto", "live", "lines"])
@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_elsewhere(reporter: str, stream: TextIO | None) -> None:
    options = argparse.Namespace(reporter=reporter)
    console = choose(options, stream, None, {"TERM": "xterm"}, Commands())
    assert type(console) is LinesConsole


def test_a_reporter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError) as error:
        choose(argparse.Namespace(reporter="line"), None, None, {}, Commands())
    assert str(error.value) == "--reporter: no reporter is called 'line'; did you mean 'lines'?"
    with pytest.raises(UsageError) as error:
        choose(argparse.Namespace(reporter="html"), None, None, {}, Commands())
    assert str(error.value) == (
        "--reporter: no reporter is called 'html'; known: auto, live, lines, dots, minimal, github, gitlab,"
        " none"
    )


def test_options_may_be_missing() -> None:
    assert type(choose(argparse.Namespace(), None, None, {}, Commands())) is LinesConsole


def test_without_a_console_nothing_is_shown() -> None:
    out = io.StringIO()
    console = choose(argparse.Namespace(reporter="none"), out, out, {}, Commands())
    run = RunInfo(
        run_id="1", suite="s", root="/", output_dir="", command=(), jobs=1, started_at=0.0
    )
    console.run_started(run, tests=1, fragments=1, now=0.0)
    console.said("hello")
    console.run_ended(
        Summary(run=run, entries=(), load=lambda e: ResultRecord(name=e.name, status="PASS"))
    )
    assert (out.getvalue(), console.refresh(1.0)) == ("", None)


def test_rich_is_not_imported_for_lines() -> None:
    program = """
import argparse, sys
from testloom.console.choose import choose
from testloom.model.rerun import Commands
choose(argparse.Namespace(reporter="auto"), sys.stdout, sys.stderr, {"TERM": "xterm"}, Commands())
print("rich" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"False\n"
