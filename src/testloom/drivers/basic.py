"""A driver of four steps: set up, run, analyze, tear down, each a fragment of its own."""

from __future__ import annotations

import abc
from typing import Any

from e3.collection.dag import DAG

from testloom.drivers.base import TestDriver


class BasicTestDriver(TestDriver):
    """Runs `set_up`, `run`, `analyze` and `tear_down`, one after the other.

    Each follows the one before also if that one raised.  What a step returns is in the *prev* of
    the next one under the step's name.
    """

    def add_test(self, dag: DAG) -> None:
        self.add_fragment(dag, "set_up")
        self.add_fragment(dag, "run", after=["set_up"])
        self.add_fragment(dag, "analyze", after=["run"])
        self.add_fragment(dag, "tear_down", after=["analyze"])

    def set_up(self, prev: dict[str, Any], slot: int) -> Any:
        """Prepare the test. Calls `tear_up`, the older name of this step."""
        return self.tear_up(prev, slot)

    def tear_up(self, prev: dict[str, Any], slot: int) -> Any:
        """Do nothing; override `set_up` rather than this."""

    @abc.abstractmethod
    def run(self, prev: dict[str, Any], slot: int) -> Any:
        """Run the test."""

    @abc.abstractmethod
    def analyze(self, prev: dict[str, Any], slot: int) -> Any:
        """Judge what `run` did and push the results."""

    def tear_down(self, prev: dict[str, Any], slot: int) -> Any:
        """Do nothing; override to clean up."""
