"""``testloom shell``: a shell where a test failed, with the environment that its program had."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from testloom.cli.stored import CommandParser, named, options_of
from testloom.journal.rundir import find_run
from testloom.model.errors import UsageError
from testloom.model.kept import SCRIPT, KeptFailure
from testloom.processes.exec_self import replace_by_program
from testloom.suite.baselines import failures_in


def shell(args: Sequence[str]) -> int:
    """Become a shell in the working directory of a test."""
    parser = CommandParser(
        "shell",
        usage="testloom shell TEST [--run RUN] [-o DIR]",
        description="Start a shell in the directory that a failed test worked in.",
    )
    parser.add_test("the name of a test that failed")
    asked = parser.parse_args(list(args))
    options, config = options_of(asked)
    run_dir = find_run(os.path.abspath(options.output_dir), asked.run)
    folder, failure = _failure(run_dir, asked.test)
    if not os.path.isdir(failure.working_dir):
        raise UsageError(
            f"shell: the working directory of {asked.test!r} was not kept;"
            " run the test again with --keep-work=failing"
        )
    if config is not None:
        os.environ.update(config.environment(asked.profile))
    where = _enter(failure)
    os.environ["TESTLOOM_TEST"] = failure.test
    program = os.environ.get("SHELL") or "/bin/sh"
    print(f"in {where}; to run again what the test ran: sh {os.path.join(folder, SCRIPT)}")
    sys.stdout.flush()
    try:
        replace_by_program([program])
    except OSError as error:
        raise UsageError(f"shell: {program}: {error.strerror}; set SHELL") from error


def _failure(run_dir: str, test: str) -> tuple[str, KeptFailure]:
    known = {failure.test: (folder, failure) for folder, failure in failures_in(run_dir)}
    where = f"shell: in run {os.path.basename(run_dir)}, there is no failure of"
    wanted = sorted(named(test, known, where))
    if len(wanted) > 1:
        raise UsageError(f"shell: {test!r} names several tests: {', '.join(wanted[:5])}")
    return known[wanted[0]]


def _enter(failure: KeptFailure) -> str:
    """Go where the last program of the test ran, with its environment; return that place."""
    where = failure.working_dir
    if failure.programs:
        last = failure.programs[-1]
        for name, value in last.env.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if os.path.isdir(last.cwd):
            where = last.cwd
    os.chdir(where)
    return where
