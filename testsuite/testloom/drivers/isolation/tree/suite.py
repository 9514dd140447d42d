"""Tests that tell whether their process has run something before."""

import os

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus

USED = []


class Warm(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.result.info["fresh"] = "no" if USED else "yes"
        USED.append(os.getpid())
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Isolated(Warm):
    isolation = "process"


TESTS = {"a-warm": Warm, "b-warm": Warm, "c-own": Isolated, "d-own": Isolated, "e-warm": Warm}


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
