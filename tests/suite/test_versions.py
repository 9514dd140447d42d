"""What a report says of the versions of what it was made with."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import e3.error
import pytest

from testloom.suite.versions import versions


def test_the_version_of_e3_is_the_one_that_its_package_has() -> None:
    assert versions()["e3-core"] == importlib.metadata.version("e3-core")


def test_where_no_directory_is_named_after_it_the_package_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e3.error, "__file__", os.fspath(tmp_path / "e3" / "error.py"))
    assert versions()["e3-core"] == importlib.metadata.version("e3-core")
