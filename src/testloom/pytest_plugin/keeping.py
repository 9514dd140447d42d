"""Fixtures that are set up once a run, whatever the number of slots: ``@testloom.run_scoped``.

One process, the keeper, sets them up before anything else runs and tears them down when everything has
ended.  The others get their values as pickles, from a file, when a test first asks for one.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

_MARK: Final = "_testloom_run_scoped"
KEPT_NAMES: Final[list[str]] = []
"""The functions that have been marked."""
_Fixture = TypeVar("_Fixture", bound=Callable[..., Any])


def run_scoped(fixture: _Fixture) -> _Fixture:
    """Mark a session fixture to be set up once a run, not once a slot.

    Its value must be possible to pickle.  Without ``--slots`` it is a session fixture like others.
    """
    wrapped = getattr(fixture, "_get_wrapped_function", None)
    marked = fixture if wrapped is None else wrapped()
    setattr(marked, _MARK, True)
    KEPT_NAMES.append(marked.__name__)
    return fixture


class NotSetUp(Exception):
    """A fixture of the whole run could not be set up."""


class Kept:
    """A fixture of the whole run: *definition*, used by item *number*, its value in file *path*."""

    def __init__(self, definition: Any, number: int, path: Path) -> None:
        self.name: str = definition.argname
        self.number = number
        self._definition = definition
        self._original = definition.func, definition.argnames
        self._path = path

    def lend(self) -> None:
        """From now on, and in all forks, using the fixture means to load what the keeper left."""
        # A plain function: pytest has its own ideas of methods.
        self._definition.func, self._definition.argnames = lambda: self._load(), ()  # noqa: PLW0108 - see above

    def take_back(self) -> None:
        """Let the fixture be what it was."""
        self._definition.func, self._definition.argnames = self._original

    def set_up(self, session: Any, item: Any) -> None:
        """In the keeper: set up the fixture on behalf of *item*, and leave its value."""
        self.take_back()
        state = session._setupstate  # noqa: SLF001 - pytest's own runner does
        try:
            if not state.stack:
                state.setup(session)
            content = b"+" + pickle.dumps(item._request.getfixturevalue(self.name))  # noqa: SLF001 - the item's fixtures
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException:  # noqa: BLE001 - whatever it is, the tests that use it are told
            content = b"-" + traceback.format_exc().encode("utf-8", "backslashreplace")
        unfinished = self._path.with_suffix(".part")
        unfinished.write_bytes(content)
        os.replace(unfinished, self._path)

    def _load(self) -> Any:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            why = "the process that was to set it up has died"
            raise NotSetUp(f"{self.name}: {why}") from None
        if content[:1] == b"-":
            raise NotSetUp(f"{self.name}: it could not be set up:\n{content[1:].decode()}")
        return pickle.loads(content[1:])  # noqa: S301 - from a process of the same run


def kept_fixtures(items: Sequence[Any], directory: Callable[[], Path]) -> list[Kept]:
    """Return the fixtures of the whole run that *items* use; *directory* makes room for values.

    Raises:
        pytest.UsageError: one is not of scope session, or has parameters.
    """
    found: dict[int, Kept] = {}
    seen: set[int] = set()
    for number, item in enumerate(items):
        info = getattr(item, "_fixtureinfo", None)
        if info is None or id(info) in seen:
            continue
        seen.add(id(info))
        for definitions in info.name2fixturedefs.values():
            for one in definitions:
                if id(one) not in found and getattr(one.func, _MARK, False):
                    _check(one)
                    found[id(one)] = Kept(one, number, directory() / f"{len(found)}.pickle")
    return list(found.values())


def _check(definition: Any) -> None:
    if definition.scope != "session" or definition.params:
        raise pytest.UsageError(
            f"fixture {definition.argname!r}: run_scoped needs scope='session' and no params"
        )
