"""The topics of help say what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from testloom.cli.main import _COMMANDS, main
from testloom.cli.topics import COMMANDS, CONFIG, REPORTS, STATUSES, TOPICS
from testloom.model.status import TestStatus
from testloom.reports import BUILT_IN
from testloom.suite.config import History, Profile, Project, Ui, load_config
from testloom.suite.options import build_parser
from testloom.suite.values import variable


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_fits_a_terminal(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", topic]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n")
    assert max(map(len, out.splitlines())) <= 100


def test_an_unknown_topic_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "exit-code"]) == 4
    assert capsys.readouterr().err == (
        "testloom: help: there is no topic 'exit-code'; did you mean 'exit-codes'?\n"
    )


def test_the_commands_are_all_listed() -> None:
    for_people = _COMMANDS.keys() - {"worker-node"}  # that is for batch systems
    words = set(re.findall(r"[a-z0-9]+", COMMANDS))
    assert for_people - words == set()
    assert all(topic in COMMANDS for topic in TOPICS)


def test_every_status_is_explained() -> None:
    assert all(f"  {status.name} " in STATUSES for status in TestStatus)


def test_every_report_format_is_explained() -> None:
    names = {name for line in REPORTS.splitlines() for name in line[:16].replace(",", " ").split()}
    assert names >= BUILT_IN.keys()


def test_every_long_option_has_a_variable_in_the_list() -> None:
    text = TOPICS["environment"]()
    options = {
        option
        for action in build_parser("testloom").own
        for option in action.option_strings
        if option.startswith("--") and option not in {"--help", "--version"}
    }
    listed = dict(line.split()[:2] for line in text.splitlines() if line.startswith("  TESTLOOM_"))
    del listed["TESTLOOM_ROOT"]
    assert listed == {variable(option): option for option in options}


def test_the_example_of_a_configuration_is_one_and_has_every_key(tmp_path: Path) -> None:
    example = "\n".join(line for line in CONFIG.splitlines() if line.startswith("  "))
    file = tmp_path / "testloom.toml"
    file.write_text(example)
    load_config(str(file))
    data = tomllib.loads(example)
    assert set(data) == set(Project.__struct_encode_fields__)
    assert set(data["ui"]) == set(Ui.__struct_encode_fields__)
    assert set(data["history"]) == set(History.__struct_encode_fields__)
    assert set(data["profile"]["ci"]) <= set(Profile.__struct_encode_fields__)
