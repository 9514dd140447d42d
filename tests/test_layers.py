"""Holds the order of the rooms: imports point down only.

Reads the sources by `ast`, so an import inside a function or under ``TYPE_CHECKING`` counts as well.
The second half plants what is forbidden, to see that it would be noticed: once into a copy of the tree,
in its other forms into empty rooms.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "testloom"

MACHINE = frozenset({"processes", "model"})
ROOMS = frozenset({"discovery", "drivers", "journal", "reports", "console"})
ENGINE = frozenset({"scheduling", "workers"})
DOORS = frozenset({"cli", "pytest_plugin", "compat", "graph", "tasks", "cluster"})
# The package itself, whose names are for users, and `python -m testloom`.
ENTRANCES = frozenset({"__init__", "__main__"})
EVERYTHING = MACHINE | ROOMS | ENGINE | DOORS | ENTRANCES | {"suite"}

MAY_IMPORT: dict[str, frozenset[str]] = {
    "model": frozenset(),
    "processes": frozenset({"model"}),
    **dict.fromkeys(ROOMS, MACHINE),
    "scheduling": MACHINE,
    "workers": MACHINE | {"scheduling"},
    "suite": MACHINE | ROOMS | ENGINE,
    **dict.fromkeys(DOORS | ENTRANCES, EVERYTHING),
}
# A number and nothing else; whoever shows it may read it.
FREE = frozenset({"_version"})

PROCESS_MODULES = frozenset({"subprocess", "multiprocessing", "_posixsubprocess", "pty"})
PROCESS_CALLS = {
    "os": frozenset(
        {"fork", "forkpty", "kill", "killpg", "posix_spawn", "posix_spawnp", "popen", "system"}
        | {"wait", "wait3", "wait4", "waitid", "waitpid"}
        | {f"exec{how}" for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
        | {f"spawn{how}" for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    ),
    "signal": frozenset({"pidfd_send_signal"}),
    "asyncio": frozenset({"create_subprocess_exec", "create_subprocess_shell"}),
}
LONGEST = 600


class Use(NamedTuple):
    """A place in a module that needs another module, or a name in it."""

    line: int
    module: str
    name: str = ""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Give a tree with the real rooms and nothing in them."""
    root = tmp_path / "testloom"
    for room in MACHINE | ROOMS | ENGINE | {"suite", "cli"}:
        (root / room).mkdir(parents=True)
        (root / room / "__init__.py").touch()
    return root


def test_imports_point_down_only() -> None:
    assert upward_imports(SOURCE) == []


def test_only_processes_starts_signals_and_reaps_processes() -> None:
    assert process_uses(SOURCE) == []


def test_only_the_clock_imports_time() -> None:
    assert time_imports(SOURCE) == []


def test_each_module_says_what_it_is_for() -> None:
    silent = [_shown(SOURCE, path) for path in modules(SOURCE) if not _docstring(path)]

    assert silent == []


def test_no_module_is_longer_than_a_reader_bears() -> None:
    sizes = {_shown(SOURCE, path): len(path.read_bytes().splitlines()) for path in modules(SOURCE)}

    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


@pytest.mark.slow
def test_an_upward_import_planted_into_the_real_tree_is_seen(tmp_path: Path) -> None:
    copy = shutil.copytree(SOURCE, tmp_path / "testloom")
    planted = copy / "model" / "status.py"
    lines = len(planted.read_bytes().splitlines())
    with planted.open("a") as file:
        file.write("\nfrom testloom.cli import main\n")

    assert upward_imports(copy) == [
        f"testloom/model/status.py:{lines + 2}: 'model' imports 'cli', which is not below it",
    ]


@pytest.mark.parametrize(
    ("room", "statement", "other"),
    [
        ("model", "from testloom.processes import clock", "processes"),
        ("processes", "import testloom.journal.writer", "journal"),
        ("drivers", "from testloom import discovery", "discovery"),
        ("drivers", "from ..discovery import finders", "discovery"),
        ("reports", "from .. import journal", "journal"),
        ("scheduling", "from testloom.workers.warm import start", "workers"),
        ("workers", "import testloom.drivers as d", "drivers"),
        ("suite", "from testloom.cli.main import main", "cli"),
        ("console", "from testloom import Testsuite", "__init__"),
        ("journal", "import testloom", "__init__"),
        ("journal", "import importlib; importlib.import_module('testloom.suite')", "suite"),
    ],
)
def test_an_upward_import_is_named_with_its_place_and_both_rooms(
    house: Path,
    room: str,
    statement: str,
    other: str,
) -> None:
    planted = house / room / "planted.py"
    planted.write_text(f'"""Planted."""\n\n\ndef late():\n    {statement}\n')

    assert upward_imports(house) == [
        f"testloom/{room}/planted.py:5: {room!r} imports {other!r}, which is not below it",
    ]


def test_a_room_that_nobody_placed_is_noticed(house: Path) -> None:
    (house / "attic.py").write_text('"""Planted."""\n')

    assert upward_imports(house) == ["testloom/attic.py:1: no place is known for 'attic'"]


def test_downward_imports_and_those_of_others_are_fine(house: Path) -> None:
    planted = house / "workers" / "planted.py"
    planted.write_text(
        '"""Planted."""\nimport json\nfrom . import x\nfrom ..model.test import ParsedTest\n'
        "from testloom._version import __version__\nfrom testloom import scheduling\n",
    )

    assert upward_imports(house) == []


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("import subprocess", "subprocess"),
        ("from multiprocessing.connection import wait", "multiprocessing"),
        ("import os; os.fork()", "os.fork"),
        ("import os as system; system.killpg(1, 9)", "os.killpg"),
        ("from os import execv as go", "os.execv"),
        ("import signal; signal.pidfd_send_signal(3, 9)", "signal.pidfd_send_signal"),
    ],
)
def test_a_stray_use_of_processes_is_named_with_its_place(
    house: Path,
    statement: str,
    what: str,
) -> None:
    (house / "suite" / "planted.py").write_text(f'"""Planted."""\n\n{statement}\n')

    assert process_uses(house) == [
        f"testloom/suite/planted.py:3: {what} belongs to 'processes'",
    ]


@pytest.mark.parametrize("statement", ["import time", "from time import sleep"])
def test_a_stray_clock_is_named_with_its_place(house: Path, statement: str) -> None:
    (house / "processes" / "planted.py").write_text(f'"""Planted."""\n{statement}\n')

    assert time_imports(house) == [
        "testloom/processes/planted.py:2: time belongs to processes/clock.py",
    ]


def upward_imports(root: Path) -> list[str]:
    """Return a line for each import in *root* (a folder `testloom`) that does not point down."""
    found = []
    for path in modules(root):
        room = _room(path.relative_to(root).parts[0])
        if room in FREE:
            continue
        if room not in MAY_IMPORT:
            found.append(f"{_shown(root, path)}:1: no place is known for {room!r}")
            continue
        allowed = MAY_IMPORT[room] | FREE | {room}
        for use in uses(path, root):
            other = _room_of(use, root)
            if other is not None and other not in allowed:
                where = f"{_shown(root, path)}:{use.line}"
                found.append(f"{where}: {room!r} imports {other!r}, which is not below it")
    return found


def process_uses(root: Path) -> list[str]:
    """Return a line for each place outside `processes` that handles processes."""
    found = []
    for path in modules(root):
        if path.relative_to(root).parts[0] == "processes":
            continue
        for use in uses(path, root):
            top = use.module.partition(".")[0]
            if top in PROCESS_MODULES:
                what = top
            elif use.name in PROCESS_CALLS.get(use.module, ()):
                what = f"{use.module}.{use.name}"
            else:
                continue
            found.append(f"{_shown(root, path)}:{use.line}: {what} belongs to 'processes'")
    return found


def time_imports(root: Path) -> list[str]:
    """Return a line for each import of `time` elsewhere than in the clock."""
    clock = root / "processes" / "clock.py"
    return [
        f"{_shown(root, path)}:{use.line}: time belongs to processes/clock.py"
        for path in modules(root)
        if path != clock
        for use in imports(path, root)
        if use.module == "time"
    ]


def modules(root: Path) -> list[Path]:
    """Return the modules below *root* in a fixed order."""
    return sorted(root.rglob("*.py"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the nodes of a module's syntax tree that matter here, the module itself first."""
    kept = (ast.Module, ast.Import, ast.ImportFrom, ast.Call, ast.Attribute)
    tree = ast.parse(path.read_bytes(), filename=str(path))
    return tuple(node for node in ast.walk(tree) if isinstance(node, kept))


def uses(path: Path, root: Path) -> Iterator[Use]:
    """Yield the imports of a module and the attributes it takes from what it imported."""
    yield from imports(path, root)
    names: dict[str, str] = {}  # how a module is called here -> its real name
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id)
            # Our own are told by their import already.
            if module is not None and not module.startswith("testloom"):
                yield Use(node.lineno, module, node.attr)


def imports(path: Path, root: Path) -> Iterator[Use]:
    """Yield the imports of a module: absolute, relative, late, and by name at run time."""
    package = ["testloom", *path.relative_to(root).parent.parts]
    for node in nodes(path):
        match node:
            case ast.Import(names=names):
                yield from (Use(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package[: len(package) + 1 - level] if level else []
                full = ".".join([*above, *([module] if module else [])])
                yield from (Use(node.lineno, full, alias.name) for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield Use(node.lineno, module)


def _docstring(path: Path) -> str | None:
    module = nodes(path)[0]
    assert isinstance(module, ast.Module)
    return ast.get_docstring(module)


def _room_of(use: Use, root: Path) -> str | None:
    """Return the room that *use* reaches into; None when it is not ours."""
    parts = [*use.module.split("."), use.name]
    if parts[0] != "testloom":
        return None
    name = parts[1] or "__init__"
    if len(parts) == 2 and not ((root / name).is_dir() or (root / f"{name}.py").is_file()):
        return "__init__"  # a name, not a module
    return _room(name)


def _room(name: str) -> str:
    return name.removesuffix(".py")


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root.parent).as_posix()
