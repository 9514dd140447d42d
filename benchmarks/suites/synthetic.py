"""A suite without files: tests out of thin air, to load the engine and nothing else.

`SHAPE` and `COUNT` in the environment say what: `single` (COUNT tests of one fragment), `chains`
(COUNT fragments, four to a test, one after the other), `deep` (one test, COUNT fragments one
after the other), `fan-in` (one test, COUNT fragments side by side and one that waits for all).
The last fragment of a test pushes PASS, the others do nothing.  With `PEAK` in the environment,
the main process writes the peak of its memory (kB) to that file when it ends.
"""
# ruff: noqa: ARG002 - the signatures are given

from __future__ import annotations

import atexit
import os
import re
import sys
from pathlib import Path
from typing import Any

from testloom import Testsuite
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus

SHAPE = os.environ["SHAPE"]
COUNT = int(os.environ["COUNT"])


class Synthetic(TestDriver):
    def add_test(self, dag: Any) -> None:
        if SHAPE == "single":
            steps = 0
        elif SHAPE == "chains":
            steps = 3
        else:
            steps = COUNT
        names = [f"f{number}" for number in range(steps)]
        for number, name in enumerate(names):
            after = [names[number - 1]] if number and SHAPE != "fan-in" else None
            self.add_fragment(dag, name, fun=self.nothing, after=after)
        self.add_fragment(dag, "last", after=names if SHAPE == "fan-in" else names[-1:])

    def nothing(self, previous_values: dict[str, Any], slot: int) -> None:
        return

    def last(self, previous_values: dict[str, Any], slot: int) -> None:
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class ThinAir(TestFinder):
    test_dedicated_directory = False

    def probe(
        self, testsuite: Any, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> list[ParsedTest]:
        tests = {"single": COUNT, "chains": COUNT // 4}.get(SHAPE, 1)
        return [ParsedTest(f"t{number}", Synthetic, {}, dirpath) for number in range(tests)]


class SyntheticSuite(Testsuite):
    tests_subdir = "nothing"
    test_finders = [ThinAir()]  # noqa: RUF012 - as suites are written


def write_peak(path: str, main_pid: int) -> None:
    if os.getpid() == main_pid:
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        Path(path).write_text(found[1] if found else "0")


if __name__ == "__main__":
    if "PEAK" in os.environ:
        atexit.register(write_peak, os.environ["PEAK"], os.getpid())
    sys.exit(SyntheticSuite().testsuite_main())
