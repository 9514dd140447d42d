"""A run on a terminal of its own, at which somebody presses keys."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testloom.processes import tree

pytestmark = pytest.mark.slow  # they are whole runs

LIMIT_S = 30.0
ASKS = """
import testloom
from testloom.drivers import BasicTestDriver, TestStatus

class Asks(BasicTestDriver):
    def run(self, prev, slot):
        print(f"got {input('What?')}!", flush=True)

    def analyze(self, prev, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()

class Suite(testloom.Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"asks": Asks}
    default_driver = "asks"
"""


class Terminal:
    """A terminal, and the run that it controls."""

    def __init__(self, root: Path, *options: str) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.before = termios.tcgetattr(self._ours)
        self.text = ""
        command = [sys.executable, "-P", "-m", "testloom", "-j2", "--reporter", "live"]
        self.main = subprocess.Popen(
            [*command, "--history", "none", *options],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=root,
            env={**os.environ, "TERM": "xterm", "GATE": str(root / "gate")},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one thread
        )
        os.close(theirs)

    def change(self) -> list[object]:
        """Let the terminal be as the line editor of a shell wants it; return that."""
        attributes = termios.tcgetattr(self._ours)
        attributes[0] &= ~termios.ICRNL
        attributes[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(self._ours, termios.TCSANOW, attributes)
        return self.attributes

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def see(self, pattern: str) -> None:
        """Wait until the terminal has been sent what *pattern* matches."""
        while not re.search(pattern, self.text):
            assert select.select([self._ours], [], [], LIMIT_S)[0], self.text
            try:
                self.text += os.read(self._ours, 1 << 16).decode("utf-8", "replace")
            except OSError:  # everybody has closed it
                pytest.fail(f"{pattern!r} has not come: {self.text}")

    @property
    def attributes(self) -> list[object]:
        return termios.tcgetattr(self._ours)

    def close(self) -> None:
        if self.main.poll() is None:
            self.main.kill()
        self.main.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path, in_time: None) -> Iterator[Callable[..., Terminal]]:
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "tests" / "waits").mkdir(parents=True)
    (tmp_path / "testloom.toml").write_text("")
    (tmp_path / "tests" / "waits" / "test.yaml").write_text('{cmd: "read x <$GATE", shell: true}')
    made: list[Terminal] = []

    def make(*options: str) -> Terminal:
        made.append(Terminal(tmp_path, *options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_t_tells_what_runs_and_the_terminal_is_given_back(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    it = terminal()
    it.see("0 .*waits")
    it.press("x")
    it.press("t")
    it.see(r"state after [\d.]+ s: running; 1 fragment in 1 slot, 0 waiting")
    it.see(r"slot 0: tests/waits.run_wrapper: .*pid \d+")
    (tmp_path / "gate").write_text("\n")
    it.see("1 passed, 0 failed, 0 skipped")
    assert (it.main.wait(LIMIT_S), it.attributes) == (0, it.before)


def test_ctrl_c_still_ends_the_run(terminal: Callable[..., Terminal]) -> None:
    it = terminal()
    it.see("0 .*waits")
    it.press("\x03")
    it.see("SIGINT received; ending")
    assert (it.main.wait(LIMIT_S), it.attributes) == (-signal.SIGINT, it.before)


def test_a_killed_run_leaves_the_terminal_as_it_was(
    terminal: Callable[..., Terminal], gone: Callable[[int], bool]
) -> None:
    it = terminal()
    it.see("0 .*waits")
    it.press("t")
    it.see("main: pid")
    taken = it.attributes
    nursery = tree.children(it.main.pid)
    it.main.kill()
    it.main.wait()
    assert all(map(gone, nursery))
    assert (taken != it.before, it.attributes) == (True, it.before)


def test_who_has_the_terminal_after_a_killed_run_keeps_it_as_he_likes(
    terminal: Callable[..., Terminal], gone: Callable[[int], bool]
) -> None:
    """A shell edits the next line by then."""
    it = terminal()
    it.see("0 .*waits")
    it.press("t")
    it.see("main: pid")
    nursery = tree.children(it.main.pid)
    shell = it.change()
    it.main.kill()
    it.main.wait()
    assert all(map(gone, nursery))
    assert it.attributes == shell


def test_what_runs_in_the_process_itself_has_the_terminal(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "suite.py").write_text(ASKS)
    (tmp_path / "testloom.toml").write_text('suite = "suite.py:Suite"')
    it = terminal("-s")
    it.see(r"What\?")
    assert it.attributes == it.before
    it.press("42x\x7f\n")
    it.see("got 42!")
    assert it.main.wait(LIMIT_S) == 0


def test_ctrl_z_gives_the_terminal_back_until_the_run_goes_on(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    it = terminal()
    it.see("0 .*waits")
    it.press("t")
    it.see("main: pid")
    taken = it.attributes
    # Who leads a session is not stopped as by a shell: it goes on at once.
    it.press("\x1a")
    it.press("t")
    it.see("(?s)main: pid.*main: pid")
    while it.attributes != taken:
        pass  # the key may have been read before the run has gone on
    (tmp_path / "gate").write_text("\n")
    assert (it.main.wait(LIMIT_S), it.attributes) == (0, it.before)
