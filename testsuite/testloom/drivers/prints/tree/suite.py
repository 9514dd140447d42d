"""Drivers that print."""

import os

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Prints(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        print("printed by the driver")
        os.system("echo written by its child")
        self.end()

    def end(self):
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class PrintsAndFails(Prints):
    def end(self):
        raise LookupError("and that was that")


TESTS = {"fails": PrintsAndFails, "passes": Prints}


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
