"""Decides whether to use colours, the way other command-line tools do."""

from __future__ import annotations

from collections.abc import Mapping


def wants_color(choice: str, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Tell whether output is to be coloured.

    *choice* is ``always``, ``never`` or ``auto``.  For ``auto`` the first of these that applies
    decides: ``NO_COLOR``, ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` (set, not empty; not ``0`` for
    the last two), ``TERM=dumb``, and whether a *terminal* reads the output.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and environ.get("TERM") != "dumb"
