"""``e3-test``: run the suite of the tests in the current directory, on them."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Any

import yaml

from testloom.compat.e3 import install
from testloom.compat.scripts import run_script

CONFIG = "e3-test.yaml"


def main() -> int:
    """Run the suite that the nearest ``e3-test.yaml`` names; return the exit status, unless it exits."""
    cwd = os.getcwd()
    root = _root(cwd)
    if root is None:
        return _refuse(f"cannot find {CONFIG}")
    try:
        with open(os.path.join(root, CONFIG), encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        return _refuse(f"{os.path.join(root, CONFIG)}: {error}")
    script = config.get("main") if isinstance(config, dict) else None
    if not isinstance(script, str) or not os.path.isfile(os.path.join(root, script)):
        return _refuse("cannot find testsuite main")
    arguments = [os.path.relpath(cwd, root) + os.sep, *_texts(config.get("default_args"))]
    os.chdir(root)
    install()
    run_script(script, arguments)
    return 0


def _root(directory: str) -> str | None:
    while not os.path.isfile(os.path.join(directory, CONFIG)):
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent
    return directory


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return shlex.split(value)
    return [str(item) for item in value] if isinstance(value, list) else []


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - a command
    return 1
