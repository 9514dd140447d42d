"""Drivers that take longer than they may; programs that do are in directories of their own."""

import signal
import time

import testloom
from testloom.discovery import ParsedTest, TestFinder, YAMLTestFinder
from testloom.drivers import TestDriver, TestStatus


class Slow(TestDriver):
    fragment_timeout_s = 1.0

    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.wait()
        self.result.set_status(TestStatus.PASS)
        self.push_result()

    def wait(self):
        time.sleep(100)


class Stubborn(Slow):
    def wait(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(100)


class PassesFirst(Slow):
    def wait(self):
        self.result.set_status(TestStatus.PASS)
        self.push_result()
        time.sleep(100)


class Quick(Slow):
    fragment_timeout_s = None

    def wait(self):
        pass


TESTS = {
    "fragment-passes-first": PassesFirst,
    "fragment-quick": Quick,
    "fragment-sleeps": Slow,
    "fragment-stubborn": Stubborn,
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

    test_finders = (Each(), YAMLTestFinder())
    default_driver = "command"
