"""Writes the parts of the reference that follow from the code: ``python docs/generate.py``.

A page has ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between them is replaced
by what the function of that name in `PARTS` returns.  ``--check`` changes nothing, names the pages
that are out of date and fails if there are any.
"""

# ruff: noqa: INP001 - a script, not a part of a package

from __future__ import annotations

import argparse
import ast
import enum
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import testloom
import testloom.cluster
import testloom.discovery
import testloom.drivers
import testloom.graph
import testloom.reports
import testloom.scheduling
import testloom.tasks
from testloom import pytest_plugin
from testloom.cli import topics
from testloom.model import outcome, summary
from testloom.model.errors import FragmentLost
from testloom.model.fragment import FragmentData
from testloom.model.status import TestStatus
from testloom.suite.hookspecs import Hooks
from testloom.suite.options import build_parser

DOCS = Path(__file__).parent
sys.path.append(str(DOCS.parent))

from tests.faults.scenario import scenarios  # noqa: E402 - not to be found before

PART = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


def main() -> int:
    """Bring all pages up to date, or see whether they are."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = PART.sub(_filled, before)
        if before != after:
            stale.append(str(page.relative_to(DOCS.parent)))
            if not check:
                page.write_text(after, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{name}: {'out of date' if check else 'written'}\n")
    return 1 if check and stale else 0


def _filled(found: re.Match[str]) -> str:
    return f"{found['begin']}\n{PARTS[found['name']]().strip()}\n\n{found['end']}"


# The command line


def options() -> str:
    """Return a table of options for each group of the help."""
    parser = build_parser("testloom")
    parts = []
    for group in parser._action_groups:  # noqa: SLF001 - argparse has no other way to ask
        actions = group._group_actions  # noqa: SLF001 - as above
        if actions:
            rows = "\n".join(map(_option_row, actions))
            parts.append(f"### {group.title}\n\n| Option | What it does |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _option_row(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar}"
    if action.nargs == "?":
        value = f" [{action.metavar}]"
    names = [f"`{name}{value}`" for name in action.option_strings] or [f"`{action.metavar}...`"]
    return f"| {_cell(', '.join(names))} | {_cell(action.help or '')} |"


def environment() -> str:
    """Return a table of the variables that stand for options."""
    variables = build_parser("testloom").variables
    rows = (f"| `{name}` | `{option}` |" for name, option in sorted(variables.items()))
    return "| Variable | Stands for |\n|---|---|\n" + "\n".join(rows)


def pytest_options() -> str:
    """Return a table of the options of the pytest plugin."""
    rows: list[str] = []

    class Recorder:
        """Takes options as pytest's parser does."""

        def getgroup(self, *_: str) -> Recorder:
            return self

        def addoption(self, name: str, *, help: str, metavar: str = "", **_: object) -> None:  # noqa: A002 - pytest's name
            rows.append(f"| `{f'{name} {metavar}'.strip()}` | {_cell(help)} |")

        def addini(self, *_: object, **__: object) -> None:
            """The page explains it."""

    parser: Any = Recorder()
    pytest_plugin.pytest_addoption(parser)
    return "| Option | What it does |\n|---|---|\n" + "\n".join(rows)


def pytest_markers() -> str:
    """Return a table of the markers of the pytest plugin."""
    parts = (line.split(": testloom: ") for line in pytest_plugin.MARKERS)
    rows = (f"| `{marker}` | {_cell(what)} |" for marker, what in parts)
    return "| Marker | Meaning |\n|---|---|\n" + "\n".join(rows)


def _topic(text: str) -> Callable[[], str]:
    return lambda: f"```text\n{text.strip()}\n```"


# Names


def statuses() -> str:
    """Return the statuses, in the order of their numbers."""
    rows = (f"| `{name}` | {_cell(what)} |" for name, what in _members(TestStatus))
    return "| Status | What it says |\n|---|---|\n" + "\n".join(rows)


def _members(kind: type[enum.Enum]) -> Iterator[tuple[str, str]]:
    """Yield each member of *kind* and the text below it."""
    source = inspect.getsource(kind)
    for name in kind.__members__:
        pattern = rf'^    {name} = [^\n]*\n    """(.*?)"""'
        found = re.search(pattern, source, re.MULTILINE | re.DOTALL)
        yield name, found[1] if found else ""


# Promises


def faults() -> str:
    """Return a table of the faults that tests provoke, and what happens then."""
    rows = []
    for scenario in scenarios():
        unmet = f" **Not yet:** {scenario.unmet}" if scenario.unmet else ""
        cells = (scenario.row, scenario.provoke, scenario.expect + unmet, f"{scenario.bound_s:g} s")
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "| | What goes wrong | What happens | Within |\n|---|---|---|---|\n" + "\n".join(rows)


# Classes and functions


def hooks() -> str:
    """Return each hook with its arguments and what it is for."""
    parts = []
    for name, function in vars(Hooks).items():
        if name.startswith("testloom_"):
            signature = _signature(function, drop_self=True)
            parts.append(f"### {name}\n\n```py\n{name}{signature}\n```\n\n{_doc(function)}\n")
    return "\n".join(parts)


def _api(names: Mapping[str, Any]) -> Callable[[], str]:
    return lambda: "\n".join(_described(name, thing) for name, thing in names.items())


def _described(name: str, thing: Any) -> str:
    """Return the section of a class or a function."""
    head = f"### {name}\n\n"
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        members = ", ".join(f"`{member}`" for member in thing.__members__)
        return f"{head}{_doc(thing)}\n\nMembers: {members}.\n"
    if isinstance(thing, type) and issubclass(thing, Exception):
        return f"{head}{_doc(thing)}\n"
    if not getattr(thing, "_is_protocol", False):
        head += f"```py\n{name}{_signature(thing)}\n```\n\n"
    rows = [*_attributes(thing), *_methods(thing)] if isinstance(thing, type) else []
    table = "\n| Member | |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"{head}{_doc(thing)}\n{table}"


def _attributes(cls: type[Any]) -> Iterator[str]:
    """Yield a row for each attribute of *cls* that has a text below it."""
    body = _class_body(cls)
    made = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    for statements in (body, *(node.body for node in made)):
        for one, below in itertools.pairwise(statements):
            targets = getattr(one, "targets", None) or [getattr(one, "target", None)]
            name = str(getattr(targets[0], "attr", None) or getattr(targets[0], "id", "_"))
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))) if not name.startswith("_"):
                    yield f"| `{name}` | {_cell(_first(text))} |"


def _class_body(cls: type[Any]) -> list[ast.stmt]:
    node = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(node, ast.ClassDef)
    return node.body


def _methods(cls: type[Any]) -> Iterator[str]:
    """Yield a row for each property and method that *cls* itself defines."""
    for name, member in vars(cls).items():
        getter = member.fget if isinstance(member, property) else member
        function = getattr(getter, "__func__", getter)
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        shown = name
        if not isinstance(member, property):
            shown += _signature(function, drop_self=True, types=False)
        yield f"| `{_cell(shown)}` | {_cell(_first(inspect.getdoc(function) or ''))} |"


class _Raw:
    """Shows an annotation as it was written."""

    def __init__(self, text: object) -> None:
        shown = text if isinstance(text, str) else inspect.formatannotation(text)
        self._text = re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", shown)

    def __repr__(self) -> str:
        return self._text


def _signature(thing: Any, *, drop_self: bool = False, types: bool = True) -> str:
    signature = inspect.signature(thing)
    parameters = list(signature.parameters.values())
    if drop_self and parameters and parameters[0].name in {"self", "cls"}:
        parameters = parameters[1:]
    empty = inspect.Parameter.empty
    parameters = [
        p.replace(annotation=_Raw(p.annotation) if types and p.annotation is not empty else empty)
        for p in parameters
    ]
    returned = signature.return_annotation
    returned = _Raw(returned) if types and returned not in {empty, None, "None"} else empty
    return str(signature.replace(parameters=parameters, return_annotation=returned))


def _doc(thing: Any) -> str:
    """Return the docstring up to its sections, as Markdown."""
    text = re.split(r"\n\n(?:Args|Raises|Returns):\n|\n\n>>>", inspect.getdoc(thing) or "")[0]
    text = re.sub(r"::\n\n((?: {4}.*\n?|\n)+)", _as_block, text)
    return text.replace("``", "`")


def _as_block(found: re.Match[str]) -> str:
    code = inspect.cleandoc("\n" + found[1])
    return f":\n\n```text\n{code}\n```\n"


def _first(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


def _named(module: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(module, name) for name in names}


PARTS: Mapping[str, Callable[[], str]] = {
    "options": options,
    "environment": environment,
    "pytest-options": pytest_options,
    "pytest-markers": pytest_markers,
    "config": _topic(topics.CONFIG),
    "exit-codes": _topic(topics.EXIT_CODES),
    "selection": _topic(topics.SELECTION),
    "statuses": statuses,
    "hooks": hooks,
    "faults": faults,
    "api-suite": _api(_named(testloom, ["Testsuite"])),
    "api-drivers": _api(_named(testloom.drivers, testloom.drivers.__all__)),
    "api-discovery": _api(
        _named(
            testloom.discovery,
            [
                *("TestFinder", "YAMLTestFinder", "AdaCoreLegacyTestFinder", "FileFinder"),
                *("ParsedTest", "BrokenTest", "ProbingError", "path_name", "e3_name"),
            ],
        )
    ),
    "api-cluster-protocol": _api(
        _named(
            testloom.cluster,
            ["ClusterDistributor", "ClusterQueue", "ClusterWorkerNode", "RemoteExitInfo"],
        )
    ),
    "api-cluster-local": _api(
        _named(
            testloom.cluster,
            [
                "MultiprocessDistributor",
                "MultiprocessQueue",
                "MultiprocessWorkerNode",
                "LimitedSizeDict",
            ],
        )
    ),
    "api-scheduling": _api(_named(testloom.scheduling, testloom.scheduling.__all__)),
    "api-graph": _api(
        _named(testloom.graph, [name for name in testloom.graph.__all__ if name != "SCHEDULERS"])
    ),
    "api-tasks": _api(_named(testloom.tasks, testloom.tasks.__all__)),
    "api-fragments": _api({"FragmentData": FragmentData, "FragmentLost": FragmentLost}),
    "api-outcomes": _api(
        _named(outcome, ["Exited", "Killed", "TimedOut", "OutputLimit", "NotStarted"])
    ),
    "api-reports": _api(
        {
            "Report": testloom.reports.Report,
            **_named(summary, ["Summary", "RunInfo", "ResultEntry"]),
        }
    ),
}


if __name__ == "__main__":
    sys.exit(main())
