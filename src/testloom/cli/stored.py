"""What commands that look at earlier runs have in common: their options, and where runs are."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from typing import Any, NoReturn

import msgspec

from testloom.journal.rundir import LATEST
from testloom.model.errors import UsageError, nearest
from testloom.suite.config import HISTORY, Config, find_config, load_config
from testloom.suite.kept_history import place_of
from testloom.suite.options import build_parser, read_command_line
from testloom.suite.run_options import RunOptions

_PLACES = ("output_dir", "history", "config", "profile")


class CommandParser(argparse.ArgumentParser):
    """Parses the options of one command; a wrong command line is a `UsageError`."""

    def __init__(self, command: str, **how: Any) -> None:
        super().__init__(prog=f"testloom {command}", allow_abbrev=False, **how)
        self._command = command

    def error(self, message: str) -> NoReturn:
        text = message.removeprefix("argument ")
        raise UsageError(f"{self._command}: {text}; see 'testloom {self._command} -h'")

    def add_places(self, *, history: bool = False) -> None:
        """Add the options that say where the runs of a project are."""
        add = self.add_argument
        add("-o", "--output-dir", metavar="DIR", help="the output directory of the runs")
        if history:
            add("--history", metavar="PLACE", help="the file, or the URL of the database, to ask")
        add("-c", "--config", metavar="FILE", help="use this testloom.toml")
        add("-P", "--profile", metavar="NAME", help="use this profile's settings")

    def add_test(self, what: str) -> None:
        """Add what names one test of a run, and the options that say which run is meant, and where."""
        self.add_argument("test", metavar="TEST", help=what)
        self.add_run()
        self.add_places()

    def add_run(self) -> None:
        """Add the option that says which run is meant."""
        self.add_argument(
            "--run", metavar="RUN", default=LATEST, help="which run (default: latest)"
        )


def options_of(asked: argparse.Namespace) -> tuple[RunOptions, Config | None]:
    """Return the options that a run would have where *asked* is asked, and its configuration."""
    same = [
        f"--{name.replace('_', '-')}={value}"
        for name in _PLACES
        if (value := getattr(asked, name, None)) is not None
    ]
    config = load_config(asked.config) if asked.config else find_config(".")
    line = read_command_line(build_parser("testloom"), same, config=config)
    options = line.options
    if not options.history and os.path.isfile(HISTORY):
        place = place_of(options)
        if place and not os.path.exists(place):  # only pytest has run here
            options = msgspec.structs.replace(options, history=HISTORY)
    return options, line.config


def named(word: str, names: Iterable[str], where: str) -> set[str]:
    """Return those of *names* that *word* names: exactly, or as the end of a path.

    Raises:
        UsageError: there are none *where* one looked.
    """
    known = set(names)
    clean = word.removesuffix("/test.yaml").strip("/")
    found = known & {word, clean} or {name for name in known if name.endswith(f"/{clean}")}
    if not found:
        raise UsageError(f"{where} {word!r}{nearest(word, sorted(known))}")
    return found


def root_of(config: Config | None) -> str:
    """Return the directory that paths in what a run has kept are relative to."""
    return config.root if config else os.getcwd()


def output_dir_of(asked: argparse.Namespace) -> str:
    """Return where a run with the same options would have left its results."""
    return os.path.abspath(options_of(asked)[0].output_dir)
