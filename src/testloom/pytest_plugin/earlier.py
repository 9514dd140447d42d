"""What a session takes over from one that was cut off: which tests need not run again.

`testloom.suite.resuming` decides, from the journal of that session.  Here is what it has to know of
tests of pytest: what they are made of, and which of them leave things for each other.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from testloom.journal import rundir
from testloom.model.errors import UsageError
from testloom.pytest_plugin.bundles import bundles
from testloom.suite.carrying import Resumed
from testloom.suite.fingerprints import Fingerprints


def last_session(output_dirs: Iterable[str], suite: str) -> Resumed:
    """Return the newest session of *suite* in *output_dirs* that can be resumed.

    One that was cut off before it had begun cannot: then it is the one before.

    Raises:
        UsageError: there is none.
    """
    places = list(output_dirs)
    problem: UsageError | None = None
    found = sorted(((run, place) for place in places for run in rundir.runs(place)), reverse=True)
    for run, place in found:
        try:
            session = Resumed(place, run)
        except UsageError as error:
            problem = problem or error
            continue
        if session.journal.run is not None and session.journal.run.suite == suite:
            return session
    raise problem or UsageError(
        "there is no earlier session with --slots or --testloom-history to resume"
    )


def inputs_of(items: Sequence[Any], root: str) -> dict[str, str]:
    """Return, by node id, fingerprints of the files of *items* and of the conftest.py above them.

    It is empty where that is not known, and where two items have one name.
    """
    prints = Fingerprints()
    of_files: dict[str, str] = {}
    found: dict[str, str] = {}
    for item in items:
        path = str(item.path)
        own = of_files.get(path)
        if own is None:
            own = of_files[path] = prints.of_files([path, *_conftests(path, root)])
        data = getattr(item, "inputs", None)  # of a data test
        if item.nodeid in found or data == "":
            own = ""
        found[item.nodeid] = f"{own}{data or ''}" if own else ""
    return found


def follows_of(items: Sequence[Any]) -> Mapping[str, Collection[str]]:
    """Return which of *items*, by their node ids, use what others have left."""
    found: dict[str, list[str]] = {}
    for bundle in bundles(items):
        if bundle.is_whole:
            names = [items[unit].nodeid for unit in bundle.units]
            for before, name in itertools.pairwise(names):
                found[name] = [before]
    for name, others in _data_follows(items).items():
        found.setdefault(name, []).extend(others)
    return found


def _data_follows(items: Sequence[Any]) -> Mapping[str, Sequence[str]]:
    if not items or not items[0].config.pluginmanager.hasplugin("testloom-collecting"):
        return {}
    from testloom.pytest_plugin.items import follows  # noqa: PLC0415 - it needs the whole suite room

    return follows(items)


def _conftests(path: str, root: str) -> list[str]:
    found = []
    place = os.path.dirname(path)
    while True:
        file = os.path.join(place, "conftest.py")
        if os.path.isfile(file):
            found.append(file)
        above = os.path.dirname(place)
        if place in (root, above):
            return found
        place = above
