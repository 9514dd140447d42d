"""Hooks of all kinds."""

from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus
from testloom.suite.hookspecs import hookimpl

OPTIONS = {}


class Fine(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        self.result.set_status(TestStatus.PASS, f"after {sorted(prev)}")
        self.push_result()


class Three(TestFinder):
    def probe(self, testsuite, dirpath, dirnames, filenames):
        if "hooks.py" not in filenames:
            return None
        driver = testsuite.effective_drivers["fine"]
        return [ParsedTest(name, driver, {}, dirpath) for name in ("first", "last", "middle")]


class Shout:
    """A report that shouts."""

    name = "shout"
    default_file = "shout.txt"

    def write(self, summary):
        for entry in summary.entries:
            yield f"{entry.name.upper()}! {entry.message}\n"


@hookimpl
def testloom_add_options(parser):
    parser.add_argument("--raise", dest="raises", action="store_true", help="raise in a hook")


@hookimpl
def testloom_finders(suite):
    OPTIONS["raises"] = suite.main.args.raises
    return [Three()]


@hookimpl
def testloom_drivers(suite):
    return {"fine": Fine}


@hookimpl
def testloom_adjust_dag(dag):
    dag.update_vertex(vertex_id="middle.go", predecessors=["first.go"])
    dag.update_vertex(vertex_id="last.go", predecessors=["middle.go"])


@hookimpl
def testloom_result(entry):
    if OPTIONS["raises"] and entry.name == "middle":
        raise LookupError("cannot hear you")


@hookimpl
def testloom_reports():
    return {"shout": Shout()}


@hookimpl
def testloom_run_ended(summary):
    print(f"the plugin says: {summary.last_line}")
