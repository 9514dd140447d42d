"""Builds a program once and runs it many times, in parallel, on as many inputs.

Shows: fragments that wait for each other; values that travel from one to the next (where the
program is, what each run gave); several results of one test; a test that is skipped with a
reason when this machine cannot run it.

The graph of a test with two cases, each box a fragment that runs in whichever slot is free::

             .-> run_add ---.
    build ---+              +--> summary
             '-> run_half --'
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from typing import Any

from testloom.drivers import (
    ClassicTestDriver,
    TestAbortWithFailure,
    TestResult,
    TestSkip,
    TestStatus,
)


class BuildOnceDriver(ClassicTestDriver):
    """Runs ``build``, then ``program`` with the arguments of each of ``cases``.

    Keys of ``test.yaml``:

    - ``requires``: programs without which the test is skipped
    - ``only_if``: a command that has to succeed here, else the test is skipped
    - ``build``: a command
    - ``program``: the beginning of the command of each case
    - ``cases``: by name, the ``args``, ``stdin``, ``stdout`` and ``status`` of each
    """

    def add_test(self, dag: Any) -> None:
        """Add a fragment for each case; all of them wait for ``build``, ``summary`` for them."""
        self.add_fragment(dag, "build")
        runs = []
        for name, case in self.test_env["cases"].items():
            runs.append(f"run_{name}")
            one = functools.partial(self.run_case, name=name, case=case)
            self.add_fragment(dag, runs[-1], one, after=["build"])
        self.add_fragment(dag, "summary", after=["build", *runs])

    def build(self, prev: dict[str, Any], slot: int) -> str:
        """Build the program; return the directory it is in, or nothing if it is not there."""
        try:
            self._build()
        except TestSkip as error:
            self.push_skip(str(error))
            return ""
        except TestAbortWithFailure as error:
            self.push_failure(f"does not build: {error}")
            return ""
        return self.working_dir()

    def run_case(
        self, prev: dict[str, Any], slot: int, *, name: str, case: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Run the program on one input, push a result of its own, return what is to be added up."""
        directory = prev["build"]
        if not directory:
            return None
        with self.result_of_its_own(name):
            ended = self.shell(
                [*self.test_env["program"], *map(str, case.get("args", []))],
                cwd=directory,
                stdin="|" + case.get("stdin", ""),
                catch_error=False,
                analyze_output=False,
            )
            status, stdout = case.get("status", 0), case.get("stdout", "")
            passed = (ended.status, ended.out) == (status, stdout)
            if passed:
                self.result.set_status(TestStatus.PASS)
            else:
                why = f"{ended.out!r} and status {ended.status}, not {stdout!r} and {status}"
                self.result.set_status(TestStatus.FAIL, why)
            self.push_result()
        return {"passed": passed, "bytes": len(ended.out)}

    def summary(self, prev: dict[str, Any], slot: int) -> None:
        """Push the result of the test itself: as good as the worst of its cases."""
        if not prev.pop("build"):
            return  # `build` has said why
        runs = list(prev.values())
        passed = sum(bool(run and run["passed"]) for run in runs)
        self.result.info["cases"] = str(len(runs))
        self.result.info["bytes"] = str(sum(run["bytes"] for run in runs if run))
        verdict = TestStatus.PASS if passed == len(runs) else TestStatus.FAIL
        self.result.set_status(verdict, f"{passed} of {len(runs)} cases passed")
        self.push_result()
        shutil.rmtree(self.working_dir())

    def run(self) -> None:
        """Not used: the fragments are others than those of a classic driver."""

    @contextlib.contextmanager
    def result_of_its_own(self, name: str) -> Iterator[None]:
        """Let ``self.result``, where `shell` keeps its log, be that of case *name* for a while.

        Afterwards it is that of the test again: what fragments set on their driver, those that
        follow see.
        """
        whole = self.result
        self.result = TestResult(f"{self.test_name}.{name}")
        try:
            yield
        finally:
            self.result = whole

    def _build(self) -> None:
        for name in self.test_env.get("requires", []):
            if shutil.which(name) is None:
                raise TestSkip(f"requires {name!r}, which is not on PATH")
        shutil.copytree(self.test_dir(), self.working_dir())
        only_if = self.test_env.get("only_if")
        if only_if is not None and self._run_tool(only_if).status != 0:
            raise TestSkip(f"{os.path.basename(only_if[0])!r} is here but does not work")
        self._run_tool(self.test_env["build"], catch_error=True)

    def _run_tool(self, args: list[str], *, catch_error: bool = False) -> Any:
        return self.shell(args, catch_error=catch_error, analyze_output=False)
