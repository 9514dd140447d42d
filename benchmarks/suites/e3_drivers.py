"""The driver of `e3_cat.py`, in a module of its own: e3's worker processes must import it."""

from __future__ import annotations

from e3.testsuite.driver.diff import DiffTestDriver


class CatDriver(DiffTestDriver):
    def run(self) -> None:
        self.shell(["cat", "input.txt"])
