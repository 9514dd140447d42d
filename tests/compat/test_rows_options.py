"""The options of section 1.10 that no other row names."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

SUITE = """
class D(DiffTestDriver):
    def run(self): self.shell(["seq", "30"])
class Suite(Testsuite):
    def get_test_list(self, sublist):
        made = [ParsedTest("ok", Ok, {}, self.env.root_dir + "/tests"),
                ParsedTest("bad", D, {}, self.env.root_dir + "/tests")]
        return [t for t in made if t.test_name in sublist or not sublist]
    def tear_down(self):
        print(self.working_dir, self.env.cleanup_mode.name, self.old_output_dir)
"""


def test_options_output_directories_are_new_and_old_or_as_said(door: Any, tmp_path: Path) -> None:
    door(SUITE, "ok")
    door(SUITE, "--rotate-output-dirs", "bad")

    assert [path.name for path in (tmp_path / "out" / "old").glob("ok-*")]
    assert not list((tmp_path / "out" / "new").glob("ok-*"))
    ran = door(SUITE, "-o", "here", "--old-output-dir", "out/new", "ok", "--generate-text-report")
    assert ran.out.endswith(f"{tmp_path}/out/new\n")
    assert "1 removed test(s)" in (tmp_path / "here" / "report").read_text()


def test_options_output_directory_that_holds_the_suite_is_refused(
    door: Any, tmp_path: Path
) -> None:
    """e3-testsuite would remove it."""
    ran = door(SUITE, "-o", ".", "--old-output-dir", "old")

    assert ran.code == 1
    assert "choose another output directory" in ran.err
    assert (tmp_path / "testsuite.py").exists()


def test_options_output_directory_in_use_is_left_alone(door: Any, tmp_path: Path) -> None:
    door(SUITE, "ok")
    before = sorted(os.listdir(tmp_path / "out" / "new"))
    lock = os.open(tmp_path / "out", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = door(SUITE, "ok")
    finally:
        os.close(lock)

    assert "another run uses this directory" in ran.err
    assert sorted(os.listdir(tmp_path / "out" / "new")) == before


@pytest.mark.parametrize(
    ("args", "mode", "kept"),
    [
        ([], "PASSING", {"bad"}),
        (["--cleanup-mode=none"], "NONE", {"ok", "bad"}),
        (["--cleanup-mode=all"], "ALL", None),
        (["--disable-cleanup"], "NONE", {"ok", "bad"}),
        (["--disable-cleanup", "--cleanup-mode=passing"], "PASSING", {"bad"}),
    ],
)
def test_options_of_the_working_directory(
    door: Any, tmp_path: Path, args: list[str], mode: str, kept: set[str] | None
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test.out").write_text("no\n")
    (tmp_path / "wd").mkdir()
    ran = door(SUITE, *args, "-t", "wd")

    directory, found, _ = ran.out.split()
    assert Path(directory).parent == tmp_path / "wd"
    assert found == mode
    assert Path(directory).is_dir() == (kept is not None)
    if kept is not None:
        assert {p.name for p in Path(directory).iterdir()} - {"exchange"} == kept
    assert ("deprecated" in ran.err) == ("--disable-cleanup" in args)


def test_options_dev_temp_and_truncation(door: Any, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test.out").touch()
    ran = door(SUITE, "-d", "dev", "-T", "2", "-E", "--show-time-info", "--failure-exit-code=9")

    assert ran.out.split()[:2] == [str(tmp_path / "dev"), "NONE"]
    assert ran.code == 9
    assert "1\n2\n\n... 26 lines skipped...\n\n29\n30\n" in str(ran.result("bad").log)
    assert (
        "INFO     FAIL            bad: unexpected output\nDiff failure: unexpected output"
        in ran.err
    )


def test_options_of_logging(door: Any, tmp_path: Path) -> None:
    ran = door(SUITE, "ok", "--log-file=log", "--nocolor", "--loglevel=ERROR")

    assert ran.err == ""
    assert "INFO" in (tmp_path / "log").read_text()
    assert "PASS            ok" in (tmp_path / "log").read_text()
    assert '"PASS            ok"' in door(SUITE, "ok", "--json-logs").err


def test_options_of_platforms(door: Any) -> None:
    ran = door(
        """
        class Suite(Testsuite):
            def set_up(self):
                print(self.env.target.platform, self.env.target.os.version, self.env.is_cross)
    """,
        "--target=ppc-linux,5,machine",
    )

    assert ran.out == "ppc-linux 5 True\n"


def test_options_of_the_suite_win_over_ours(door: Any) -> None:
    ran = door(
        """
        class Suite(Testsuite):
            def add_options(self, parser):
                parser.add_argument("--timeout", default="mine")
                parser.add_argument("--jobs-per-test", "-k", type=int, default=3)
            def set_up(self): print(self.main.args.timeout, self.main.args.jobs_per_test)
    """,
        "-k",
        "5",
        "--max-cons",
        "2",
    )

    assert ran.out == "mine 5\n"
