"""How the commands are spelled that people are shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from testloom.model.rerun import Commands
from testloom.suite.commands import commands_of
from testloom.suite.config import load_config
from testloom.suite.options import build_parser, read_command_line


@pytest.fixture(autouse=True)
def _as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("TESTLOOM_PROGRAM", raising=False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/testloom"])


def commands(*args: str, file: Path | None = None, **environ: str) -> Commands:
    config = None if file is None else load_config(str(file))
    line = read_command_line(build_parser("testloom"), args, config=config, environ=environ)
    return commands_of(line, line.options)


def test_only_what_was_typed_has_to_be_typed_again(tmp_path: Path) -> None:
    file = tmp_path / "testloom.toml"
    file.write_text('output-dir = "results"\n[profile.ci]\njobs = 2\n')
    told = commands("-P", "ci", "-j4", "a b", "-k", "x or y", file=file, TESTLOOM_HISTORY="h")
    assert told == Commands(places=["-P ci"], paths=["'a b'"], selecting=["'--keyword=x or y'"])
    told = commands("-o", "my results", "-c", str(file))
    assert told.places == [f"-c {file}", "-o 'my results'"]


def test_paths_that_look_like_options_stand_behind_the_end_of_those() -> None:
    assert commands("--", "-x", "y").paths == ["--", "-x", "y"]


def test_a_suite_that_is_a_program_of_its_own_has_no_commands_but_its_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["suite.py"])
    told = commands()
    assert told.program.endswith(" suite.py")
    assert told.tool == "testloom"


def test_how_the_program_is_called_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTLOOM_PROGRAM", "uv run testloom")
    assert (commands().program, commands().tool) == ("uv run testloom", "uv run testloom")


def test_on_a_build_server_nobody_types_beside_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert not commands().are_at_hand
