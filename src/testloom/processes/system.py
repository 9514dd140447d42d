"""What e3 wants to know of the operating system, without the programs that it would start for it.

An `e3.env.Env` asks `distro` for the name and the version of a Linux.  That runs ``lsb_release``
and ``uname``, which may take 30 ms, and then prefers what stands in the file ``os-release``.
"""

from __future__ import annotations

import os
import platform
import sys

from e3.env import Env
from e3.os.platform import SystemInfo, Uname


def new_env() -> Env:
    """Return the environment of e3, which is the same for all who ask for it."""
    if SystemInfo.uname is None and sys.platform == "linux":
        _look_into_file()
    return Env()


def _look_into_file() -> None:
    """Fill in what `SystemInfo` would find out, if the file says all of it."""
    import distro  # noqa: PLC0415 - e3 brings it on Linux only

    known = distro.LinuxDistribution(include_lsb=False, include_uname=False)
    if not (known.os_release_attr("name") and known.os_release_attr("version_id")):
        return
    SystemInfo.ld_info = {
        "name": known.name(),
        "major_version": known.major_version(),
        "version": known.version(),
    }
    SystemInfo.core_number = os.cpu_count() or 1
    SystemInfo.uname = Uname(*platform.uname())
