"""A test that sends a signal to the run, one that passes before it, one that comes too late."""

import os
import signal
import time

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Fine(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Signals(Fine):
    def go(self, prev, slot):
        # Main gives a slot its next test before it writes down what became of the last one.
        journal = os.path.join(self.env.output_dir, "run.journal")
        until = time.monotonic() + 30
        while time.monotonic() < until and not holds_a_result(journal):
            time.sleep(0.005)
        os.kill(self.env.main_pid, getattr(signal, self.env.options.signal))
        time.sleep(60)


def holds_a_result(journal):
    with open(journal, "rb") as file:
        return b'"type":"result"' in file.read()


TESTS = {"1-passes": Fine, "2-signals": Signals, "3-too-late": Fine}


class Each(TestFinder):
    def probe(self, testsuite, dirpath, dirnames, filenames):
        if "suite.py" not in filenames:
            return None
        return [
            ParsedTest(name, driver, {}, dirpath, source=__file__) for name, driver in TESTS.items()
        ]


class Suite(testloom.Testsuite):
    test_finders = (Each(),)

    def add_options(self, parser):
        parser.add_argument("--signal", default="SIGINT")

    def set_up(self):
        self.env.main_pid = os.getpid()
