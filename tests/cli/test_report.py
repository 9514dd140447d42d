"""Reports of a run that is over, written from its journal."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from testloom.cli.main import main
from testloom.journal.format import PlannedTest
from testloom.journal.rundir import open_run_dir
from testloom.journal.writer import JournalWriter
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import SystemClock


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TESTLOOM_")]:
        monkeypatch.delenv(name)


def stored_run(output_dir: str, *names: str, ended: bool = True) -> str:
    """Leave what a run of tests that pass leaves; if it has not *ended*, the last has no result."""
    clock = SystemClock()
    with open_run_dir(output_dir, clock) as run:
        writer = JournalWriter(run.journal, clock)
        info = RunInfo(
            run_id=run.run_id,
            suite="s",
            root=os.getcwd(),
            output_dir=run.path,
            command=("testloom",),
            jobs=1,
            started_at=1.0,
            selected=len(names),
        )
        writer.run_started(info, [PlannedTest(name) for name in names])
        for name in names if ended else names[:-1]:
            record = ResultRecord(name=name, status="PASS")
            entry = ResultEntry(name=name, test=name, status=TestStatus.PASS)
            writer.result(entry, msgspec.json.encode(record))
        if ended:
            writer.run_ended(duration_s=1.0)
        writer.close()
    return run.run_id


def cases(path: str) -> list[str | None]:
    return [case.get("name") for case in ET.parse(path).getroot().iter("testcase")]


def test_the_latest_run_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    stored_run("out", "before")
    stored_run("out", "a", "b")
    assert main(["report", "junit=j.xml"]) == 0
    assert capsys.readouterr() == ("", "junit: j.xml\n")
    assert cases("j.xml") == ["a", "b"]


def test_another_run_can_be_named() -> None:
    first = stored_run("out", "before")
    stored_run("out", "a")
    for reference in (first, "latest~1"):
        assert main(["report", "--run", reference, "junit=j.xml"]) == 0
        assert cases("j.xml") == ["before"]


def test_a_report_without_a_path_goes_where_the_results_are_now() -> None:
    run_id = stored_run("out", "a")
    os.rename("out", "moved")
    assert main(["report", "junit", "-o", "moved"]) == 0
    assert cases(f"moved/{run_id}/junit.xml") == ["a"]
    assert not Path("out").exists()


def test_the_output_directory_is_that_of_the_configuration() -> None:
    Path("testloom.toml").write_text("output-dir = 'res'")
    stored_run("res", "a")
    assert main(["report", "junit=j.xml"]) == 0
    assert cases("j.xml") == ["a"]


def test_a_report_on_the_standard_output_is_nothing_but_that(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    stored_run("out", "a")
    assert main(["report", "junit=-"]) == 0
    out, err = capfdbinary.readouterr()
    assert (ET.fromstring(out).tag, err) == ("testsuites", b"")


def test_a_run_that_was_cut_off_is_reported_with_all_its_tests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored_run("out", "a", "b", ended=False)
    assert main(["report", "junit=j.xml"]) == 0
    assert "testloom: the run did not end by itself" in capsys.readouterr().err
    assert cases("j.xml") == ["a", "b"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "report: name a format: "),
        (["juni"], "no report format is called 'juni'; did you mean 'junit'?"),
        (["junit", "--frob"], "report: unrecognized arguments: --frob; see 'testloom report -h'"),
        (["junit", "-o", "none"], "{here}/none: holds no run; run the tests first"),
        (["junit", "--run", "x"], "{here}/out: no run matches 'x'; "),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    stored_run("out", "a")
    assert main(["report", *args]) == 4
    err = capsys.readouterr().err
    assert err.startswith("testloom: " + message.format(here=tmp_path))
    assert err.count("\n") == 1


def test_a_report_that_cannot_be_written_is_told_and_the_others_are_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored_run("out", "a")
    # It can be opened for writing, so that only writing shows what is wrong.
    assert main(["report", "junit=/dev/full", "json=j.json"]) == 3
    err = capsys.readouterr().err
    assert "/dev/full: junit report not written: No space left on device" in err
    assert Path("j.json").exists()


PLUGIN = """
from testloom.suite.hookspecs import hookimpl

class Names:
    name, default_file = {name!r}, "names.txt"

    def write(self, summary):
        yield from (f"{{entry.name}}\\n" for entry in summary.entries)

class Plugin:
    @hookimpl
    def testloom_reports(self):
        return {{{name!r}: Names()}}

@hookimpl
def testloom_reports():
    return Plugin().testloom_reports()
"""


def test_formats_of_plugins_can_be_asked_for_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    Path("report_names.py").write_text(PLUGIN.format(name="names"))
    Path("own_suite.py").write_text(
        PLUGIN.format(name="own")
        + "import testloom\nclass Own(testloom.Testsuite):\n    plugins = [Plugin()]\n"
    )
    Path("testloom.toml").write_text("plugins = ['report_names']\nsuite = 'own_suite.py:Own'")
    stored_run("out", "a", "b")
    assert main(["report", "names=n.txt", "own=o.txt"]) == 0
    assert (Path("n.txt").read_text(), Path("o.txt").read_text()) == ("a\nb\n", "a\nb\n")


def test_a_plugin_that_cannot_be_used_is_told_with_the_line_that_names_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("testloom.toml").write_text("plugins = ['no_such_module']")
    stored_run("out", "a")
    assert main(["report", "junit"]) == 4
    assert capsys.readouterr().err.startswith(
        "testloom: testloom.toml:1: a plugin cannot be used: "
    )


def test_a_report_afterwards_tells_what_was_new_then() -> None:
    test = Path("tests/a/test.yaml")
    test.parent.mkdir(parents=True)
    for command in ("true", "false", "true"):
        test.write_text(f"cmd: ['{command}']\n")
        main(["run", "tests", "--reporter=none", "-j1"])
    told = []
    for run in ("latest~2", "latest~1", "latest"):
        assert main(["report", "text=r.txt", "--run", run]) == 0
        told.append([line for line in Path("r.txt").read_text().splitlines() if "(1)" in line])
    assert told == [[], ["New failures (1)"], ["Fixed (1)"]]
