"""How commands are spelled where this program runs, so that what is proposed can be typed as it is."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from typing import Final

from testloom.console.choose import on_build_server
from testloom.model.rerun import Commands, quoted
from testloom.suite.carrying import selecting_words
from testloom.suite.options import CommandLine
from testloom.suite.run_options import RunOptions

_PLACES: Final[Mapping[str, str]] = {
    "testloom_config": "-c",
    "testloom_profile": "-P",
    "output_dir": "-o",
}
"""The options that say where a project and its runs are, by the names of their values."""
_OURS: Final = frozenset({"", "-c", "__main__.py", "testloom", "run-tests"})
"""What the program that has all commands may be called."""


def commands_of(line: CommandLine, options: RunOptions) -> Commands:
    """Return how commands are spelled after *line*, the command line of a run.

    *options* are those of the run; they select the same tests when other runs have come since.
    """
    paths = [quoted(path) for path in options.paths]
    values = vars(line.namespace)
    places = [
        f"{option} {quoted(str(values[name]))}"
        for name, option in _PLACES.items()
        if name in line.given
    ]
    return Commands(
        program=program_name(),
        tool=tool_name(),
        places=places,
        paths=["--", *paths] if any(path.startswith("-") for path in paths) else paths,
        selecting=[quoted(word) for word in selecting_words(options, paths=False)],
        are_at_hand=not on_build_server(os.environ),
    )


def tool_commands() -> Commands:
    """Return how commands are spelled for those who look at runs."""
    return Commands(program=tool_name(), tool=tool_name())


def tool_name() -> str:
    """Return how the program that has all commands is started, as one would type it."""
    return program_name() if os.path.basename(_started_as()) in _OURS else "testloom"


def program_name() -> str:
    """Return how this program is started, as one would type it."""
    named = os.environ.get("TESTLOOM_PROGRAM")
    if named:
        return named
    name = _started_as()
    if os.path.basename(name) in ("", "-c", "__main__.py"):
        return "testloom"
    if "/bin/" in name:
        return os.path.basename(name)
    if os.sep in name and os.access(name, os.X_OK):
        return name
    return f"{os.path.basename(sys.executable) or 'python3'} {shlex.quote(name)}"


def _started_as() -> str:
    return sys.argv[0] if sys.argv else ""
