"""A test that forks and joins."""

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestAbort, TestDriver, TestStatus


class Diamond(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "source")
        for name in ("left", "middle", "right"):
            self.add_fragment(dag, name, after=["source"])
        self.add_fragment(dag, "sink", after=["left", "middle", "right"])

    def source(self, prev, slot):
        return {"text": "weft", "bytes": b"\x00\xff", "numbers": [1, 2.5, None, 10**30]}

    def left(self, prev, slot):
        return (prev["source"]["text"] + " goes left", prev["source"]["numbers"])

    def middle(self, prev, slot):
        raise TestAbort

    def right(self, prev, slot):
        return prev["source"]["bytes"] * 3

    def sink(self, prev, slot):
        self.result.info["seen"] = repr(sorted(prev.items(), key=lambda item: item[0]))
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Raising(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "first")
        self.add_fragment(dag, "second", after=["first"])

    def first(self, prev, slot):
        self.left_behind = 1
        return KeyError("lost")

    def second(self, prev, slot):
        error = prev["first"]
        self.result.info["seen"] = f"{type(error).__name__} {error} {self.left_behind}"
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Many(TestDriver):
    """Three hundred fragments, and one that gets what all of them return."""

    def add_test(self, dag):
        names = [f"n{number}" for number in range(300)]
        for number, name in enumerate(names):
            self.add_fragment(dag, name, lambda prev, slot, number=number: number * number)
        self.add_fragment(dag, "total", after=names)

    def total(self, prev, slot):
        self.result.info["seen"] = str(sum(prev.values()))
        self.result.set_status(TestStatus.PASS)
        self.push_result()


TESTS = {"diamond": Diamond, "many": Many, "raising": Raising}


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
