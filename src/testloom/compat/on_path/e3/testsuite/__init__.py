"""Stands for e3-testsuite in Python programs that a suite starts under testloom's door.

The directory two levels up is in their ``PYTHONPATH``.  Where testloom cannot be imported (another
interpreter), it steps aside for the e3-testsuite that is installed there, if one is.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _load() -> None:
    try:
        door = importlib.import_module("testloom.compat.e3")
    except ImportError:
        _step_aside()
    else:
        door.take_over()


def _step_aside() -> None:
    """Put the installed module of this name into our place."""
    others = [path for path in sys.modules["e3"].__path__ if os.path.abspath(path) != _OURS]
    spec = importlib.machinery.PathFinder.find_spec(__name__, others)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module
    spec.loader.exec_module(module)


_load()
