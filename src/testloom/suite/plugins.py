"""Finds plugins and calls them; what one gets wrong never spoils the run."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import pluggy

from testloom.model.errors import UsageError
from testloom.model.events import Load, RunListener, Silent
from testloom.model.summary import ResultEntry, Summary
from testloom.suite.config import Config
from testloom.suite.hookspecs import PROJECT, Hooks

_ENTRY_POINTS = "testloom"


def plugin_manager(
    modules: Iterable[str] = (), objects: Iterable[Any] = (), *, where: str = ""
) -> pluggy.PluginManager:
    """Return the manager with all plugins: installed ones, *modules* by name, *objects*.

    Raises:
        UsageError: one cannot be imported, or has a hook that there is not.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    try:
        manager.load_setuptools_entrypoints(_ENTRY_POINTS)
        for name in modules:
            manager.register(importlib.import_module(name), name)
        for one in objects:
            manager.register(one)
        manager.check_pending()
    except Exception as error:
        at = f"{where}: " if where else ""
        raise UsageError(f"{at}a plugin cannot be used: {type(error).__name__}: {error}") from error
    return manager


def project_plugins(config: Config | None, objects: Iterable[Any] = ()) -> pluggy.PluginManager:
    """Return the manager with the plugins that *config* names, and *objects*.

    Modules that stand beside the configuration can be named.

    Raises:
        UsageError: as `plugin_manager`.
    """
    names = config.project.plugins if config else ()
    if not config or not names:
        return plugin_manager((), objects)
    if config.root not in sys.path:
        sys.path.insert(0, config.root)
    return plugin_manager(names, objects, where=config.where("plugins"))


def report_formats(manager: pluggy.PluginManager) -> dict[str, Any]:
    """Return the report formats that plugins add, by their names."""
    return {
        name: report
        for formats in manager.hook.testloom_reports()
        for name, report in formats.items()
    }


def listening_plugins(
    manager: pluggy.PluginManager, failed: Callable[[str], None]
) -> list[RunListener]:
    """Return who passes on what a run tells to the plugins: nobody if there are none.

    *failed* is told, in one line, of a plugin that raises.
    """
    return [_PluginListener(manager, failed)] if manager.get_plugins() else []


class _PluginListener(Silent):
    def __init__(self, manager: pluggy.PluginManager, failed: Callable[[str], None]) -> None:
        self._hook = manager.hook
        self._failed = failed

    def fragment_started(self, uid: str, test: str, name: str, slot: int, now: float) -> None:  # noqa: ARG002 - the interface's
        self._call(self._hook.testloom_fragment_started, uid=uid, test=test, slot=slot)

    def fragment_ended(self, uid: str, test: str, slot: int, now: float) -> None:  # noqa: ARG002 - the interface's
        self._call(self._hook.testloom_fragment_ended, uid=uid, test=test, slot=slot)

    def result_added(self, entry: ResultEntry, load: Load) -> None:  # noqa: ARG002 - the interface's
        self._call(self._hook.testloom_result, entry=entry)

    def run_ended(self, summary: Summary) -> None:
        self._call(self._hook.testloom_run_ended, summary=summary)

    def _call(self, hook: Any, **arguments: Any) -> None:
        if not hook.get_hookimpls():
            return
        try:
            hook(**arguments)
        except Exception as error:  # noqa: BLE001 - a plugin is foreign code
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self._failed(
                f"{frame.filename}:{frame.lineno}: a plugin failed in {hook.name}: "
                f"{type(error).__name__}: {error}"
            )
