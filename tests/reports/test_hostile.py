"""Whatever names, messages and logs hold, every format stays what it is, and nothing is obeyed."""

from __future__ import annotations

import html.parser
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import markdown_it
import pytest
import yaml

from testloom.model.names import shown_line
from testloom.model.summary import Summary
from testloom.reports import BUILT_IN, ReportRequest, write_report

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
PLAIN = ("junit", "junit-full", "ctrf", "json", "tap", "tap14", "markdown", "text", "github")


@pytest.fixture
def report(hostile: Summary) -> Callable[[str], str]:
    return lambda name: "".join(BUILT_IN[name].write(hostile))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_format_is_valid_unicode(name: str, report: Callable[[str], str]) -> None:
    assert report(name).encode()


@pytest.mark.parametrize("name", set(PLAIN) - {"ctrf", "json"})
def test_formats_that_people_see_have_no_control_characters(
    name: str, report: Callable[[str], str]
) -> None:
    assert CONTROL.search(report(name)) is None


def test_json_is_strict(report: Callable[[str], str], hostile: Summary) -> None:
    for name in ("json", "ctrf", "trace"):
        assert json.loads(report(name), parse_constant=pytest.fail)
    assert len(json.loads(report("json"))["results"]) == len(hostile.entries)


def test_junit_is_valid_by_its_schema(
    report: Callable[[str], str], check_junit: Callable[[str], None]
) -> None:
    check_junit(report("junit"))


@pytest.mark.parametrize("name", ["junit", "junit-full"])
def test_junit_has_one_case_a_result_and_nothing_that_servers_obey(
    name: str, report: Callable[[str], str], hostile: Summary
) -> None:
    root = ET.fromstring(report(name))
    cases = list(root.iter("testcase"))
    assert len(cases) == len(hostile.entries)
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    known = {"testcase", "properties", "property", "failure", "error", "skipped", "system-out"}
    attempts = {"flakyFailure", "rerunFailure", "stackTrace"}
    assert {element.tag for case in cases for element in case.iter()} <= known | attempts
    assert "[[ATTACHMENT|" not in "".join(root.itertext())


def test_ctrf_follows_its_schema(
    report: Callable[[str], str], hostile: Summary, check_ctrf: Callable[[Any], None]
) -> None:
    document = json.loads(report("ctrf"))
    check_ctrf(document)
    assert len(document["results"]["tests"]) == len(hostile.entries)


def test_tap_has_one_line_a_result_and_blocks_of_yaml(
    report: Callable[[str], str], hostile: Summary
) -> None:
    lines = report("tap14").split("\n")
    top = [line for line in lines if line and not line.startswith(("  ", "#"))]
    plan, *results, bail_out = top[1:]
    assert plan == f"1..{len(hostile.entries)}"
    assert bail_out.startswith("Bail out! ")
    numbers = [re.sub(r"^(?:not )?ok (\d+) -.*", r"\1", line) for line in results]
    assert numbers == [str(number + 1) for number in range(len(hostile.entries))]
    blocks = re.findall(r"(?m)^  ---\n((?:  .*\n|\n)*?)  \.\.\.$", report("tap14"))
    assert len(blocks) >= len(hostile.entries) // 2
    for text in blocks:
        block = yaml.safe_load(text)
        known = {"status", "message", "reason", "file", "line", "duration_ms", "diff", "log"}
        assert {"status"} <= block.keys() <= known


@pytest.mark.skipif(not shutil.which("prove"), reason="there is no prove")
def test_prove_reads_all_of_tap(hostile: Summary, tmp_path: Path) -> None:
    path = tmp_path / "hostile.tap"
    path.write_text("".join(BUILT_IN["tap"].write(hostile)))
    text = path.read_text().rpartition("Bail out!")[0]
    path.write_text(text)  # it would be obeyed
    ended = subprocess.run(
        ["prove", "-e", "cat", path], capture_output=True, text=True, check=False, timeout=20
    )
    assert f"Tests: {len(hostile.entries)} " in ended.stdout
    assert "Parse errors" not in ended.stdout + ended.stderr


class Tags(html.parser.HTMLParser):
    """Which elements there are, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(" ".join((tag, *(name for name, _ in attrs))))


def test_markdown_makes_nothing_of_them(report: Callable[[str], str], hostile: Summary) -> None:
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table")
    tags = Tags()
    tags.feed(parser.render(report("markdown")))
    known = {"h1", "h2", "p", "strong", "em", "ul", "li", "code", "pre", "details", "summary"}
    assert tags.found <= {*known, "code class"}
    assert "alert(1)" in report("markdown")


def test_github_gets_a_command_a_line(report: Callable[[str], str]) -> None:
    lines = report("github").split("\n")
    assert lines.pop() == ""
    assert len(lines) == 10
    for line in lines:
        # What GitHub's runner takes apart: name, properties, message.
        properties = re.fullmatch(r"::error (?:([^:]*))::([^\r\n]*)", line) or re.fullmatch(
            r"::error()::(\d+ more failures: see the summary of the run)", line
        )
        assert properties is not None
        names = [each.partition("=")[0] for each in properties[1].split(",") if each]
        assert names in ([], ["title"], ["file", "line", "title"])


def test_gaia_stays_in_its_directory(hostile: Summary, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "gaia"
    write_report(ReportRequest("gaia", str(target)), hostile)
    lines = (target / "results").read_text().split("\n")
    assert len(lines) == len(hostile.entries) + 1
    assert lines[0].startswith(f"{shown_line(hostile.entries[0].name)}:OK:")
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent for path in found} == {target}
    assert len(list(target.glob("*.result"))) == len(hostile.entries)
    assert os.listdir(tmp_path) == ["deep"]


def test_a_trace_has_its_tracks_only(report: Callable[[str], str]) -> None:
    events = json.loads(report("trace"))["traceEvents"]
    tracks = {(event["pid"], event["tid"]) for event in events}
    assert tracks == {(1, slot) for slot in range(16)}
    assert {event["ph"] for event in events} == {"M", "X", "s", "f"}
