"""Picks the console for a run: by what was asked for, and by who is going to read."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

import msgspec

from testloom.console.base import Annotations, Console, Place, no_annotations
from testloom.console.color import wants_color
from testloom.console.folding import GitHubConsole, GitLabConsole
from testloom.console.lines import DotsConsole, LinesConsole, MinimalConsole
from testloom.console.look import Look, glyphs_for
from testloom.console.slow import SLOW_S
from testloom.console.summary import SLOWEST
from testloom.console.writer import Writer
from testloom.model.errors import UsageError, nearest
from testloom.model.events import Silent
from testloom.model.expectation import Expectation
from testloom.model.history import PastResult
from testloom.model.rerun import Commands
from testloom.model.summary import Summary

REPORTERS: Final = ("auto", "live", "lines", "dots", "minimal", "github", "gitlab", "none")


_KINDS: Final[Mapping[str, type[Console]]] = {
    "dots": DotsConsole,
    "minimal": MinimalConsole,
    "gitlab": GitLabConsole,
}
_SERVERS: Final = {"GITHUB_ACTIONS": "github", "GITLAB_CI": "gitlab"}


class NoConsole(Silent):
    """Shows nothing."""

    broken = reader_has_left = takes_keys = False

    def expect(self, expected: Expectation, latest: Mapping[str, PastResult]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Nothing is open."""

    def state(self, lines: Sequence[str]) -> None:
        """Tell it all the same: somebody has asked."""
        Writer(sys.stderr).write("".join(f"{line}\n" for line in lines))

    def run_ended(self, summary: Summary) -> None:
        """Do nothing."""


def choose(
    options: Any,
    stream: TextIO | None,
    err_stream: TextIO | None,
    environ: Mapping[str, str],
    commands: Commands,
    annotations: Annotations = no_annotations,
) -> Console | NoConsole:
    """Return the listener that tells people about a run.

    Args:
        options: ``reporter``, ``color``, ``nocolor`` and ``durations`` are looked at; they may be
            missing.
        stream: where to write; None if the program was started without a standard output.
        err_stream: where to say that writing failed.
        environ: the environment of the program.
        commands: how the commands are spelled that people are shown.
        annotations: what GitHub is to be told at the end.

    Raises:
        UsageError: no reporter has the name that was asked for.
    """
    reporter = reporter_for(getattr(options, "reporter", None) or "auto", environ)
    if reporter not in REPORTERS:
        hint = nearest(reporter, REPORTERS) or f"; known: {', '.join(REPORTERS)}"
        raise UsageError(f"--reporter: no reporter is called {reporter!r}{hint}")
    if reporter == "none":
        return NoConsole()
    place = place_for(options, stream, err_stream, environ, commands)
    if reporter == "github":
        return GitHubConsole(
            msgspec.structs.replace(place, workflow_commands=True, annotations=annotations)
        )
    terminal = place.out.isatty() and environ.get("TERM", "dumb") != "dumb"
    if reporter == "auto":
        reporter = "live" if terminal and not on_build_server(environ) else "lines"
    if reporter == "live" and terminal:
        return _live(place)
    return _KINDS.get(reporter, LinesConsole)(place)


def reporter_for(reporter: str, environ: Mapping[str, str]) -> str:
    """Return the reporter that ``auto`` stands for on the build servers that we know.

    Any other name, and ``auto`` anywhere else, is returned as it is.
    """
    if reporter == "auto":
        for variable, name in _SERVERS.items():
            if environ.get(variable) == "true":
                return name
    return reporter


def place_for(
    options: Any,
    stream: TextIO | None,
    err_stream: TextIO | None,
    environ: Mapping[str, str],
    commands: Commands,
) -> Place:
    """Return where things are shown; the arguments are those of `choose`."""
    out = Writer(stream)
    choice = "never" if getattr(options, "nocolor", False) else getattr(options, "color", None)
    return Place(
        out=out,
        err=err_stream,
        color=wants_color(choice or "auto", environ, terminal=out.isatty()),
        look=Look(glyphs=glyphs_for(out.encoding), commands=commands),
        durations=getattr(options, "durations", None) or SLOWEST,
        slow_s=getattr(options, "testloom_slow", None) or SLOW_S,
        workflow_commands=environ.get("GITHUB_ACTIONS") == "true",
    )


def _live(place: Place) -> Console:
    # Only terminals need it, and it takes as long to import as all the rest.
    from testloom.console.live import LiveConsole  # noqa: PLC0415

    return LiveConsole(place)


def on_build_server(environ: Mapping[str, str]) -> bool:
    """Tell whether *environ* is that of a build server, where nobody looks on."""
    return environ.get("CI", "").lower() not in {"", "0", "false"}
