"""What tests of the pytest plugin share: they run pytest as its users do, in a project of their own."""

from __future__ import annotations

import dataclasses
import os
import re
import select
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LIMIT_S = 60.0
"""How long a session may take before a test gives up on it; none takes a tenth of that."""
PLUGINS = ("--disable-plugin-autoload", "-p", "testloom.pytest_plugin")
SOURCE = Path(__file__).parents[2] / "src"


@dataclasses.dataclass(frozen=True)
class Session:
    """What a session of pytest came to."""

    code: int
    out: str
    outcomes: dict[str, str]
    """Node id or, with classes, ``module.Class::name`` -> outcome, from its junitxml."""

    @property
    def last_line(self) -> str:
        """The summary without its time."""
        return re.sub(r" in [0-9.]+s.*", "", self.out.rstrip().rpartition("\n")[2]).strip("= ")

    def names(self, outcome: str) -> set[str]:
        return {name for name, found in self.outcomes.items() if found == outcome}


RunPytest = Callable[..., Session]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a directory that is the root of a project without configuration."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    return root


@pytest.fixture
def write(project: Path) -> Callable[..., None]:
    """Write files, named by their paths in the project."""

    def write_files(**files: str) -> None:
        for name, content in files.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))

    return write_files


@pytest.fixture
def run_pytest(project: Path, tmp_path: Path) -> RunPytest:
    """Run pytest in the project, with our plugin and no others."""

    def run(*arguments: str, plugins: tuple[str, ...] = PLUGINS) -> Session:
        report = tmp_path / "junit.xml"
        report.unlink(missing_ok=True)
        ended = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "pytest", *plugins, "-o", "junit_family=xunit1"),
                *(f"--junitxml={report}", "--basetemp", str(tmp_path / "temp"), *arguments),
            ],
            cwd=project,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return Session(ended.returncode, ended.stdout, outcomes_of(report))

    return run


@pytest.fixture
def start_pytest(project: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start pytest in the project, and go on; it is killed in the end, if it still runs."""
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        session = subprocess.Popen(
            [sys.executable, "-P", "-m", "pytest", *PLUGINS, *arguments],
            cwd=project,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(session)
        return session

    yield start
    for session in started:
        with session:
            session.kill()


class Ear:
    """A pipe through which tests of a session tell things, a line each."""

    def __init__(self, path: Path) -> None:
        self.tell = f"""
def tell(what):
    with open({str(path)!r}, "w") as pipe: pipe.write(f"{{what}}\\n")
"""
        """The source of the function that tells."""
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def line(self) -> str:
        """Return the next line; fail if none comes."""
        text = b""
        while not text.endswith(b"\n"):
            assert select.select([self._reader], [], [], LIMIT_S)[0], f"nothing came after {text!r}"
            text += os.read(self._reader, 1)
        return text.decode().rstrip("\n")

    def close(self) -> None:
        """Listen no more."""
        os.close(self._reader)


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    """Give a pipe for what tests tell."""
    ear = Ear(tmp_path / "ear")
    yield ear
    ear.close()


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "TESTLOOM", "CI"))}
    return {**kept, "PYTHONPATH": str(SOURCE), "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}


def outcomes_of(report: Path) -> dict[str, str]:
    """Return the outcome of each test in a junitxml."""
    if not report.exists():
        return {}
    found = {}
    for case in ET.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = kinds[0] if kinds else "passed"
    return found
