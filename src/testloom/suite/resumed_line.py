"""The options about going on with a run that was cut off, and what follows from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from testloom.suite.carrying import Resumed
from testloom.suite.config import Config
from testloom.suite.options import CommandLine, Parser, read_command_line


def resuming_command_line(
    parser: Parser, args: Sequence[str] | None, *, config: Config | None
) -> tuple[CommandLine, Resumed | None]:
    """Parse *args* (``sys.argv[1:]`` if None); return also the run to go on with, if there is one.

    If *args* select no tests, those that were selected in that run are.

    Raises:
        UsageError: something makes no sense, or there is no such run.
    """
    args = sys.argv[1:] if args is None else args
    line = read_command_line(parser, args, config=config)
    if line.options.resume is None:
        return line, None
    resumed = Resumed(line.options.output_dir, line.options.resume)
    if words := resumed.selection(line.options):
        line = read_command_line(parser, [*args, *words], config=config)
    return line, resumed
