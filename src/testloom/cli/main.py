"""The command ``testloom``: chooses a sub-command, and says what went wrong in one line.

Only what the chosen sub-command needs is imported: asking for the version or for help takes no
longer than Python itself.

What the process exits with is explained by ``testloom help exit-codes``.  Sub-commands return
it; nothing below this module exits.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from testloom._version import __version__
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.processes import streams
from testloom.processes.importing import importing

INTERNAL_ERROR: Final = 3
USAGE_ERROR: Final = 4

_COMMANDS: Final = {
    "run": "testloom.cli.run:run",
    "list": "testloom.cli.run:list_tests",
    "report": "testloom.cli.report:report",
    "history": "testloom.cli.history:run",
    "compare": "testloom.cli.compare:run",
    "archive": "testloom.cli.archive:archive",
    "merge": "testloom.cli.archive:merge_archives",
    "show": "testloom.cli.show:show",
    "replay": "testloom.cli.show:replay",
    "shell": "testloom.cli.shell:shell",
    "baseline": "testloom.cli.baseline:run",
    "help": "testloom.cli.topics:show_topic",
    "e3": "testloom.cli.e3:run",
    "worker-node": "testloom.cli.worker_node:worker_node",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* (``sys.argv[1:]`` if None); return the exit status."""
    streams.ensure()
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        return _flushed(args)
    except UsageError as error:
        _say(f"testloom: {shown_line(str(error))}")
        if error.__cause__ is not None and _wants_details(args):
            traceback.print_exception(error.__cause__)
        return USAGE_ERROR
    except BrokenPipeError:
        # Who reads our output has gone. Nothing can be said there, not even on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _die_by(signal.SIGPIPE)
    except KeyboardInterrupt:
        _die_by(signal.SIGINT)
    except Exception:  # noqa: BLE001 - whatever it is, people must learn that it is our mistake
        with contextlib.suppress(OSError):  # there may be nowhere to say it
            traceback.print_exc()
            _say(
                f"testloom: this is a defect in testloom {__version__} (or in a plugin): "
                "please report it with the lines above"
            )
        return INTERNAL_ERROR
    raise AssertionError  # a signal has ended this process


def _flushed(args: Sequence[str]) -> int:
    try:
        code = _run(args)
    except SystemExit as end:  # from help, and from suites that think they are alone
        if end.code is not None and not isinstance(end.code, int):
            raise
        code = end.code or 0
    sys.stdout.flush()  # here, where a reader that has gone can still be dealt with
    return code


def _run(args: Sequence[str]) -> int:
    if args and args[0] in _COMMANDS:
        return _command(args[0])(args[1:])
    if args and args[0].startswith("e3-"):
        return _command("e3")([args[0].removeprefix("e3-"), *args[1:]])
    if args[:1] == ["--version"]:
        sys.stdout.write(f"testloom {__version__}\n")
        return 0
    return _command("run")(args)


def _command(name: str) -> Callable[[Sequence[str]], int]:
    module, _, function = _COMMANDS[name].partition(":")
    with importing():
        command: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), function)
    return command


def _wants_details(args: Sequence[str]) -> bool:
    return not {"-v", "-vv", "--verbose"}.isdisjoint(args) or "TESTLOOM_VERBOSE" in os.environ


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _die_by(signum: int) -> None:
    # Imported only now: hardly any command ends like this.
    importlib.import_module("testloom.processes.signals").die_by(signum)
