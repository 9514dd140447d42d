"""The suite as pytest runs it: one test function, a parameter for each directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

DIRECTORIES = sorted(Path(__file__).with_name("tests").glob("*/*"))


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda directory: directory.name)
def test_cat(directory: Path) -> None:
    run = subprocess.run(["cat", "input.txt"], cwd=directory, capture_output=True, check=True)
    assert run.stdout == (directory / "test.out").read_bytes()
