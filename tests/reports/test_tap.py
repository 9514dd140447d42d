"""TAP, by whole documents and by what `prove` makes of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.tap import TapReport

EMPTY = "    "


def document(summary: Summary) -> str:
    return "".join(TapReport(version=14).write(summary))


def test_a_whole_document(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    written = document(
        make_summary(
            make_entry("a # b", time_s=0.5),
            make_entry(
                "b",
                TestStatus.FAIL,
                message="output differs",
                reason="diff",
                source="b/test.yaml",
                line=3,
                time_s=0.25,
                place=0,
            ),
            make_entry("c", TestStatus.SKIP, message="no bc here"),
            make_entry("d", TestStatus.XFAIL, message="bug 12", place=1),
            logs={"log": "$ ./calc\n\n  done\n", "diff": "-a\n+b\n"},
        )
    )
    assert (
        written
        == f"""\
TAP version 14
1..4
# calc, run 20261121-003601-00000
ok 1 - a \\# b
not ok 2 - b
  ---
  status: FAIL
  message: "output differs"
  reason: "diff"
  file: "b/test.yaml"
  line: 3
  duration_ms: 250.0
  diff: |
    -a
    +b
  log: |
    $ ./calc
{EMPTY}
      done
  ...
ok 3 - c # SKIP no bc here
  ---
  status: SKIP
  message: "no bc here"
  ...
not ok 4 - d # TODO bug 12
  ---
  status: XFAIL
  message: "bug 12"
  diff: |
    -a
    +b
  log: |
    $ ./calc
{EMPTY}
      done
  ...
"""
    )


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (TestStatus.PASS, "ok 1 - a"),
        (TestStatus.XPASS, "ok 1 - a # TODO known to fail, but passed"),
        (TestStatus.FAIL, "not ok 1 - a"),
        (TestStatus.ERROR, "not ok 1 - a"),
        (TestStatus.VERIFY, "not ok 1 - a # TODO a person has to look at it"),
        (TestStatus.SKIP, "ok 1 - a # SKIP"),
        (TestStatus.NOT_APPLICABLE, "ok 1 - a # SKIP"),
        (TestStatus.XFAIL, "not ok 1 - a # TODO known to fail"),
    ],
)
def test_each_status_has_its_line(
    status: TestStatus,
    line: str,
    make_entry: Callable[..., ResultEntry],
    make_summary: Callable[..., Summary],
) -> None:
    assert document(make_summary(make_entry("a", status))).split("\n")[3] == line


@pytest.mark.parametrize(
    "log", ["  indented first\nthen not\n", "\n\nempty first\n", "\ttab: [\n", 'say "\\x"\n', "a"]
)
def test_a_log_comes_back_out_of_its_block(
    log: str, make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    written = document(make_summary(make_entry("a", TestStatus.ERROR, place=0), logs={"log": log}))
    block = written.partition("  ---\n")[2].partition("  ...\n")[0]
    assert yaml.safe_load(block)["log"].rstrip("\n") == log.rstrip("\n")


def test_a_run_that_was_stopped_bails_out(
    make_run: Callable[..., RunInfo], make_summary: Callable[..., Summary]
) -> None:
    written = document(make_summary(run=make_run(stopped="SIGINT")))
    assert written.endswith("1..0\n# calc, run 20261121-003601-00000\nBail out! SIGINT\n")


def test_how_often_a_test_was_tried_is_a_comment(retried: Summary) -> None:
    lines = document(retried).split("\n")
    assert lines[3:5] == ["ok 1 - net__ping", "# attempt 3/3"]
    assert lines[5:7] == ["not ok 2 - net__dns", "# attempt 2/2"]


@pytest.mark.skipif(not shutil.which("prove"), reason="there is no prove")
@pytest.mark.parametrize(("status", "code"), [(TestStatus.XFAIL, 0), (TestStatus.FAIL, 1)])
def test_prove_comes_to_the_same_verdict(
    status: TestStatus,
    code: int,
    tmp_path: Path,
    make_entry: Callable[..., ResultEntry],
    make_summary: Callable[..., Summary],
) -> None:
    run = make_summary(make_entry("a"), make_entry("b", status, place=0), logs={"log": "\n  a: b"})
    (tmp_path / "t.tap").write_text("".join(TapReport().write(run)))
    ended = subprocess.run(
        ["prove", "-e", "cat", tmp_path / "t.tap"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert "Tests=2" in ended.stdout
    assert "Parse errors" not in ended.stdout
    assert ended.returncode == code
