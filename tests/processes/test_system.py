"""What e3 is told of the operating system is what it would have found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Prints what e3 knows then, and which programs were started for it.
PROGRAM = """
import json, sys
started = []
sys.addaudithook(lambda event, args: started.append(args[1]) if event == "subprocess.Popen" else None)
from testloom.processes import system
from e3.env import Env
from e3.os.platform import SystemInfo
{first}
env = {how}()
assert env is not None
known = [SystemInfo.ld_info, list(SystemInfo.uname), SystemInfo.core_number]
print(json.dumps([[*known, [list(env.build), list(env.host), list(env.target)]], started]))
"""


def asked(how: str, first: str = "") -> tuple[Any, list[list[str]]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(how=how, first=first)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    known, started = json.loads(done.stdout)
    return known, started


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere e3 finds out by itself")
def test_e3_knows_the_same_without_the_programs_that_it_would_start() -> None:
    ours, started = asked("system.new_env")
    theirs, _ = asked("Env")
    assert ours == theirs
    release = Path("/etc/os-release")
    if release.exists() and "VERSION_ID=" in release.read_text():
        assert [program for program, *_ in started if program != "uname"] == []
        assert ["uname", "-rs"] not in started


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere e3 finds out by itself")
def test_where_the_file_does_not_say_all_of_it_e3_asks_the_programs(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("NAME=Rolling\n")
    where = f"import os; os.environ['UNIXCONFDIR'] = {os.fspath(tmp_path)!r}"
    # `distro` looks for the variable when it is imported.
    ours, started = asked("system.new_env", where)
    theirs, as_well = asked("Env", where)
    assert (ours, started) == (theirs, as_well)
    assert ["lsb_release", "-a"] in started


BARS = """
import sys
{first}
from testloom.processes import system
system.new_env()
print("tqdm" in sys.modules)
import e3.log
e3.log.pretty_cli = True
print(list(e3.log.progress_bar([1, 2], desc="counted")))
e3.log.tqdm.write("said beside it", file=sys.stdout)
print("tqdm" in sys.modules, type(e3.log.progress_bar([])).__module__)
"""


@pytest.mark.parametrize(("first", "at_once"), [("", False), ("import tqdm", True)])
def test_progress_bars_of_e3_are_imported_when_there_is_one(first: str, at_once: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARS.format(first=first)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    shown = [str(at_once), "[1, 2]", "said beside it", "True tqdm.std"]
    assert done.stdout.splitlines() == shown
    assert "counted" in done.stderr
