"""Drivers that raise."""

import sys

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestAbort, TestDriver, TestResult, TestStatus


class Raising(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def good(self, name=None):
        self.push_result(TestResult(name or self.test_name, status=TestStatus.PASS))


class RaisesError(Raising):
    def go(self, prev, slot):
        raise LookupError("thread is broken")


class Exits(Raising):
    def go(self, prev, slot):
        sys.exit(0)


class Interrupts(Raising):
    def go(self, prev, slot):
        raise KeyboardInterrupt


class Unspeakable(Raising):
    def go(self, prev, slot):
        class Error(Exception):
            def __str__(self):
                raise ValueError

        raise Error


class AfterPassing(Raising):
    def go(self, prev, slot):
        self.good()
        raise LookupError("after the result")


class Aborts(Raising):
    def go(self, prev, slot):
        self.good()
        raise TestAbort


class Nothing(Raising):
    def go(self, prev, slot):
        """Push nothing."""


class Twice(Raising):
    def go(self, prev, slot):
        self.good()
        self.push_result(TestResult(self.test_name, status=TestStatus.FAIL, msg="changed my mind"))


class SameAsOther(Raising):
    def go(self, prev, slot):
        self.good("aborts")


class Unpicklable(Raising):
    def add_test(self, dag):
        self.add_fragment(dag, "go")
        self.add_fragment(dag, "one", after=["go"])
        self.add_fragment(dag, "two", after=["go"])

    def go(self, prev, slot):
        return lambda: 0

    def one(self, prev, slot):
        self.good(f"{self.test_name}.one")

    def two(self, prev, slot):
        self.good(f"{self.test_name}.two")


class Fine(Raising):
    def go(self, prev, slot):
        self.good()


TESTS = {
    "aborts": Aborts,
    "after-passing": AfterPassing,
    "exception": RaisesError,
    "exits": Exits,
    "fine": Fine,
    "interrupts": Interrupts,
    "nothing": Nothing,
    "same-as-other": SameAsOther,
    "twice": Twice,
    "unpicklable": Unpicklable,
    "unspeakable": Unspeakable,
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
