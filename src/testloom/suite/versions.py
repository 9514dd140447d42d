"""What besides the tests may decide how they end: versions and the machine, for reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from testloom._version import __version__


def versions() -> dict[str, str]:
    """Return names and versions, for people."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "testloom": __version__,
        "e3-core": _version("e3-core"),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": str(cores),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
