"""Finders."""

import os

import testloom
from testloom.discovery import ParsedTest, ProbingError, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Fine(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Files(TestFinder):
    """Takes each file but this one for a test."""

    test_dedicated_directory = False

    def probe(self, testsuite, dirpath, dirnames, filenames):
        place = os.path.basename(dirpath)
        if place == "wrong":
            raise ProbingError("this directory is wrong")
        if place == "broken":
            return [1 / 0]
        if place == "strange":
            return ["not a test"]
        return [
            ParsedTest(name.removesuffix(".t"), Fine, {}, dirpath, source=f"{dirpath}/{name}")
            for name in filenames
            if name.endswith(".t")
        ]


class Suite(testloom.Testsuite):
    test_finders = (Files(),)
