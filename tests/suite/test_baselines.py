"""Outputs that wait: whole runs of small suites, and what is done with what they leave."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import testloom
from testloom.model import kept
from testloom.model.errors import UsageError
from testloom.model.names import path_for
from testloom.suite import baselines
from testloom.suite.baselines import NotAccepted, Pending, accept, chosen, forget, pending_in

pytestmark = pytest.mark.slow

Run = Callable[..., Path]


class Suite(testloom.Testsuite):
    tests_subdir = "tests"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run tests given as NAME: {FILE: TEXT}; return the directory of the run."""
    monkeypatch.delenv("CI", raising=False)

    def run(tests: dict[str, dict[str, str | bytes]], *options: str) -> Path:
        for name, files in tests.items():
            (tmp_path / "tests" / name).mkdir(parents=True, exist_ok=True)
            for file, content in files.items():
                data = content if isinstance(content, bytes) else content.encode()
                (tmp_path / "tests" / name / file).write_bytes(data)
        out = tmp_path / "out"
        Suite(str(tmp_path)).testsuite_main(
            ["-j1", "--reporter=none", "-o", str(out), "-t", str(tmp_path), *options]
        )
        return (out / "latest").resolve()

    return run


def echo(text: str, *more: str) -> str:
    return "\n".join([f"cmd: [printf, '{text}']", *more, ""])


def waiting(run_dir: Path, root: Path) -> list[tuple[str, str]]:
    return [(each.test, each.shown_path) for each in pending_in(str(run_dir), str(root))]


def the_one(run_dir: Path, root: Path) -> Pending:
    [one] = pending_in(str(run_dir), str(root))
    return one


def test_an_output_that_differs_waits_and_nothing_else_does(run: Run, tmp_path: Path) -> None:
    run_dir = run(
        {
            "differs": {"test.yaml": echo("new\\n"), "test.out": "old\n"},
            "passes": {"test.yaml": echo("same\\n"), "test.out": "same\n"},
            "inline": {"test.yaml": echo("new\\n", 'stdout: "old"')},
            "exits": {"test.yaml": "cmd: [sh, -c, 'echo x; exit 3']\n", "test.out": "old\n"},
            "missing": {"test.yaml": echo("new\\n", "stdout: {file: made.txt}")},
        }
    )

    assert waiting(run_dir, tmp_path) == [("differs", "tests/differs/test.out")]
    assert (tmp_path / "tests" / "differs" / "test.out").read_text() == "old\n"


@pytest.mark.parametrize(
    ("old", "printed", "new"),
    [
        pytest.param(b"old\n", "new\\n", b"new\n", id="plain"),
        pytest.param(b"old\r\nx\r\n", "new\\nx\\n", b"new\r\nx\r\n", id="line ends"),
        pytest.param(b"old\r\nx\n", "new\\nx\\n", b"new\nx\n", id="mixed line ends"),
        pytest.param(b"\xef\xbb\xbfold\n", "new\\n", b"new\n", id="byte order mark"),
        pytest.param(b"old\n", "\\377\\376\\n", b"\xff\xfe\n", id="no text"),
    ],
)
def test_what_is_accepted_is_the_baseline(
    run: Run, tmp_path: Path, old: bytes, printed: str, new: bytes
) -> None:
    test = {"t": {"test.yaml": echo(printed), "test.out": old}}
    one = the_one(run(test), tmp_path)
    accept(one)

    assert (tmp_path / "tests" / "t" / "test.out").read_bytes() == new
    assert pending_in(os.path.dirname(os.path.dirname(one.folder)), str(tmp_path)) == []
    assert waiting(run({}), tmp_path) == []


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("test.out", "the baseline has changed since the run; run the test again"),
        ("test.yaml", "the test has changed since the run; run it again"),
    ],
)
def test_nothing_is_accepted_for_what_has_changed_since_unless_forced(
    run: Run, tmp_path: Path, file: str, why: str
) -> None:
    one = the_one(run({"t": {"test.yaml": echo("new\\n"), "test.out": "old\n"}}), tmp_path)
    changed = tmp_path / "tests" / "t" / file
    changed.write_text(changed.read_text() + "# changed\n")
    with pytest.raises(NotAccepted) as caught:
        accept(one)
    before = (tmp_path / "tests" / "t" / "test.out").read_text()
    accept(one, force=True)

    assert (str(caught.value), before[:4]) == (why, "old\n")
    assert (tmp_path / "tests" / "t" / "test.out").read_text() == "new\n"


def test_what_is_rejected_is_forgotten(run: Run, tmp_path: Path) -> None:
    run_dir = run({"t": {"test.yaml": echo("new\\n"), "test.out": "old\n"}})
    forget(the_one(run_dir, tmp_path))

    assert waiting(run_dir, tmp_path) == []
    assert (tmp_path / "tests" / "t" / "test.out").read_text() == "old\n"


def test_a_link_stays_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tests" / "t").mkdir(parents=True)
    (tmp_path / "shared.out").write_text("old\n")
    (tmp_path / "tests" / "t" / "test.out").symlink_to("../../shared.out")
    accept(the_one(run({"t": {"test.yaml": echo("new\\n")}}), tmp_path))

    assert (tmp_path / "tests" / "t" / "test.out").is_symlink()
    assert (tmp_path / "shared.out").read_text() == "new\n"


def test_tests_are_chosen_by_name_directory_and_pattern(run: Run, tmp_path: Path) -> None:
    test: dict[str, str | bytes] = {"test.yaml": echo("new\\n"), "test.out": "old\n"}
    pending = pending_in(str(run({"a/x": test, "a/y": test, "b": test})), str(tmp_path))

    def names(*words: str) -> list[str]:
        return [each.test for each in chosen(pending, words)]

    assert (names(), names("a"), names("b", "a/x")) == (
        ["a/x", "a/y", "b"],
        ["a/x", "a/y"],
        ["a/x", "b"],
    )
    assert names("*/y") == ["a/y"]
    with pytest.raises(UsageError, match="no output of 'a/z' waits; did you mean 'a/y'"):
        names("a/z")
    assert [len(group) for group in baselines.groups(pending)] == [3]


@pytest.mark.parametrize("path", ["../outside", "/etc/hostname", "tests/../../outside"])
def test_what_would_be_written_outside_of_the_suite_does_not_wait(
    tmp_path: Path, path: str
) -> None:
    root, folder = tmp_path / "root", tmp_path / "run" / kept.FOLDER / "x"
    root.mkdir()
    folder.mkdir(parents=True)
    (tmp_path / "outside").write_text("old")
    evil = kept.PendingBaseline(path=path, actual="actual-1", before="", difference="")
    failure = kept.KeptFailure(
        test="x", status="FAIL", message="", test_dir="", working_dir="", pending=(evil,)
    )
    (folder / kept.RECORD).write_bytes(kept.encode(failure))

    assert pending_in(str(tmp_path / "run"), str(root)) == []


def test_on_a_build_server_no_baseline_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    run({"t": {"test.yaml": echo("new\\n"), "test.out": "old\n"}}, "--update-baselines")

    assert (tmp_path / "tests" / "t" / "test.out").read_text() == "old\n"


@pytest.mark.parametrize("keeps_work", [True, False])
def test_a_failure_can_be_repeated_without_testloom(
    run: Run, tmp_path: Path, *, keeps_work: bool
) -> None:
    test = """
cmd: [sh, -c, 'cat; echo "$VALUE"; cat data; exit 7']
stdin: "typed\\n"
env: {VALUE: "it's"}
exit: 0
"""
    files: dict[str, str | bytes] = {"test.yaml": test, "data": "from a file\n"}
    run_dir = run({"a test": files}, f"--keep-work={'failing' if keeps_work else 'none'}")
    script = run_dir / kept.FOLDER / path_for("a test") / kept.SCRIPT
    ran = subprocess.run(["sh", script], capture_output=True, text=True, check=False, cwd="/")

    assert (ran.stdout, ran.returncode) == ("typed\nit's\nfrom a file\n", 7)
    assert ("in a copy of the test" in ran.stderr) is not keeps_work


def test_a_test_that_passes_leaves_nothing(run: Run) -> None:
    run_dir = run({"t": {"test.yaml": echo("x"), "test.out": "x"}})

    assert not (run_dir / kept.FOLDER).exists()
