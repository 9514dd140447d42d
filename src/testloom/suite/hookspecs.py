"""The places where plugins come in.

A plugin is a module or object with functions of these names, marked with `hookimpl`; it is
found through the entry-point group ``testloom``, named in the configuration (``plugins``) or
registered by a suite (`Testsuite.plugins`).  An implementation may take fewer arguments than
the specification has.

Everything runs in the main process and its main thread.
"""

from __future__ import annotations

from typing import Any

import pluggy

from testloom.model.summary import ResultEntry, Summary

PROJECT = "testloom"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The specifications."""

    @hookspec
    def testloom_add_options(self, parser: Any) -> None:
        """Add options to *parser*, an `argparse.ArgumentParser`, before anything is parsed."""

    @hookspec
    def testloom_finders(self, suite: Any) -> list[Any]:  # type: ignore[empty-body]  # a specification
        """Return finders to be asked after the suite's own. Called once, before discovery."""

    @hookspec
    def testloom_drivers(self, suite: Any) -> dict[str, type[Any]]:  # type: ignore[empty-body]  # a specification
        """Return drivers by name. The suite's own win where a name is taken."""

    @hookspec
    def testloom_adjust_dag(self, suite: Any, dag: Any) -> None:
        """Add edges to *dag* (`e3.collection.dag.DAG`) once all drivers have added theirs."""

    @hookspec
    def testloom_fragment_started(self, uid: str, test: str, slot: int) -> None:
        """Told when a fragment is handed to a slot."""

    @hookspec
    def testloom_fragment_ended(self, uid: str, test: str, slot: int) -> None:
        """Told when a fragment has ended and its results have been told."""

    @hookspec
    def testloom_result(self, entry: ResultEntry) -> None:
        """Told each result once it is in the journal.

        If this raises, the run goes on, says which plugin it was, and ends with exit code 3.
        """

    @hookspec
    def testloom_reports(self) -> dict[str, Any]:  # type: ignore[empty-body]  # a specification
        """Return report formats by name, see `testloom.reports.Report`."""

    @hookspec
    def testloom_run_ended(self, summary: Summary) -> None:
        """Told once everything has ended and the reports are written."""
