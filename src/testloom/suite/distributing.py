"""Makes the batch system that a run is to use, before anything runs."""

from __future__ import annotations

import importlib
import operator
import sys
from typing import TYPE_CHECKING, Any

from testloom.model.errors import UsageError, nearest

if TYPE_CHECKING:
    from testloom.model.cluster import ClusterDistributor


def started(factory: str | None, root: str) -> ClusterDistributor | None:
    """Return what ``MODULE:FACTORY`` makes, started; None for None.

    The module may be in *root*, the directory of the configuration or the current one.

    Raises:
        UsageError: it cannot be imported, called or started, or makes something else.
    """
    if factory is None:
        return None
    # Only now: most runs have no batch system.
    from testloom.model.cluster import ClusterDistributor  # noqa: PLC0415 - see above

    make = _named(factory, root)
    try:
        made = make()
    except Exception as error:
        raise _refused(factory, f"cannot be made: {_said(error)}") from error
    if not isinstance(made, ClusterDistributor):
        what = f"{type(made).__name__} has not all that a ClusterDistributor has"
        raise _refused(factory, f"{what}; derive from testloom.cluster.ClusterDistributor")
    try:
        made.start()
    except Exception as error:
        raise _refused(factory, f"cannot be started: {_said(error)}") from error
    return made


def _named(factory: str, root: str) -> Any:
    module_name, _, name = factory.partition(":")
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise _refused(factory, f"cannot be imported: {_said(error)}") from error
    try:
        return operator.attrgetter(name)(module)
    except AttributeError:
        known = [word for word in vars(module) if not word.startswith("_")]
        raise _refused(factory, f"there is no {name!r}{nearest(name, known)}") from None


def _refused(factory: str, why: str) -> UsageError:
    return UsageError(f"--distributor {factory}: {why}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
