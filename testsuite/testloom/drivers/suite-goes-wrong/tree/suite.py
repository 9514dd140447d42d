"""A suite that raises where it is told to."""

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Fine(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class One(TestFinder):
    def probe(self, testsuite, dirpath, dirnames, filenames):
        if "suite.py" not in filenames:
            return None
        return [ParsedTest("one", Fine, {}, dirpath, source=__file__)]


class Suite(testloom.Testsuite):
    test_finders = (One(),)

    def add_options(self, parser):
        parser.add_argument("--where", choices=["set_up", "tear_down", "add_test", "nowhere"])

    def set_up(self):
        self.may_raise("set_up")

    def tear_down(self):
        print("tear_down was called", flush=True)
        self.may_raise("tear_down")

    def adjust_dag_dependencies(self, dag):
        self.may_raise("add_test")

    def may_raise(self, where):
        if self.main.args.where == where:
            raise RuntimeError(f"{where} goes wrong")
