"""The command line of a suite of e3-testsuite."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import e3.log

from testloom.compat.e3_modules.xunit_attachments import AttachmentsSettings, attachments_of
from testloom.model.errors import UsageError
from testloom.suite import values
from testloom.suite.options import CommandLine, Parser, build_parser, read_command_line

logger = logging.getLogger("testsuite")


def parser_of(defaults: Mapping[str, Any]) -> Parser:
    """Return a parser that has e3-testsuite's options, and testloom's where they do not clash."""
    program = os.path.basename(sys.argv[0]).removesuffix(".py") if sys.argv else "testsuite"
    own = {**defaults, "output_dir": os.path.join(".", "out")}
    parser = build_parser(program, defaults=own, e3=True, error_exit_code=2)
    for action in parser.own:
        if action.dest == "jobs":
            action.type = _jobs_count
    return parser


def parsed(parser: Parser, args: list[str] | None, *, temp_dir: str) -> CommandLine:
    """Parse *args* (``sys.argv[1:]`` if None) and begin to log as they say.

    *temp_dir* is where to work if they do not name a directory.
    """
    line = read_command_line(parser, args)
    namespace = line.namespace
    if namespace.temp_dir is None:
        namespace.temp_dir = temp_dir
    namespace.random_temp_subdir = line.options.random_temp_subdir
    e3.log.activate_with_args(namespace, logging.INFO)
    if namespace.disable_cleanup:
        logger.warning("--disable-cleanup is deprecated: use --cleanup-mode=none instead")
    return line


def attachments(args: Any) -> AttachmentsSettings | None:
    """Return what the XUnit report puts into files of their own.

    Raises:
        UsageError: only a part of it was said.
    """
    try:
        return attachments_of(args)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _jobs_count(text: str) -> int:
    """Return a number of slots; less than one stands for one per core, as it did for threads."""
    try:
        number = int(text)
    except ValueError:
        return values.jobs_count(text)
    return values.cores() if number <= 0 else values.jobs_count(text)
