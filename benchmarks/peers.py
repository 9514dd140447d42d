"""The runners that are compared, each in the best way its manual documents.

A peer says how it is found, which files it needs beside the tree of tests, which command runs them
all, and how its output tells how many passed.  All peers of one tree share one directory, the
*place*: `tests/` is the tree, `out/` and `tmp/` are empty at the start of each run.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from environments import Installed, OwnPython, Packaged, Tool, checked, on_path, version_of
from measure import Command
from trees import Test, Tree, grow

SUITES = Path(__file__).with_name("suites")


@dataclass(frozen=True, slots=True)
class Peer:
    """A runner that was found on this machine; *program* is its path."""

    program: Path

    name: ClassVar[str]
    tool: ClassVar[Tool]
    """What `program` is the path of."""
    note: ClassVar[str]
    """What it does for each test, so that the work can be compared."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Programs that must be on the PATH besides."""
    package: ClassVar[str | None] = None
    """The package its version is asked of; without one, the program is asked."""
    suites: ClassVar[tuple[str, ...]] = ()
    """The files of `suites/` it needs in the place."""
    most_tests: ClassVar[int | None] = None
    """It is so slow that it gets at most this many, and is left out of further, bigger tables."""
    parallel: ClassVar[bool] = True
    passed_pattern: ClassVar[str | None] = None
    """Its last match in the output tells how many passed; None: exit code 0 says all."""

    def version(self) -> str:
        return version_of(self.program, self.package)

    def prepare(self, tests: Tree) -> None:
        """Write what the runner needs besides *tests*; this is not measured."""
        for name in self.suites:
            shutil.copy(SUITES / name, tests.place / name)

    def argv(self, jobs: int) -> tuple[str, ...]:
        """Return what runs all tests, *jobs* at a time, when started in the place."""
        raise NotImplementedError

    def command(self, place: Path, jobs: int) -> Command:
        """Return the run of all tests in *place*."""
        return Command(
            argv=self.argv(jobs),
            cwd=place,
            stdout=place / "out" / "console.txt",
            env=self.env(place),
        )

    def env(self, place: Path) -> dict[str, str]:
        """Return what is set in the environment of the command."""
        return {"TMPDIR": str(place / "tmp")}

    def passed(self, place: Path, tests: int) -> int:
        """Return how many tests passed in a run that exited with 0."""
        if self.passed_pattern is None:
            return tests
        console = (place / "out" / "console.txt").read_text(errors="replace")
        counts = re.findall(self.passed_pattern, console, re.MULTILINE)
        return int(counts[-1]) if counts else 0


class Xargs(Peer):
    name = "xargs"
    tool = Installed("xargs")
    note = "the floor: starts `cat`, output to /dev/null, compares nothing"

    def prepare(self, tests: Tree) -> None:
        lines = (f"{test.input.relative_to(tests.place)}\n" for test in tests)
        (tests.place / "inputs.txt").write_text("".join(lines))

    def argv(self, jobs: int) -> tuple[str, ...]:
        return (str(self.program), f"-P{jobs}", "-n1", "cat")

    def command(self, place: Path, jobs: int) -> Command:
        return Command(argv=self.argv(jobs), cwd=place, stdin=place / "inputs.txt")


class Ninja(Peer):
    name = "ninja"
    tool = Installed("ninja")
    note = "`cat` through /bin/sh, its output collected and printed, compares nothing"
    passed_pattern = r"^\[(\d+)/\d+\]"
    rule: ClassVar[str] = "cat $in"

    def prepare(self, tests: Tree) -> None:
        # The targets are never made, so that each run finds all of them to be made.
        lines = [f"builddir = out\nrule cat\n  command = {self.rule}\n"]
        for test in tests:
            given, expected = test.input.relative_to(tests.place), test.expected
            lines.append(f"build out/{test.name}: cat {given}\n")
            if "$expected" in self.rule:
                lines.append(f"  expected = {expected.relative_to(tests.place)}\n")
        (tests.place / f"{self.name}.build").write_text("".join(lines))

    def argv(self, jobs: int) -> tuple[str, ...]:
        return (str(self.program), f"-j{jobs}", "-k0", "-f", f"{self.name}.build")


class NinjaCompare(Ninja):
    name = "ninja-compare"
    note = "`cat | cmp` through /bin/sh"
    rule = "cat $in | cmp - $expected"


class CTest(Peer):
    name = "ctest"
    tool = Installed("ctest")
    note = "`cat`, its exit code; a log of all output, compares nothing"
    passed_pattern = r"0 tests failed out of (\d+)"

    def prepare(self, tests: Tree) -> None:
        build = tests.place / self.name
        build.mkdir()
        lines = (f"add_test({test.name} {self.argv_of(test)})\n" for test in tests)
        (build / "CTestTestfile.cmake").write_text("".join(lines))

    def argv_of(self, test: Test) -> str:
        """Return the command of *test* as CMake writes it."""
        return f"[=[{on_path('cat')}]=] [=[{test.input}]=]"

    def argv(self, jobs: int) -> tuple[str, ...]:
        return (str(self.program), f"-j{jobs}", "--test-dir", self.name)


class CTestCompare(CTest):
    name = "ctest-compare"
    note = "`cat | cmp` through /bin/sh, its exit code; a log of all output"

    def argv_of(self, test: Test) -> str:
        pipe = f"cat {shlex.quote(str(test.input))} | cmp - {shlex.quote(str(test.expected))}"
        return f"/bin/sh -c [=[{pipe}]=]"


class Meson(Peer):
    name = "meson"
    tool = Packaged("meson", ("meson",))
    needs = ("ninja",)
    package = "meson"
    note = "`cat`, its exit code; text and JUnit logs, compares nothing; set-up is not measured"
    passed_pattern = r"^O[kK]:\s+(\d+)"

    def prepare(self, tests: Tree) -> None:
        source = tests.place / "meson"
        source.mkdir()
        lines = (f"test('{test.name}', cat, args: ['{test.input}'])\n" for test in tests)
        head = "project('cat')\ncat = find_program('cat')\n"
        (source / "meson.build").write_text(head + "".join(lines))
        checked([str(self.program), "setup", str(source / "build"), str(source)])

    def argv(self, jobs: int) -> tuple[str, ...]:
        options = ("-C", "meson/build", "--no-rebuild", f"--num-processes={jobs}")
        return (str(self.program), "test", *options)


class Pytest(Peer):
    name = "pytest"
    tool = Packaged("pytest", ("pytest", "pytest-xdist"))
    note = "a parametrised function: `subprocess.run`, compares; one at a time, no files written"
    package = "pytest"
    suites = ("pytest_cat.py", "pytest.ini")
    parallel = False
    passed_pattern = r"(\d+) passed"

    def argv(self, jobs: int) -> tuple[str, ...]:
        workers = (f"-n{jobs}", "--max-worker-restart=0") if self.parallel else ()
        return (str(self.program), "-q", "-p", "no:cacheprovider", *workers, "pytest_cat.py")


class Xdist(Pytest):
    name = "pytest-xdist"
    note = "the same function in worker processes, no files written"
    package = "pytest-xdist"
    parallel = True


class E3(Peer):
    name = "e3-threads"
    tool = Packaged("python", ("e3-testsuite==27.3",))
    note = "copies the directory, runs through its rlimit wrapper, compares, a YAML file a result"
    package = "e3-testsuite"
    suites = ("e3_cat.py", "e3_drivers.py")
    passed_pattern = r"^ +PASS +(\d+)$"

    def argv(self, jobs: int) -> tuple[str, ...]:
        return (str(self.program), "e3_cat.py", f"-j{jobs}", "-o", "out")

    def env(self, place: Path) -> dict[str, str]:
        # The suite starts programs that were installed with it.
        path = f"{self.program.parent}{os.pathsep}{os.environ['PATH']}"
        return {**super().env(place), "PATH": path}


class E3Processes(E3):
    name = "e3-processes"
    note = "the same with --force-multiprocessing: a fresh interpreter a test"
    most_tests = 200

    def argv(self, jobs: int) -> tuple[str, ...]:
        return (*super().argv(jobs), "--force-multiprocessing")


class Lit(Peer):
    name = "lit"
    tool = Packaged("lit", ("lit",))
    note = "internal shell, `cat | diff`: both its own built-ins, two Python processes a test"
    package = "lit"
    most_tests: ClassVar[int | None] = 1000
    passed_pattern = r"^ *Passed *: *(\d+)"
    line: ClassVar[str] = "cat %S/input.txt | diff - %S/test.out"

    def prepare(self, tests: Tree) -> None:
        def run_line(_test: Test) -> dict[str, str]:
            return {"cat.test": f"# RUN: {self.line}\n"}

        grow(Tree(tests.place / self.name, tests.count), more=run_line)
        shutil.copy(SUITES / "lit.cfg.py", tests.place / self.name)

    def argv(self, jobs: int) -> tuple[str, ...]:
        return (str(self.program), f"-j{jobs}", self.name)

    def env(self, place: Path) -> dict[str, str]:
        return {**super().env(place), "CAT_OUTPUT": str(place / "out")}


class LitPrograms(Lit):
    name = "lit-programs"
    note = "internal shell, `/bin/cat | cmp`: the programs instead of lit's built-ins"
    most_tests = None
    line = "/bin/cat %S/input.txt | cmp - %S/test.out"


class Testloom(Peer):
    name = "testloom"
    tool = OwnPython()
    note = "copies the directory, runs, compares, journal and JUnit report"
    suites = ("testloom_cat.py", "testloom.toml")
    passed_pattern = r"^(\d+) passed, 0 failed"

    def version(self) -> str:
        ask = "from testloom._version import __version__; print(__version__)"
        return checked([str(self.program), "-c", ask]).strip()

    def argv(self, jobs: int) -> tuple[str, ...]:
        junit = ("--xunit-output", "out/junit.xml")
        return (str(self.program), "testloom_cat.py", f"-j{jobs}", "-o", "out/run", *junit)


FLOOR = Xargs.name
PEERS: tuple[type[Peer], ...] = (
    Xargs,
    Ninja,
    NinjaCompare,
    CTest,
    CTestCompare,
    Meson,
    Pytest,
    Xdist,
    E3,
    E3Processes,
    Lit,
    LitPrograms,
    Testloom,
)


def peer_names(text: str = "") -> list[str]:
    """Return the peers that *text* names, separated by commas; all without any.

    The floor is always among them.

    Raises:
        argparse.ArgumentTypeError: a name is not that of a peer.
    """
    known = [peer.name for peer in PEERS]
    names = text.split(",") if text else known
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1) or known
            raise argparse.ArgumentTypeError(f"no peer {name!r}; did you mean {near[0]!r}?")
    return [FLOOR, *names]
