"""A suite as small as finders let it be, and trees of files."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from testloom.discovery import Found, Selection, TestFinder, YAMLTestFinder, discover, path_name


class CatDriver:
    pass


class DiffDriver:
    pass


class SmallSuite:
    """What finders ask of a suite."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root_dir = str(root)
        self.test_dir = str(root / "tests")
        self.test_driver_map: Mapping[str, type[Any]] = {"cat": CatDriver, "diff": DiffDriver}
        self.default_driver: str | None = "cat"
        self.env: Any = SimpleNamespace(to_dict=lambda: {"os": "linux", "cpu": "arm", "bits": 64})
        self.finders: list[TestFinder] = [YAMLTestFinder()]

    def test_name(self, test_dir: str) -> str:
        return path_name(self.test_dir, test_dir)

    def find(self, *paths: str, **selected_by: Any) -> Found:
        """Discover what a command line selects that is given in the root directory."""
        selection = Selection.parse(paths, test_dir=self.test_dir, cwd=self.root_dir, **selected_by)
        return discover(self, roots=[self.test_dir], finders=self.finders, selection=selection)

    def names(self, *paths: str, **selected_by: Any) -> list[str]:
        """Return the names of the tests that a command line selects."""
        return [test.test_name for test in self.find(*paths, **selected_by).tests]


@pytest.fixture
def suite(tmp_path: pathlib.Path) -> SmallSuite:
    (tmp_path / "tests").mkdir()
    return SmallSuite(tmp_path)


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Callable[..., None]:
    """Write files, given as paths below the suite's root and their texts."""

    def write_files(files: Mapping[str, str | bytes] | None = None, /, *empty: str) -> None:
        for name, content in {**(files or {}), **dict.fromkeys(empty, "")}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write_files
