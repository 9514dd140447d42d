"""Runs a Python script as the main program of this process, as ``python SCRIPT`` would."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader


def run_script(path: str, arguments: Sequence[str]) -> None:
    """Run the script at *path*.

    It sees itself as ``__main__``, with *path* as it was given in ``sys.argv`` and its directory
    in front of ``sys.path``; all of this stays afterwards.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: it is no Python.
        BaseException: what the script raises, often `SystemExit`.
    """
    absolute = os.path.abspath(path)
    loader = SourceFileLoader("__main__", absolute)
    code = compile(loader.get_data(absolute), absolute, "exec", dont_inherit=True)
    main = types.ModuleType("__main__")
    main.__file__ = absolute
    main.__loader__ = loader
    sys.argv[:] = [path, *arguments]
    sys.path[0] = os.path.dirname(absolute)
    sys.modules["__main__"] = main
    exec(code, vars(main))  # noqa: S102 - what we are asked for
