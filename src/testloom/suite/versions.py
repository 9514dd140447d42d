"""What besides the tests may decide how they end: versions and the machine, for reports."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from typing import Final

import e3.error

from testloom._version import __version__

_INSTALLED: Final = re.compile(r"e3_core-(?P<version>[^-]+)\.dist-info", re.IGNORECASE)
"""How the directory is called in which an installer keeps what it knows of e3-core."""


def versions() -> dict[str, str]:
    """Return names and versions, for people."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "testloom": __version__,
        "e3-core": _version_of_e3(),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": str(cores),
    }


def _version_of_e3() -> str:
    # By the name of a directory, in the usual case; `importlib.metadata` reads all that is known
    # of a package as if it were an e-mail, which takes ten times as long.
    with contextlib.suppress(OSError):
        for name in os.listdir(os.path.dirname(os.path.dirname(e3.error.__file__))):
            if found := _INSTALLED.fullmatch(name):
                return found["version"]
    from importlib import metadata  # noqa: PLC0415 - see above

    try:
        return metadata.version("e3-core")
    except metadata.PackageNotFoundError:
        return "not installed"
