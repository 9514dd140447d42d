"""How reports are asked for, and how they get to their files."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testloom.model.errors import UsageError
from testloom.model.result import ResultRecord
from testloom.model.summary import RunInfo, Summary
from testloom.reports import (
    BUILT_IN,
    ReportError,
    ReportRequest,
    check_targets,
    parse_request,
    write_report,
    write_reports,
)

PARTS = f"parts report of plugin {__name__}"


class Parts:
    """A report made of given pieces; a piece that is an exception is raised."""

    name = "parts"
    default_file = "sub/parts.txt"

    def __init__(self, *pieces: str | BaseException) -> None:
        self.pieces = pieces

    def write(self, summary: Summary) -> Iterator[str]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece


def summary(output_dir: Path) -> Summary:
    run = RunInfo(
        run_id="r",
        suite="s",
        root="/r",
        output_dir=str(output_dir),
        command=(),
        jobs=1,
        started_at=0.0,
    )
    return Summary(run=run, entries=(), load=lambda _: ResultRecord(name="", status=""))


def refusal(*requests: ReportRequest, output_dir: Path | str = "/no/such") -> str:
    with pytest.raises(UsageError) as caught:
        check_targets(requests, str(output_dir))
    return str(caught.value)


def test_the_built_in_formats() -> None:
    assert {name: report.default_file for name, report in BUILT_IN.items()} == {
        "html": "report.html",
        "junit": "junit.xml",
        "junit-full": "junit-full.xml",
        "ctrf": "ctrf.json",
        "json": "results.json",
        "tap": "results.tap",
        "tap14": "results.tap14",
        "markdown": "report.md",
        "text": "report.txt",
        "github": "annotations.txt",
        "gaia": "gaia",
        "trace": "trace.json",
    }
    assert all(report.name == name for name, report in BUILT_IN.items())


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("junit", ReportRequest("junit")),
        ("junit=a=b.xml", ReportRequest("junit", "a=b.xml")),
        ("text=-", ReportRequest("text", "-")),
    ],
)
def test_a_request_is_a_format_and_maybe_a_path(text: str, request_: ReportRequest) -> None:
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("junt=x", "no report format is called 'junt'; did you mean 'junit'?"),
        ("zzz", f"no report format is called 'zzz'; known: {', '.join(sorted(BUILT_IN))}"),
        ("junit=", "report 'junit=' names no file; write junit=PATH, or just junit"),
        ("gaia=-", "report 'gaia=-': it is a directory of files; write gaia=DIRECTORY"),
    ],
)
def test_a_wrong_request_is_told_what_to_change(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_request(text)
    assert str(caught.value) == message


def test_without_a_path_a_report_goes_to_its_place_in_the_output_directory(tmp_path: Path) -> None:
    formats = {"parts": Parts("a", "é\n")}
    check_targets([ReportRequest("parts")], str(tmp_path), formats)
    target = write_report(ReportRequest("parts"), summary(tmp_path), formats)
    assert target == str(tmp_path / "sub/parts.txt")
    assert Path(target).read_bytes() == b"a\xc3\xa9\n"


def test_targets_are_checked_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    here = str(tmp_path)
    assert refusal(ReportRequest("junit", here)) == (
        f"{here}: the junit report cannot be written here: it is a directory; name a file"
    )
    assert refusal(ReportRequest("junit", f"{here}/file/x.xml")) == (
        f"{here}/file/x.xml: the junit report cannot be written here: file exists;"
        " name another file"
    )
    assert refusal(
        ReportRequest("junit", f"{here}/file"), ReportRequest("json", f"{here}/link")
    ) == (f"{here}/file: asked for by two reports, junit and json; give each its own file")
    assert refusal(ReportRequest("junit", "-"), ReportRequest("json", "-")) == (
        "-: asked for by two reports, junit and json; give each its own file"
    )
    assert refusal(ReportRequest("junit", "/proc/x/y")).startswith(
        "/proc/x/y: the junit report cannot be written here: "
    )
    assert refusal(ReportRequest("junit", "a\0b")).endswith("embedded null byte; name another file")
    assert (tmp_path / "file").read_text() == "old"


def test_missing_directories_of_targets_are_made(tmp_path: Path) -> None:
    check_targets([ReportRequest("junit", f"{tmp_path}/a/b/j.xml")], "/no/such")
    assert os.listdir(tmp_path / "a/b") == []


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("no"), "ValueError: no (" + __file__ + ":"),
        (SystemExit(0), "SystemExit: 0 (" + __file__ + ":"),
    ],
)
def test_a_report_that_fails_half_way_leaves_the_old_file(
    tmp_path: Path, failure: BaseException, why: str
) -> None:
    target = tmp_path / "r.txt"
    target.write_text("old")
    formats = {"parts": Parts("new", failure)}
    with pytest.raises(ReportError) as caught:
        write_report(ReportRequest("parts", str(target)), summary(tmp_path), formats)
    assert str(caught.value).startswith(f"{target}: {PARTS} not written: {why}")
    assert os.listdir(tmp_path) == ["r.txt"]
    assert target.read_text() == "old"


def test_one_report_that_fails_does_not_keep_others_from_being_written(tmp_path: Path) -> None:
    formats = {"bad": Parts(OSError(5, "Input/output error")), "good": Parts("x")}
    requests = [ReportRequest("bad", f"{tmp_path}/bad"), ReportRequest("good", f"{tmp_path}/good")]
    assert write_reports(requests, summary(tmp_path), formats) == (
        f"{tmp_path}/bad: {PARTS.replace('parts', 'bad')} not written: Input/output error",
    )
    assert os.listdir(tmp_path) == ["good"]


def test_a_dash_is_the_standard_output(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    formats = {"parts": Parts("é", "\n")}
    assert write_report(ReportRequest("parts", "-"), summary(tmp_path), formats) == "-"
    assert capfdbinary.readouterr().out == b"\xc3\xa9\n"
    assert os.listdir(tmp_path) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_report(
        ReportRequest("parts", f"{tmp_path}/link"), summary(tmp_path), {"parts": Parts("new")}
    )
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    write_report(ReportRequest("parts", str(pipe)), summary(tmp_path), {"parts": Parts("a", "b")})
    reader.join()
    assert received == ["ab"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
