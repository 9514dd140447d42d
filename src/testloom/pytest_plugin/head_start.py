"""``--testloom-head-start``: modules that are collected begin to run while others are being collected.

Where collecting takes long, all slots would wait for it.  So after each module that pytest has collected,
those that wait are given to whoever is free: a fork of main, which has them, runs them in a slot of its
own, with all that a slot has.  To pytest it looks as if everything had been collected first: it is told
what has come of tests when it begins to run them.

Only what cannot tell the difference begins early: whole modules of plain tests, without fixtures of the
session and without markers that concern other tests; and only while no plugin has a say in what is run.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NoReturn

import pytest

from testloom.processes import own_fds
from testloom.processes.clock import SystemClock
from testloom.processes.loop import EventLoop
from testloom.processes.spool import Spool
from testloom.pytest_plugin import live, wire
from testloom.pytest_plugin.ahead import END, Ahead, give_back
from testloom.pytest_plugin.keeping import KEPT_NAMES
from testloom.pytest_plugin.slot_run import SlotRun
from testloom.scheduling import Phase

OPTION: Final = "--testloom-head-start"
_WORTH_S: Final = 0.25
"""How long pytest collects before somebody begins, and between two who do: a start takes a tenth."""
_MARKERS: Final = ("slots", "exclusive", "group")
_WIDE: Final = ("session", "package")
_OWN_FIXTURES: Final = ("_pytest.", "pytest_asyncio.")
"""Whose fixtures for the session may be set up in as many processes as there are."""
_HOOKS: Final = (
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_collection_finish",
    "pytest_runtestloop",
)
"""Those in which plugins choose, mark and order tests, or prepare something for all of them."""
_HARMLESS: Final = ("_pytest.", "testloom.", "_hypothesis_pytestplugin", "pytest_cov.", "xdist.")
"""Who does in them what depends on options that are looked at, or changes nothing."""
_now = SystemClock.now


def why_not(config: pytest.Config) -> str:
    """Return what speaks against a head start in this session; empty if nothing does."""
    option: Any = config.option
    for name, shown in (
        ("maxfail", "-x and --maxfail end"),
        ("keyword", "-k chooses"),
        ("markexpr", "-m chooses"),
        ("deselect", "--deselect chooses"),
        ("lf", "--lf chooses"),
        ("failedfirst", "--ff orders"),
        ("newfirst", "--nf orders"),
        ("stepwise", "--sw chooses"),
        ("testloom_resume", "--testloom-resume chooses"),
    ):
        if getattr(option, name, None):
            return f"{shown} tests only when all are known"
    if any("::" in str(argument) for argument in config.args):
        return "node ids choose tests only when all are known"
    if option.collectonly:
        return "--collect-only runs nothing"
    if shown := live.wanted_by(config):
        return f"{shown} shows output as it comes"
    return _who_has_a_say(config)


def _who_has_a_say(config: pytest.Config) -> str:
    """Return who may see to it that tests come out otherwise, once all are known; or nothing."""
    for hook in _HOOKS:
        for implementation in getattr(config.hook, hook).get_hookimpls():
            plugin = implementation.plugin
            module = getattr(plugin, "__name__", None) or type(plugin).__module__
            if not module.startswith(_HARMLESS):
                return f"{implementation.plugin_name} has the hook {hook}"
    return ""


def _kept_for_all() -> str:
    """Return which fixture is set up once for all, by a process of its own; or nothing.

    Tests may ask for it by name while they run.
    """
    return f"fixture {KEPT_NAMES[0]!r} is run_scoped" if KEPT_NAMES else ""


class HeadStart:
    """The hooks of a session whose modules may begin early: in *count* slots, *limit_s* an item."""

    def __init__(self, config: pytest.Config, count: int, limit_s: float | None) -> None:
        self._config = config
        self._limit_s = limit_s
        self._pid = os.getpid()
        self._found: list[Any] = []
        """The items of the module that is being collected."""
        self._waiting: list[list[Any]] = []
        """Modules that nobody has begun."""
        self._all: list[Ahead] = []
        self._working: dict[int, list[Ahead]] = {slot: [] for slot in range(count)}
        """Slot -> who has it, and who comes next."""
        self._first_at = self._last_at = 0.0
        self._given_up = ""
        self._late = ""
        """Why the first module that waits for the end of collecting does."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """It begins."""
        self._last_at = _now()

    def pytest_itemcollected(self, item: Any) -> None:
        """Note *item*."""
        self._found.append(item)

    def pytest_collectreport(self, report: Any) -> None:
        """Let others begin, if that was the end of a module."""
        if os.getpid() != self._pid or self._given_up:
            return
        if report.failed and not self._config.option.continue_on_collection_errors:
            self._give_up("a module cannot be collected")  # so nothing is going to run
            return
        module = self._found[-1].getparent(pytest.Module) if self._found else None
        if module is None or module.nodeid != report.nodeid:
            return
        found = [item for item in self._found if item.getparent(pytest.Module) is module]
        self._found.clear()  # what else is in it is of no module
        why = _why_late(found, module)
        if why:
            self._late = self._late or why
        else:
            self._waiting.append(found)
        if self._waiting and _now() - self._last_at >= _WORTH_S:
            self._begin()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self) -> None:
        """See whether somebody had a say: conftest files deep in the tree are found late."""
        if not self._given_up and (why := _who_has_a_say(self._config)):
            self._give_up(why)

    def pytest_report_collectionfinish(self) -> str | None:
        """Say what has come of it."""
        if why := self._given_up or (self._late if not self._all else ""):
            return f"testloom: no head start: {why}"
        if not self._all:
            return None
        count = sum(len(one.items) for one in self._all)
        return f"testloom: {count} test{'s' if count > 1 else ''} had a head start"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave nobody behind, however it has ended."""
        if os.getpid() == self._pid:
            self._close()

    @property
    def ahead_s(self) -> float:
        """How long ago the first of them began; 0 if nobody has."""
        return _now() - self._first_at if self._all else 0.0

    def taken_over(self, items: Sequence[Any]) -> list[Ahead]:
        """Return those who have begun with some of *items*, which know their numbers now."""
        numbers = {id(item): number for number, item in enumerate(items)}
        for one in self._all:
            one.number_by(numbers)
        return self._all

    def _begin(self) -> None:
        """Give all modules that wait to slots that have nothing to do, or will soon."""
        for some in self._working.values():
            while some and some[0].has_ended:
                some.pop(0)
        fewest = min(map(len, self._working.values()))
        if fewest > 1:
            return
        free = [slot for slot, some in self._working.items() if len(some) == fewest]
        if threading.active_count() > 1:
            self._give_up(f"a thread runs: {threading.enumerate()[1].name}")
            return
        if why := _who_has_a_say(self._config) or _kept_for_all():
            self._give_up(why)
            return
        modules, self._waiting = self._waiting, []
        self._last_at = _now()
        if not self._all:
            self._first_at = self._last_at
        factory: Any = getattr(self._config, "_tmp_path_factory", None)
        if factory is not None:
            factory.getbasetemp()  # one for all
        for number, slot in enumerate(free):
            items = [item for module in modules[number :: len(free)] for item in module]
            if items and not self._start(items, slot):
                return

    def _start(self, items: list[Any], slot: int) -> bool:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()  # or what is in them would be written twice
        try:
            before = self._working[slot][-1] if self._working[slot] else None
            one = Ahead(items, slot, self._run, before)
        except OSError:  # whoever runs them later has the same problem
            return False
        self._all.append(one)
        self._working[slot].append(one)
        return True

    def _run(
        self, items: Sequence[Any], slot: int, spool: Spool, channel: socket.socket, parent: int
    ) -> None:
        """In the process of one who is ahead: run *items*."""
        session = items[0].session
        session.items = list(items)

        def make_teller(
            _session: Any, _loop: EventLoop, ends: Callable[[BaseException | None], None]
        ) -> Spooler:
            return Spooler(items, spool, ends)

        run = SlotRun(session, 1, self._limit_s, make_teller=make_teller, first_slot=slot)

        def hear() -> None:
            message = channel.recv(64)
            if not message:
                leave()
            elif message == END:
                give_back(channel, run.turns.end())
            else:
                run.stop(Phase.TERMINATING)

        run.loop.watch(channel.fileno(), hear)
        try:
            run.loop.watch(own_fds.add(os.pidfd_open(parent)), leave)
        except OSError:  # it has gone
            return
        with contextlib.suppress(Exception, KeyboardInterrupt, pytest.exit.Exception):
            run.run()  # how it ends is for main to find out

    def _give_up(self, why: str) -> None:
        self._given_up = why
        self._close()

    def _close(self) -> None:
        for one in self._all:
            one.close()
        self._all, self._waiting = [], []


def leave() -> NoReturn:
    """End this process at once, because main has gone: its nursery kills everything then."""
    os._exit(1)


class Spooler:
    """Notes what comes of *items* for main, which tells pytest."""

    def __init__(
        self, items: Sequence[Any], spool: Spool, ends: Callable[[BaseException | None], None]
    ) -> None:
        self._numbers = {id(item): number for number, item in enumerate(items)}
        self._spool = spool
        self._ends = ends

    def add(self, done: wire.Item, slot: int) -> None:  # noqa: ARG002 - main knows the slot
        """Note *done*."""
        self._spool.put(wire.encode(done))
        if done.ends:
            self._ends(None)

    def tell_all(self) -> None:
        """Do nothing: all is noted."""

    def pass_on(self, item: Any, reports: Sequence[Any], location: Any, slot: int) -> None:  # noqa: ARG002 - as above
        """Note *reports* of *item*."""
        gathered = wire.Gathered(item.config)
        gathered.begin(self._numbers[id(item)])
        for report in reports:
            gathered.add(report)
        self._spool.put(gathered.packed())


def _why_late(items: Sequence[Any], module: Any) -> str:
    """Return what of *items* makes a difference outside of *module*, or is made one to; or nothing."""
    for item in items:
        if not isinstance(item, pytest.Function) or item.getparent(pytest.Module) is not module:
            return f"{item.nodeid} is no plain test"
        if any(scope.value != "function" for scope in _scopes(item)):
            return f"{item.nodeid} has parameters for more than a function"
        for name in _MARKERS:
            if item.get_closest_marker(name) is not None:
                return f"{item.nodeid} has the marker {name!r}"
        info: Any = getattr(item, "_fixtureinfo", None)
        for definitions in info.name2fixturedefs.values() if info else ():
            for one in definitions:
                if why := _why_wide(one):
                    return f"{item.nodeid} uses fixture {one.argname!r}, which {why}"
    return ""


def _why_wide(definition: Any) -> str:
    """Return what keeps tests that use a fixture from running before all is collected, if anything."""
    if (getattr(definition.func, "__module__", None) or "").startswith(_OWN_FIXTURES):
        return ""
    if definition.scope in _WIDE:
        return f"is for the whole {definition.scope}"
    return ""


def _scopes(item: Any) -> Collection[Any]:
    """Return the scopes of the parameters of *item*: pytest sorts by wide ones, once all are known."""
    scopes: dict[str, Any] = getattr(getattr(item, "callspec", None), "_arg2scope", {})
    return scopes.values()
