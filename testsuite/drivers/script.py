"""Runs a Python script and compares what it writes, without what differs from run to run.

Shows: a driver in thirty lines; refiners for text and for bytes; a key of its own in
``test.yaml``; tests whose output is no text (``encoding: binary``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from testloom.drivers import DiffTestDriver, OutputRefiner, PatternSubstitute, ReplacePath

ADDRESS = r"\b0x[0-9a-f]{6,}\b"
LIBRARY = r'File "[^"]*/lib/python3\.\d+/([^"]+)", line \d+'
# Python 3.13 and later point at the part of a line that failed in more cases than others do.
MARKERS = r"(?m)^ +[~^]+ *\n"


class ScriptDriver(DiffTestDriver):
    """Runs ``main.py`` of the test's directory; ``test.out`` says what it writes.

    Keys of ``test.yaml``: those of `DiffTestDriver`, and ``args`` (a list) and ``status`` (the exit
    status, 0).
    """

    @property
    def output_refiners(self) -> Sequence[OutputRefiner[Any]]:
        """Addresses, places in Python's library and our working directory are not the same twice."""
        work = ReplacePath[Any](self.working_dir(), "<work>")
        if self.default_encoding == "binary":
            return [work, PatternSubstitute(ADDRESS.encode(), b"<address>")]
        return [
            *super().output_refiners,
            work,
            PatternSubstitute(ADDRESS, "<address>"),
            PatternSubstitute(LIBRARY, r'File "<library>/\1", line N'),
            PatternSubstitute(MARKERS, ""),
        ]

    def run(self) -> None:
        """Run the script in a Python that looks at no variable and no personal settings."""
        args = [str(arg) for arg in self.test_env.get("args", [])]
        script = self.working_dir("main.py")
        self.status = self.shell([sys.executable, "-I", script, *args], catch_error=False).status

    def compute_failures(self) -> list[str]:
        """Look at the exit status, too."""
        expected = self.test_env.get("status", 0)
        wrong = [] if self.status == expected else [f"exit status {self.status}, not {expected}"]
        return wrong + super().compute_failures()
