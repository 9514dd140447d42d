"""How pytest is told of tests that ran elsewhere, or earlier: as if they had just run here.

Main's time is what limits a run of many small tests in slots, so reports are passed on a few at a time,
between other things: no slot waits for its next turn because of what another one has to tell.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import pytest

from testloom.processes.loop import EventLoop
from testloom.pytest_plugin import wire

_AT_A_TIME_S: Final = 0.002
"""How long reports are passed on before something else gets a chance."""


def tell(item: Any, reports: Iterable[Any], location: Any) -> None:
    """Let pytest's hooks know of *reports* of *item*, which is at *location*."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=location)


class Tells(Protocol):
    """Who is told what has come of tests, by a `SlotRun`."""

    def add(self, done: wire.Item, slot: int) -> None:
        """Hear of what *slot* has told."""

    def tell_all(self) -> None:
        """Keep nothing back any more."""

    def pass_on(self, item: Any, reports: Sequence[Any], location: Any, slot: int) -> None:
        """Hear of *reports* of *item*."""


class Teller:
    """Tells pytest, and the record of its session if there is one, what slots have told.

    Args:
        session: the session, with its items.
        loop: calls it when there is time.
        ends: called when the session is to end, with the error to raise then, if there is one.
    """

    def __init__(
        self,
        session: pytest.Session,
        loop: EventLoop,
        ends: Callable[[BaseException | None], None],
    ) -> None:
        self._session: Any = session
        self._config = session.config
        self._items: Sequence[Any] = session.items
        self._loop = loop
        self._ends = ends
        plugins = session.config.pluginmanager
        self._recording: Any = plugins.getplugin("testloom-recording")
        if self._recording is not None:
            plugins.unregister(name="testloom-listening")  # it is told here, at less cost
        self._untold: collections.deque[tuple[wire.Item, int]] = collections.deque()
        """What came of items, and in which slots."""
        self._is_telling = False

    def add(self, done: wire.Item, slot: int) -> None:
        """Pass on what *slot* has told when there is time."""
        self._untold.append((done, slot))
        self._tell_soon()

    def tell_all(self) -> None:
        """Pass on all there is."""
        while self._untold:
            self._tell(*self._untold.popleft())

    def pass_on(
        self,
        item: Any,
        reports: Sequence[Any],
        location: Any,
        slot: int,
        done: wire.Item | None = None,
    ) -> None:
        """Tell of *reports*: those of *item*, or of none; *done* is what they were made of."""
        session, recording = self._session, self._recording
        if session.shouldfail or session.shouldstop:
            return
        if item is not None:
            if recording is not None:  # whoever is told of a result can rely on it
                recording.keep(item.nodeid, reports, done, slot)
            tell(item, reports, location)
        else:
            for report in reports:
                if recording is not None:
                    recording.keep(report.nodeid, [report], None, slot)
                self._config.hook.pytest_runtest_logreport(report=report)
        if session.shouldfail or session.shouldstop:
            self._ends(None)

    def _tell_soon(self) -> None:
        if self._untold and not self._is_telling:
            self._is_telling = True
            self._loop.call_soon(self._tell_some)

    def _tell_some(self) -> None:
        self._is_telling = False
        until = self._loop.now() + _AT_A_TIME_S
        while self._untold and self._loop.now() < until:
            self._tell(*self._untold.popleft())
        self._tell_soon()

    def _tell(self, done: wire.Item, slot: int) -> None:
        if self._session.shouldfail or self._session.shouldstop:
            return  # as if it had not run
        item = self._items[done.number] if done.number >= 0 else None
        wire.tell_warnings(done, self._config)
        location = None if item is None else wire.location_of(done, item)
        plain = None if done.others else done  # reports are made of parts of the others
        self.pass_on(item, wire.reports_of(done, item, self._config), location, slot, plain)
        if done.ends:
            self._ends(_error_of(done))


def _error_of(done: wire.Item) -> BaseException:
    """Return what ended the session, to be raised in main."""
    if done.ends == "interrupted":
        return KeyboardInterrupt()
    if done.ends == "exit":
        return pytest.exit.Exception(done.why, done.returncode)
    return RuntimeError(f"pytest failed in a slot:\n{done.why}")
