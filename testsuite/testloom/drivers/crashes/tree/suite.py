"""Drivers that end the process they run in."""

import ctypes
import os
import resource
import signal

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Crashing(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.do()
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Segfault(Crashing):
    def do(self):
        ctypes.string_at(0)


class LeavesQuietly(Crashing):
    def do(self):
        os._exit(0)


class LeavesWithThree(Crashing):
    def do(self):
        print("about to leave", flush=True)
        os._exit(3)


class Killed(Crashing):
    def do(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Aborts(Crashing):
    def do(self):
        os.abort()


class PassesFirst(Crashing):
    def do(self):
        self.result.set_status(TestStatus.PASS)
        self.push_result()
        os.kill(os.getpid(), signal.SIGKILL)


class KillsItsGroup(Crashing):
    def do(self):
        os.killpg(0, signal.SIGKILL)


class Healthy(Crashing):
    def do(self):
        pass


TESTS = {
    "before": Healthy,
    "segfault": Segfault,
    "exit-0": LeavesQuietly,
    "exit-3": LeavesWithThree,
    "sigkill": Killed,
    "abort": Aborts,
    "pass-then-kill": PassesFirst,
    "kills-its-group": KillsItsGroup,
    "after": Healthy,
}


class Each(TestFinder):
    """Makes a test of each driver of this file."""

    def probe(self, testsuite, dirpath, dirnames, filenames):
        if "suite.py" not in filenames:
            return None
        return [
            ParsedTest(name, driver, {}, dirpath, source=__file__) for name, driver in TESTS.items()
        ]


class Suite(testloom.Testsuite):
    """All of them."""

    test_finders = (Each(),)
