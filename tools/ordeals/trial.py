"""A suite whose tests are lines of Python, a run of it as a process, and what is left of that.

This process is the subreaper of its runs: what one leaves becomes its child, so that waiting for
children until there are none is waiting until all of the run is gone, without looking again and again.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from testloom.processes import prctl, tree

LIMIT_S: Final = 60.0
"""What has not ended by then hangs."""
COOKIE: Final = "TESTLOOM_ORDEAL"
SUITE: Final = '''
import json
import os
import subprocess

import testloom
from testloom.discovery.finder import TestFinder
from testloom.drivers import TestDriver, TestStatus
from testloom.model.test import ParsedTest
from testloom.processes.launcher import Program, run
from testloom.suite.hookspecs import hookimpl


def sh(code, timeout_s=None):
    """Run *code* by the shell; return how it ended."""
    return run(Program(argv=("sh", "-c", code), timeout_s=timeout_s, grace_s=0.2)).end


class Line(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "run")

    def run(self, previous, slot):
        exec(self.test_env["code"], {**globals(), "self": self})
        if self.result.status is TestStatus.ERROR:  # nothing else was said
            self.result.set_status(TestStatus.PASS)
        self.push_result()


class Lines(TestFinder):
    test_dedicated_directory = False

    def probe(self, suite, directory, directories, files):
        if "lines.json" not in files:
            return None
        with open(os.path.join(directory, "lines.json")) as file:
            lines = json.load(file)
        return [ParsedTest(name, Line, {"code": code}, directory) for name, code in lines.items()]


class Tells:
    """Say of each result that it is there."""

    @hookimpl
    def testloom_result(self, entry):
        os.write(1, f"acknowledged {entry.name} {entry.status.name}\\n".encode())


class Suite(testloom.Testsuite):
    tests_subdir = "tests"
    test_finders = (Lines(),)
    plugins = (Tells(),) if os.environ.get("TELLS") else ()
'''


class Trial:
    """A suite of *tests*, name -> line of Python, and runs of it below *root*."""

    def __init__(self, root: Path, tests: Mapping[str, str]) -> None:
        self.root = root
        self.tests = tests
        self.cookie = uuid.uuid4().hex
        for name in ("tests", "tmp"):
            (root / name).mkdir(parents=True)
        (root / "suite.py").write_text(SUITE)
        (root / "testloom.toml").write_text('suite = "suite.py:Suite"\n')
        (root / "tests" / "lines.json").write_text(json.dumps(dict(tests)))

    def start(self, *options: str, tells: bool = False, prefix: Sequence[str] = ()) -> Run:
        """Start a run of all tests; *prefix* are words before the command."""
        reports = [word for name in ("junit", "json", "html") for word in ("--report", name)]
        command = [
            *prefix,
            sys.executable,
            "-P",
            "-m",
            "testloom",
            "--reporter",
            "minimal",
            *reports,
        ]
        out = tempfile.TemporaryFile(dir=self.root)  # noqa: SIM115 - the run has it
        process = subprocess.Popen(
            [*command, *options],
            cwd=self.root,
            env={
                **os.environ,
                COOKIE: self.cookie,
                "TMPDIR": str(self.root / "tmp"),
                "TELLS": "1" if tells else "",
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        return Run(process, out.fileno(), out)

    @property
    def latest(self) -> Path:
        """The directory of the newest run."""
        return self.root / "out" / "latest"

    def survivors(self) -> list[int]:
        """Return the processes of this suite's runs, wherever they have gone."""
        word = f"{COOKIE}={self.cookie}".encode()
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdecimal() and word in Path("/proc", name, "environ").read_bytes():
                    found.append(int(name))
        return [pid for pid in found if not tree.is_zombie(pid)]


class Run:
    """A run that goes on."""

    def __init__(self, process: subprocess.Popen[bytes], out: int, keep: object) -> None:
        self.process = process
        self._out, self._keep = out, keep
        self.started_at = time.monotonic()

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came before *seconds* had passed."""
        if self.process.returncode is not None:
            return True
        fd = os.pidfd_open(self.process.pid)
        try:
            ended = bool(select.select([fd], [], [], seconds)[0])
        finally:
            os.close(fd)
        if ended:
            self.process.wait()
        return ended

    def end(self) -> int:
        """Wait for its end, which must come in time; return how it ended.

        Raises:
            AssertionError: it hangs; it was killed.
        """
        if not self.ends_within(LIMIT_S):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it hangs; so far: {self.said()[-2000:]}")
        return self.process.returncode

    def said(self) -> str:
        """Return all that it has written."""
        size = os.fstat(self._out).st_size
        return os.pread(self._out, size, 0).decode("utf-8", "replace")


def wait_until_empty(limit_s: float = LIMIT_S) -> float:
    """Wait until this process has no child, and so no descendant; return how many seconds it took.

    Raises:
        AssertionError: some are still there after *limit_s*; they were killed.
    """
    began = time.monotonic()
    with _alarm(limit_s):
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            return time.monotonic() - began
        except TimeoutError:
            left = [tree.describe(pid) for pid in tree.descendants(os.getpid())]
            tree.kill_below(os.getpid())
            raise AssertionError(f"still there: {', '.join(left)}") from None


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(_signum: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Give a directory that goes afterwards, and let this process be the subreaper of its runs."""
    prctl.become_subreaper()
    # Whoever started us in the background has had it ignored, and our runs would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="testloom-ordeal-") as directory:
        yield Path(directory)


def say(*words: str) -> None:
    """Print a line."""
    print(*words, flush=True)  # noqa: T201 - a tool


def verdict(problems: Sequence[str]) -> int:
    """Print the first of *problems*, and what they come to; return an exit status."""
    for problem in problems[:20]:
        say("PROBLEM:", problem)
    say(f"{len(problems)} problems" if problems else "no problem")
    return 1 if problems else 0
