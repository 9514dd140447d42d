"""The reference says what the code says, and the map of the code shows all of it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

from testloom.drivers.command_spec import KEYS
from testloom.model import reason
from testloom.model.status import FailureReason
from testloom.reports import BUILT_IN
from testloom.suite.config import Project

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "testloom"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_generated_parts_are_up_to_date() -> None:
    # If this fails: python docs/generate.py
    ended = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout + ended.stderr, ended.returncode) == ("", 0)


def test_every_reason_and_every_family_is_explained() -> None:
    text = page("reference/statuses-reasons-exit-codes.md")
    reasons = [value for name, value in vars(reason).items() if name.isupper()]
    words = [*reasons, *FailureReason.__members__]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_key_of_the_command_driver_is_explained() -> None:
    table = page("reference/test-yaml.md").partition("## command")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert {key for key in KEYS if any(f"`{key}`" in row[:24] for row in rows)} == KEYS


def test_every_key_of_the_configuration_is_explained() -> None:
    keys = Project.__struct_encode_fields__
    text = page("reference/testloom-toml.md")
    shown = {"env": "[env]", "ui": "[ui]", "history": "[history]", "profile": "[profile.NAME]"}
    assert [key for key in keys if f"| `{shown.get(key, key)}` |" not in text] == []


def test_every_report_format_is_explained() -> None:
    text = page("reference/reports.md")
    files = {name: report.default_file for name, report in BUILT_IN.items()}
    assert [n for n, file in files.items() if f"| `{n}` | `{file}` |" not in text] == []


def test_the_architecture_page_names_every_module_of_its_rooms() -> None:
    text = page("explanation/architecture.md")
    rooms = [path.parent for path in SOURCE.glob("*/__init__.py")]
    assert [path.name for path in rooms if f"\n**{path.name}** " not in text] == []
    missing = [
        str(path.relative_to(SOURCE))
        for path in (*SOURCE.glob("*.py"), *(path for room in rooms for path in room.rglob("*.py")))
        if path.name != "__init__.py"
        and f"`{path.name}`" not in text
        # What is behind a door's table is named by the table.
        and not {"e3_modules", "on_path"} & set(path.parts)
    ]
    assert missing == []


def test_the_functions_of_the_journeys_exist() -> None:
    text = page("explanation/architecture.md").partition("## Three journeys")[2]
    names = re.findall(r"`((?:\w+\.){2,}\w+)`", text)
    assert len(names) > 50
    assert [name for name in names if not _exists(name)] == []


def _exists(name: str) -> bool:
    """Tell whether *name*, a module below testloom and what is in it, can be had."""
    room, module, *attributes = name.split(".")
    thing: object = importlib.import_module(f"testloom.{room}.{module}")
    for attribute in attributes:
        if not hasattr(thing, attribute):
            return False
        thing = getattr(thing, attribute)
    return True
