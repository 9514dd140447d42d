"""Runs a scenario: a suite of healthy tests and those that misbehave, the command line, and what befalls it.

Nothing sleeps: tests tell through a FIFO that they have come so far, and wait at another one until they may go on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
import select
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import yaml
from tests.faults.scenario import Scenario

from testloom.processes import tree
from testloom.processes.memory import MemoryLimit

PATIENCE_S: Final = float(os.environ.get("TESTLOOM_PATIENCE_S", "40"))
"""How much longer than on an idle machine anything may take."""
COOKIE: Final = "TESTLOOM_FAULTS_RUN"
SUITE: Final = '''
"""Tests whose Python code stands in their test.yaml."""

import os

import testloom
from testloom.drivers import TestDriver, TestResult, TestStatus
from testloom.suite.hookspecs import hookimpl


def here():
    """Say that this process has come so far."""
    with open(os.environ["HERE"], "w") as gate:
        gate.write(f"{os.getpid()}\\n")


def wait():
    """Say so, and wait until the scenario lets everybody go on."""
    here()
    with open(os.environ["GO_ON"], "rb", buffering=0) as gate:
        gate.read(1)


class CodeDriver(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "run")

    def run(self, previous, slot):
        exec(self.test_env["python"], {**globals(), "self": self})
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Suite(testloom.Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"python": CodeDriver}


def driver(name):
    """Make a driver known under *name*."""

    def add(cls):
        Suite.test_driver_map[name] = cls
        return cls

    return add


'''


@dataclasses.dataclass(slots=True)
class Ran:
    """A run that has ended."""

    root: Path
    exit_code: int
    out: str
    err: str
    cookie: str
    not_ours: frozenset[int]
    """Children of this process that were there before."""

    @property
    def run_dir(self) -> Path:
        return self.root / "out" / "latest"


class Provoked:
    """A run that goes on."""

    def __init__(self, scenario: Scenario, root: Path) -> None:
        self._scenario = scenario
        self._root = root
        self._not_ours = frozenset(tree.children(os.getpid()))
        self.cookie = uuid.uuid4().hex
        self._text: list[str] = []
        self._grew = threading.Condition()
        self._readers: list[threading.Thread] = []
        self._announced: list[int] = []
        for name in ("here", "go_on"):
            os.mkfifo(root / name)
        # Open at both ends: nobody waits for a partner, and nothing ends early.
        self._here = os.open(root / "here", os.O_RDWR)
        self._go_on = os.open(root / "go_on", os.O_RDWR)

    def run(self, *more: str, steps: bool = True) -> Ran:
        """Run the command line to its end, doing meanwhile what the scenario says."""
        self._text.clear()
        with contextlib.ExitStack() as stack:
            process = self._start(stack, more)
            stack.callback(self._end, process)
            for step in self._scenario.steps if steps else [{"go-on": "all"}]:
                self._do(step, process)
            try:
                code = process.wait(self._scenario.bound_s + PATIENCE_S)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"I1: it hangs; so far: {''.join(self._text)}") from None
            for reader in self._readers:
                reader.join(PATIENCE_S)
                assert not reader.is_alive(), "I2: somebody keeps the output open"
            err = (self._root / "stderr").read_text(encoding="utf-8")
        return Ran(self._root, code, "".join(self._text), err, self.cookie, self._not_ours)

    def close(self) -> None:
        os.close(self._here)
        os.close(self._go_on)

    def _start(self, stack: contextlib.ExitStack, more: tuple[str, ...]) -> subprocess.Popen[bytes]:
        reports = ("--report", "junit", "--report", "json", "--report", "html")
        command = [*self._scenario.prefix, sys.executable, "-P", "-m", "testloom"]
        command += ["--reporter", "lines"]
        if not any(word.startswith("-j") for word in self._scenario.args):
            command.append("-j4")
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith("TESTLOOM_")
        }
        stdout: IO[bytes] | int = subprocess.PIPE
        if self._scenario.stdout == "full":
            stdout = stack.enter_context(open("/dev/full", "wb"))  # noqa: SIM115 - the stack closes it
        stderr = stack.enter_context((self._root / "stderr").open("wb"))
        memory = self._scenario.memory_bytes and MemoryLimit.of(self._scenario.memory_bytes)
        if memory:
            stack.callback(memory.close)
        process = subprocess.Popen(
            [*command, *reports, *self._scenario.args, *more],
            cwd=self._root,
            env={
                **environ,
                **self._scenario.environ,
                COOKIE: self.cookie,
                "HERE": str(self._root / "here"),
                "GO_ON": str(self._root / "go_on"),
                "TMPDIR": str(self._root / "tmp"),
            },
            preexec_fn=memory.enter if memory else None,  # noqa: PLW1509 - takes no lock
            process_group=0,  # as a shell does it: else it could not be stopped as by Ctrl-Z
            stdin=subprocess.PIPE,  # which nobody writes to, and nobody closes
            stdout=stdout,
            stderr=stderr,
        )
        self._readers = []
        if process.stdout is not None and self._scenario.stdout == "pipe":
            reader = threading.Thread(target=self._read, args=(process.stdout,))
            reader.start()
            self._readers.append(reader)
        elif process.stdout is not None:  # a reader that goes away after one line
            self._text.append(process.stdout.readline().decode())
            process.stdout.close()
        return process

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                with self._grew:
                    self._text.append(line.decode())
                    self._grew.notify_all()

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _do(self, step: Any, process: subprocess.Popen[bytes]) -> None:
        ((verb, what),) = step.items()
        if verb == "arrive":
            self._arrive(what)
        elif verb == "signal":
            process.send_signal(signal.Signals[f"SIG{what}"])
        elif verb == "signal-child":  # of what the prefix has become
            tree.signal_all(tree.children(process.pid), signal.Signals[f"SIG{what}"])
        elif verb == "kill-arrived":
            for pid in self._announced[:what]:
                os.kill(pid, signal.SIGKILL)
        elif verb == "kill-run":
            self._kill_run(process, what)
        elif verb == "shows":
            with self._grew:
                seen = self._grew.wait_for(lambda: re.search(what, "".join(self._text)), PATIENCE_S)
            assert seen, f"it does not show {what!r}, but {''.join(self._text)}"
        elif verb == "signal-all":
            pids = [process.pid, *tree.descendants(process.pid)]
            tree.signal_all(pids, signal.Signals[f"SIG{what}"])
        elif verb == "stands-still":
            self._is_stopped(process)
            self._stands_still(process, what)
        elif verb == "main-stands-still":
            self._is_stopped(process)
            assert not tree.wait_gone([process.pid], what), "it ends"
        elif verb == "tells":
            err = self._root / "stderr"
            while not re.search(what, err.read_text(encoding="utf-8")):
                assert not tree.wait_gone([process.pid], 0.05), f"it does not tell {what!r}"
        elif verb == "storm":
            for _ in range(10000):
                for name in what:
                    process.send_signal(signal.Signals[f"SIG{name}"])
        elif verb == "kill-last":
            os.kill(self._announced[-1], signal.SIGKILL)
        elif verb == "go-on":
            os.write(self._go_on, b"." * (1000 if what == "all" else what))
        elif verb == "ends-within":
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(what)
        elif verb == "second-run":
            self._run_beside(what)
        else:
            raise AssertionError(f"no step is called {verb!r}")

    @staticmethod
    def _kill_run(process: subprocess.Popen[bytes], what: str) -> None:
        """Kill main and all processes called *what*, none of which gets to notice the others' end."""
        below = tree.descendants(process.pid)
        pids = [process.pid, *(p for p in below if tree.describe(p).startswith(what))]
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            tree.signal_all(pids, signum)

    @staticmethod
    def _is_stopped(process: subprocess.Popen[bytes]) -> None:
        stop = functools.partial(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WEXITED)
        waiter = threading.Thread(target=stop, daemon=True)
        waiter.start()
        waiter.join(PATIENCE_S)
        assert not waiter.is_alive(), "it does not stop"

    @staticmethod
    def _stands_still(process: subprocess.Popen[bytes], for_s: float) -> None:
        """See that nothing runs for so long; it has a moment to get to that."""
        assert not tree.wait_gone([process.pid], for_s / 2), "it ends"
        below = tree.descendants(process.pid)
        before = [_cpu_ticks(pid) for pid in below]
        assert not tree.wait_gone(below, for_s / 2), "something ends"
        assert [_cpu_ticks(pid) for pid in below] == before, "something runs"

    def _arrive(self, count: int) -> None:
        """Wait until *count* more tests have come to their gate."""
        for _ in range(count):
            ready, _, _ = select.select([self._here], [], [], PATIENCE_S)
            assert ready, "a test did not get to its gate"
            line = b""
            while not line.endswith(b"\n"):
                line += os.read(self._here, 1)
            self._announced.append(int(line))

    def _run_beside(self, says: str) -> None:
        """Start another run in the same output directory; it must be turned away, saying so."""
        other = subprocess.run(
            [sys.executable, "-P", "-m", "testloom"],
            cwd=self._root,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert other.returncode == 4, other
        assert re.search(says, other.stderr), other.stderr


def _cpu_ticks(pid: int) -> list[str]:
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2].split()
    return fields[11:13]


def memory_can_be_limited() -> bool:
    """Tell whether there are control groups for that."""
    limit = MemoryLimit.of(1 << 30)
    limit.close()
    return limit.is_for_all


def write_suite(scenario: Scenario, root: Path) -> None:
    """Write the suite of *scenario*, which is made of nothing but files below *root*."""
    (root / "tmp").mkdir(exist_ok=True)
    (root / "testloom.toml").write_text('suite = "suite.py:Suite"\n')
    (root / "suite.py").write_text(SUITE + scenario.suite)
    (root / "tests").mkdir()
    for name, text in _tests(scenario):
        (root / "tests" / name).mkdir()
        (root / "tests" / name / "test.yaml").write_bytes(text)
    for path, content in scenario.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def controls(scenario: Scenario) -> list[str]:
    """Return the names of the healthy tests: first and last in the order of names, and between."""
    return [f"{'amz'[number % 3]}-healthy-{number:02}" for number in range(scenario.controls)]


def _tests(scenario: Scenario) -> Iterator[tuple[str, bytes]]:
    for name in controls(scenario):
        yield name, b"{driver: command, cmd: ['true']}\n"
    for name, content in scenario.tests.items():
        if isinstance(content, bytes):
            yield name, content
        elif "times" in content and not isinstance(content, str):
            yield name, content["text"].encode() * content["times"]
        elif isinstance(content, str):
            yield name, yaml.safe_dump({"driver": "python", "python": content}).encode()
        else:
            yield name, yaml.safe_dump({"driver": "command", **content}).encode()
