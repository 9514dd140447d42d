"""``testloom worker-node``: what a batch system runs on a node.

With a command made by `ClusterDistributor.build_worker_node_command` it runs one fragment of a
suite; any other command it becomes.  What it exits with is for the batch system alone: whoever
submitted the job reads the files of the run.

Each fragment of a suite that runs on a cluster pays for what is imported here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from testloom._version import __version__
from testloom.model.cluster import WORKER_NODE_JOB, ReturnCodes

USAGE = """\
usage: testloom worker-node worker_node_job --task_instance_id N --exchange DIR
       testloom worker-node COMMAND [ARG...]

Runs on a node of a cluster: one fragment of a suite, as `testloom run --distributor` has written it
down in DIR, or any command.
"""


def worker_node(args: Sequence[str]) -> int:
    """Run what *args* say; return a `ReturnCodes`, or become the command."""
    if not args or args[0] in {"-h", "--help"}:
        sys.stdout.write(USAGE)
        return ReturnCodes.OK if args else ReturnCodes.WORKER_NODE_CLI_FAILURE
    if args[0] == WORKER_NODE_JOB:
        return _run_fragment(args[1:])
    return _become(args[1:] if args[0] == "--" else args)


def _run_fragment(args: Sequence[str]) -> int:
    parser = _Parser(prog="testloom worker-node", allow_abbrev=False, add_help=False)
    parser.add_argument("--task_instance_id", type=int, required=True)
    parser.add_argument("--expected_jobmon_version", default=__version__)
    parser.add_argument("--cluster_name", default="")
    parser.add_argument("--exchange", required=True)
    named = parser.parse_args(args)
    if named.expected_jobmon_version != __version__:
        expected = named.expected_jobmon_version
        _say(f"this node has testloom {__version__}, the run {expected}; install the same on both")
        return ReturnCodes.WORKER_NODE_ENV_FAILURE
    # Only now: it is most of what this command costs.
    from testloom.workers.exchange import Exchange, ExchangeError  # noqa: PLC0415 - see above
    from testloom.workers.node import run_order  # noqa: PLC0415 - see above

    try:
        run_order(Exchange(named.exchange), named.task_instance_id)
    except (ExchangeError, OSError) as error:
        _say(f"{error}; the run directory has to be on a file system that all nodes share")
        return ReturnCodes.WORKER_NODE_ENV_FAILURE
    return ReturnCodes.OK


class _Parser(argparse.ArgumentParser):
    """One that exits with what batch systems are told to look for."""

    def error(self, message: str) -> NoReturn:
        _say(message)
        sys.exit(ReturnCodes.WORKER_NODE_CLI_FAILURE)


def _become(argv: Sequence[str]) -> int:
    if not argv:
        _say("no command is named")
        return ReturnCodes.WORKER_NODE_CLI_FAILURE
    from testloom.processes.exec_self import replace_by_program  # noqa: PLC0415 - as above

    try:
        replace_by_program(argv)
    except OSError as error:
        _say(f"{argv[0]}: {error.strerror}")
        return ReturnCodes.WORKER_NODE_ENV_FAILURE


def _say(line: str) -> None:
    print(f"testloom worker-node: {line}", file=sys.stderr, flush=True)
