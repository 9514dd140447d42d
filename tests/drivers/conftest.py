"""A suite's environment and an engine, both as small as drivers allow."""

from __future__ import annotations

import argparse
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from e3.collection.dag import DAG

from testloom.drivers import CleanupMode, TestDriver
from testloom.model.fragment import FragmentData
from testloom.model.names import path_for


class Lab:
    """Makes tests, and runs their fragments one after the other in this process."""

    def __init__(self, root: Path) -> None:
        (root / "tests").mkdir()
        (root / "work").mkdir()
        self.env = types.SimpleNamespace(
            root_dir=str(root),
            test_dir=str(root / "tests"),
            output_dir=str(root / "out"),
            working_dir=str(root / "work"),
            options=argparse.Namespace(truncate_logs=200),
            cleanup_mode=CleanupMode.PASSING,
        )
        self.root = root

    def test_env(
        self, name: str = "t", yaml_text: str = "", **files: str | bytes
    ) -> dict[str, Any]:
        """Write a test; in names of *files*, ``_`` stands for a dot."""
        directory = self.root / "tests" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "test.yaml").write_text(yaml_text, encoding="utf-8")
        for file_name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (directory / file_name.replace("_", ".")).write_bytes(data)
        return {
            **(yaml.safe_load(yaml_text) or {}),
            "test_name": name,
            "test_dir": str(directory),
            "test_matcher": None,
            "working_dir": str(self.root / "work" / path_for(name)),
        }

    def run(self, driver: TestDriver, slot: int = 0) -> dict[str, Any]:
        """Run *driver*'s fragments in the order they were added; return their values."""
        dag = DAG()
        driver.add_test(dag)
        values: dict[str, Any] = {}
        for uid, data in dag.vertex_data.items():
            assert isinstance(data, FragmentData)
            assert data.callback is not None
            before = {u.rpartition(".")[2]: values[u] for u in dag.get_predecessors(uid)}
            values[uid] = data.callback(before, slot)
        return values


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


Verdicts = list[tuple[str, str, str | None]]
Runner = Callable[..., Any]


@pytest.fixture
def verdicts() -> Callable[[TestDriver], Verdicts]:
    """What a driver pushed: name, status and message of each result."""
    return lambda driver: [
        (item.result.test_name, item.result.status.name, item.result.msg)
        for item in driver.result_queue
    ]
