"""``testloom run`` and ``testloom list``: find the suite that is meant, and let it run.

The suite is the class that the project's configuration names, or the built-in one.  Which
configuration, and with the built-in suite which directory, `place` decides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from testloom.cli.suites import project_suite
from testloom.cli.topics import COMMANDS
from testloom.model.errors import UsageError
from testloom.processes.importing import importing
from testloom.suite.config import Config, find_config, load_config
from testloom.suite.options import build_parser


def run(args: Sequence[str]) -> int:
    """Run tests; return the exit status."""
    asked = args[: args.index("--")] if "--" in args else args
    if "-h" in asked:
        sys.stdout.write(build_parser("testloom").short_help() + COMMANDS)
        return 0
    root, config = place(args)
    if "--help" in asked and (config is None or config.suite is None):
        sys.stdout.write(build_parser("testloom").format_help() + COMMANDS)
        return 0
    return int(_suite(root, config).testsuite_main(list(args)) or 0)


def list_tests(args: Sequence[str]) -> int:
    """Show what `run` would run, as text or (``--json``) as JSON."""
    if "--json" in args:
        return run(["--list-format=json", *(arg for arg in args if arg != "--json")])
    return run(["--list", *args])


def place(
    args: Sequence[str], environ: Mapping[str, str] = os.environ
) -> tuple[str, Config | None]:
    """Return the root directory of the suite that *args* mean, and its configuration.

    The first of these that there is:

    1. the configuration named with ``-c``;
    2. that of the current directory, or of the nearest above, if the paths given are in it;
    3. that of the paths given;
    4. that of the current directory all the same;
    5. the directory named by ``TESTLOOM_ROOT``;
    6. the directory given;
    7. the current directory.
    """
    try:
        os.getcwd()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"the current directory: {why}; change to one that is there") from error
    file, paths = _named(args, environ)
    if file is not None:
        named = load_config(file)
        return named.root, named
    here = find_config(".")
    given = _directory_of(paths)
    if given is not None and (here is None or not _is_within(given, here.root)):
        here = find_config(given) or here
    if here is not None:
        return here.root, here
    if root := environ.get("TESTLOOM_ROOT"):
        if not os.path.isdir(root):
            raise UsageError(f"TESTLOOM_ROOT: there is no directory {root!r}; name one or unset it")
        config = find_config(root)
        return (os.path.abspath(root) if config is None else config.root), config
    return given or os.getcwd(), None


def _named(args: Sequence[str], environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the configuration and the paths that stand in *args*, without acting on them."""
    plain = [arg for arg in args if arg not in {"--help", "--version"}]
    try:
        namespace, _ = build_parser("testloom").parse_known_args(plain)
    except UsageError:
        # It may be right for the suite, whose options are not known yet; if not, it will say so.
        return environ.get("TESTLOOM_CONFIG"), []
    return namespace.config or environ.get("TESTLOOM_CONFIG"), namespace.sublist


def _directory_of(paths: Sequence[str]) -> str | None:
    """Return the directory that holds all *paths* that exist; None if none does."""
    existing = [os.path.abspath(path) for path in paths if os.path.exists(path)]
    if not existing:
        return None
    common = os.path.commonpath(existing)
    if not os.path.isdir(common):
        common = os.path.dirname(common)
    # A test alone needs a root around it, or it would have no name.
    is_test = os.path.isfile(os.path.join(common, "test.yaml"))
    return os.path.dirname(common) if is_test else common


def _is_within(path: str, directory: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), os.path.realpath(directory)]) == (
        os.path.realpath(directory)
    )


def _suite(root: str, config: Config | None) -> Any:
    if config is not None and config.suite is not None:
        return project_suite(config)
    # Only now: it imports everything that a run needs, and help does not.
    with importing():
        from testloom.suite.suite import Testsuite  # noqa: PLC0415 - see above

    name = os.path.basename(root) or "testsuite"
    return Testsuite(root_dir=root, testsuite_name=name, config=config)
