"""Drivers that go wrong before anything runs."""

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Fine(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class CannotBeMade(Fine):
    def __init__(self, env, test_env):
        super().__init__(env, test_env)
        raise RuntimeError("no loom here")


class CannotBeAdded(Fine):
    def add_test(self, dag):
        self.add_fragment(dag, "go")
        self.add_fragment(dag, "also", self.go, after=["go"])
        raise RuntimeError("lost the thread")


class Circle(Fine):
    def add_test(self, dag):
        self.add_fragment(dag, "a", self.go, after=["c"])
        self.add_fragment(dag, "b", self.go, after=["a"])
        self.add_fragment(dag, "c", self.go, after=["b"])


class AfterItself(Fine):
    def add_test(self, dag):
        self.add_fragment(dag, "go", after=["go"])


class AfterNobody(Fine):
    def add_test(self, dag):
        self.add_fragment(dag, "setup", self.go)
        self.add_fragment(dag, "go", after=["setpu"])


class SameFragmentTwice(Fine):
    def add_test(self, dag):
        self.add_fragment(dag, "go")
        self.add_fragment(dag, "go")


class NoFragment(Fine):
    def add_test(self, dag):
        pass


class NoCallback(Fine):
    def add_test(self, dag):
        self.add_fragment(dag, "missing")


TESTS = {
    "after-itself": AfterItself,
    "after-nobody": AfterNobody,
    "cannot-be-added": CannotBeAdded,
    "cannot-be-made": CannotBeMade,
    "circle": Circle,
    "fine": Fine,
    "no-callback": NoCallback,
    "no-fragment": NoFragment,
    "same-fragment-twice": SameFragmentTwice,
    "tests-in-a-circle-1": Fine,
    "tests-in-a-circle-2": Fine,
}


class Each(TestFinder):
    def probe(self, testsuite, dirpath, dirnames, filenames):
        if "suite.py" not in filenames:
            return None
        return [
            ParsedTest(name, driver, {}, dirpath, source=__file__) for name, driver in TESTS.items()
        ]


class Suite(testloom.Testsuite):
    test_finders = (Each(),)

    def adjust_dag_dependencies(self, dag):
        one, two = "tests-in-a-circle-1.go", "tests-in-a-circle-2.go"
        dag.update_vertex(vertex_id=one, predecessors=[two], enable_checks=False)
        dag.update_vertex(vertex_id=two, predecessors=[one], enable_checks=False)
