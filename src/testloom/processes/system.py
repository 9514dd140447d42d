"""The environment of e3, without what it would start and import that nobody asked for.

An `e3.env.Env` asks `distro` for the name and the version of a Linux.  That runs ``lsb_release``
and ``uname``, which may take 30 ms, and then prefers what stands in the file ``os-release``.

It imports `e3.log`, which imports `tqdm` for progress bars: 5 ms more, most of them for finding out
which version of `tqdm` this is.  No run of tests shows such a bar, so it is imported with the first.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from e3.env import Env

_BARS: Final = "tqdm"


class _LateBars:
    """Stands for the class `tqdm.tqdm` in `e3.log` until it is used."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    @staticmethod
    def _real() -> Any:
        return importlib.import_module(_BARS).tqdm


def import_log() -> Any:
    """Return the module `e3.log`, which finds `tqdm` when it shows a progress bar."""
    if "e3.log" not in sys.modules and _BARS not in sys.modules:
        late = ModuleType(_BARS)
        vars(late)[_BARS] = _LateBars()
        sys.modules[_BARS] = late
        try:
            importlib.import_module("e3.log")
        finally:
            del sys.modules[_BARS]
    return importlib.import_module("e3.log")


def new_env() -> Env:
    """Return the environment of e3, which is the same for all who ask for it."""
    import_log()
    from e3.env import Env  # noqa: PLC0415 - it imports the log
    from e3.os.platform import SystemInfo  # noqa: PLC0415 - likewise

    if SystemInfo.uname is None and sys.platform == "linux":
        _look_into_file(SystemInfo)
    return Env()


def _look_into_file(info: Any) -> None:
    """Fill in what `SystemInfo`, *info*, would find out, if the file says all of it."""
    import distro  # noqa: PLC0415 - e3 brings it on Linux only
    from e3.os.platform import Uname  # noqa: PLC0415 - see `new_env`

    known = distro.LinuxDistribution(include_lsb=False, include_uname=False)
    if not (known.os_release_attr("name") and known.os_release_attr("version_id")):
        return
    info.ld_info = {
        "name": known.name(),
        "major_version": known.major_version(),
        "version": known.version(),
    }
    info.core_number = os.cpu_count() or 1
    info.uname = Uname(*platform.uname())
