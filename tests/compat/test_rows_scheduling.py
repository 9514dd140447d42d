"""Rows K, L and M: slots, modes, ends of runs, the status file and notifications."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testloom.compat.e3_modules.running_status import RunningStatus

MANY = """
class D(ClassicTestDriver):
    def run(self):
        self.result.info["slot"] = str(self.slot)
        if "bad" in self.test_name: raise TestAbortWithFailure("bad")
class Two(BasicTestDriver):
    def run(self, prev, slot): self.seen = slot
    def analyze(self, prev, slot):
        self.result.set_status(TestStatus.PASS); self.push_result()
class Suite(Testsuite):
    def get_test_list(self, sublist):
        return [ParsedTest(n, Two if "two" in n else D, {}, self.test_dir) for n in NAMES]
"""


@pytest.mark.parametrize(
    "mode", [[], ["--force-multiprocessing"], ["--distributor=testloom.cluster:local"]]
)
def test_k1_k2_k3_k5_both_modes_run_drivers_of_the_main_script(door: Any, mode: list[str]) -> None:
    """e3-testsuite cannot run such drivers in processes."""
    ran = door(f"NAMES = [*'abcd', 'two']\n{MANY}", "-j3", *mode)

    assert ran.verdicts == dict.fromkeys([*"abcd", "two"], ("PASS", None))
    assert {row["info"].get("slot", "0") for row in ran.rows.values()} <= {"0", "1", "2"}


def test_k1_the_suite_may_say_which_mode_it_believes_in(door: Any) -> None:
    ran = door(
        """
        class Suite(Testsuite):
            multiprocessing_supported = True
            def tear_down(self):
                print(self.use_multiprocessing, self.env.use_multiprocessing, super().compute_use_multiprocessing())
            def compute_use_multiprocessing(self):
                return self.main.args.jobs == 3
    """,
        "-j3",
    )

    assert ran.out == "True True False\n"


def test_k4_k7_the_scheduler_runs_other_peoples_workers(door: Any) -> None:
    ran = door("""
        from e3.collection.dag import DAG
        from e3.os.process import Run, PIPE
        from e3.testsuite.multiprocess_scheduler import MultiprocessScheduler, Worker, compute_next_dyn_poll
        from e3.testsuite.running_status import RunningStatus
        class Echo(Worker):
            def start(self): return Run(["echo", self.uid], bg=True, output=PIPE)
        class Suite(Testsuite):
            def set_up(self):
                dag = DAG(); dag.add_vertex("a"); dag.add_vertex("b", predecessors=["a"])
                done = []
                MultiprocessScheduler(
                    dag, lambda uid, data, slot: Echo(uid, None, "", slot, self.env),
                    lambda worker: done.append((worker.uid, worker.slot, worker.process.status)),
                    RunningStatus(os.path.join(self.output_dir, "s")), jobs=2).run()
                print(done, compute_next_dyn_poll(9, 0.1), compute_next_dyn_poll(1, 0.1))
    """)

    assert ran.out == "[('a', 0, 0), ('b', 0, 0)] 0.125 0.07500000000000001\n", ran.err


def test_k6_a_worker_that_dies_is_an_internal_error(door: Any) -> None:
    ran = door("""
        class D(ClassicTestDriver):
            def run(self):
                print("last words")
                sys.stdout.flush()
                os._exit(3)
        class Suite(Testsuite):
            def get_test_list(self, sublist):
                return [ParsedTest("a", D, {}, self.test_dir), ParsedTest("b", Ok, {}, self.test_dir)]
    """)

    assert ran.verdicts == {
        "a.run_wrapper__internalerror": ("ERROR", "Worker process stopped with an error"),
        "b": ("PASS", None),
    }
    assert "last words" in str(ran.result("a.run_wrapper__internalerror").log)


@pytest.mark.parametrize("mode", [[], ["--force-multiprocessing"]])
def test_k8_too_many_failures_in_a_row_end_the_run(door: Any, mode: list[str]) -> None:
    names = ["bad1", "ok", "bad2", "bad3", "last", "two"]
    ran = door(f"NAMES = {names}\n{MANY}", "-j1", "-M2", *mode)

    assert "ERROR    Too many consecutive failures, aborting the testsuite" in ran.lines()
    bad, aborted = ("FAIL", "bad"), ("SKIP", "Testsuite aborted")
    rest = ("last.run_wrapper", "two.set_up", "two.run", "two.analyze", "two.tear_down")
    assert ran.verdicts == {
        "bad1": bad,
        "ok": ("PASS", None),
        "bad2": bad,
        "bad3": bad,
        **dict.fromkeys(rest, aborted),
    }
    assert ran.code == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 1)])
def test_k9_a_signal_ends_the_run_and_keeps_its_results(
    door: Any, signum: signal.Signals, code: int
) -> None:
    ran = door(
        f"""
        class D(ClassicTestDriver):
            def run(self):
                if self.test_name == "b":
                    os.kill(int(os.environ["MAIN"]), {int(signum)})
                    self.shell(["sleep", "60"])
        class Suite(Testsuite):
            def set_up(self): os.environ["MAIN"] = str(os.getpid())
            def get_test_list(self, sublist):
                return [ParsedTest(n, D, {{}}, self.test_dir) for n in "abc"]
    """,
        "-j1",
    )

    assert ran.code == code
    statuses = {name: status for name, (status, _) in ran.verdicts.items()}
    assert statuses == {"a": "PASS", "b": "SKIP", "c.run_wrapper": "SKIP"}


def test_k10_the_graph_is_drawn(door: Any) -> None:
    ran = door(f"NAMES = ['two']\n{MANY}")

    assert (ran.new / "tests.dot").read_text() == (
        'digraph G {\nrankdir="LR";\n"two.set_up"\n"two.run"\n"two.analyze"\n"two.tear_down"\n'
        '"two.run" -> "two.set_up"\n"two.analyze" -> "two.run"\n'
        '"two.tear_down" -> "two.analyze"\n}'
    )


def test_l1_l2_the_status_file(tmp_path: Path, zoo: Any) -> None:
    path = tmp_path / "status"
    status = RunningStatus(str(path), update_interval=0)
    status.set_total(2)
    status.start("b.run")
    status.start("a.run")

    assert path.read_text() == (
        "Test fragments: 0 / 2 completed\nCurrently running:\n  a.run\n  b.run\n"
        "Partial results:\n  <none>"
    )
    assert (zoo.new / "status").read_text() == (
        "Test fragments: 31 / 31 completed\nCurrently running:\n  <none>\nPartial results:\n"
        "  PASS         9\n  FAIL         10\n  XFAIL        1\n  XPASS        1\n"
        "  VERIFY       1\n  SKIP         2\n  ERROR        11"
    )


def test_m1_m2_commands_are_told_of_events(door: Any, tmp_path: Path) -> None:
    script = tmp_path / "note.py"
    script.write_text(
        "import json, sys\nprint(json.dumps(sys.argv[1:]), file=open(sys.argv[1], 'a'))\n"
        "assert sys.stdin.read() == ''\nassert '--end' not in sys.argv\n"
    )
    told = tmp_path / "told"
    command = shlex.join([sys.executable, str(script), str(told), "a b"])
    ran = door(f"NAMES = ['two', 'bad']\n{MANY}", "-j1", f"--notify-events={command}")

    events = [json.loads(line)[2:] for line in told.read_text().splitlines()]
    files = {name: str(ran.new / row["filename"]) for name, row in ran.rows.items()}
    assert events[:2] == [["--queue", "two"], ["--queue", "bad"]]
    assert [event for event in events if event[1] == "two"] == [
        ["--queue", "two"],
        ["--start", "two"],
        ["--result", "two", files["two"]],
        ["--end", "two"],
    ]
    assert "ERROR    Error while running the event notification command" in ran.err


def test_m3_m5_functions_are_told_of_events(door: Any) -> None:
    ran = door(
        """
        from e3.testsuite.event_notifications import *
        from e3.testsuite.event_notifications import TestResultNotification
        def make(suite):
            def told(n):
                if isinstance(n, TestResultNotification):
                    print(n.test_name, n.result.status.name, os.path.basename(n.yaml_result_filename)[:2])
                    raise ValueError("no more")
                print(type(n).__name__, n.to_args())
            return told
        sys.modules["hook"] = sys.modules["__main__"]
        class Suite(Testsuite):
            def get_test_list(self, sublist): return [ParsedTest("t", Ok, {}, self.test_dir)]
    """,
        "--notify-events=python:hook:make",
    )

    assert ran.out.splitlines() == [
        "TestQueueNotification ['--queue', 't']",
        "TestStartNotification ['--start', 't']",
        "t PASS t-",
        "TestEndNotification ['--end', 't']",
    ]
    assert "ERROR    Error while executing the event notification callback" in ran.err
    assert ran.code == 0


def test_faults_where_e3_loses_the_run(door: Any) -> None:
    """A test that exits, one that cannot be pickled, much output, ``-j -1``: all have verdicts."""
    ran = door(
        """
        class Exits(Ok):
            def run(self): sys.exit(3)
        class Loud(Ok):
            def run(self):
                for _ in range(2000): print("x" * 99)
        class Suite(Testsuite):
            def get_test_list(self, sublist):
                return [ParsedTest("exits", Exits, {}, self.test_dir),
                        ParsedTest("loud", Loud, {}, self.test_dir),
                        ParsedTest("lambda", Ok, {"f": lambda: 1}, self.test_dir)]
    """,
        "-j",
        "-1",
    )

    assert ran.verdicts == {
        "exits.run_wrapper": ("ERROR", ""),
        "loud": ("PASS", None),
        "lambda": ("PASS", None),
    }
    assert ran.err.count("x" * 99) == 2000


def test_what_drivers_print_and_log_reaches_the_console(door: Any) -> None:
    ran = door("""
        import logging
        class D(Ok):
            def run(self): logging.getLogger("mine").warning("careful")
        class Suite(Testsuite):
            def get_test_list(self, sublist): return [ParsedTest("t", D, {}, self.test_dir)]
    """)

    assert "careful" in ran.err


def test_processes_of_the_suite_see_the_same_modules(door: Any) -> None:
    ran = door("""
        import subprocess
        class D(ClassicTestDriver):
            def run(self):
                code = "import e3.fs, e3.testsuite.driver.diff as d; print(d.DiffTestDriver.__module__)"
                self.shell([sys.executable, "-c", code])
                self.result.info["module"] = self.output.log.strip()
        class Suite(Testsuite):
            def get_test_list(self, sublist): return [ParsedTest("t", D, {}, self.test_dir)]
    """)

    assert ran.rows["t"]["info"] == {"module": "testloom.compat.e3_modules.drivers"}, ran.err


def test_install_does_the_same_from_python(tmp_path: Path) -> None:
    code = (
        "from testloom.compat import e3; e3.install(); e3.install()\n"
        "import importlib\n"
        "for name in e3.MODULES: importlib.import_module(name)\n"
        "from e3.testsuite import Testsuite; from e3.testsuite.report.xunit import etree\n"
        "from e3.testsuite import mkdir, event_notifications, logger\n"
        "print(Testsuite.__module__)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (out.stdout, out.stderr) == ("testloom.compat.e3_modules.testsuite\n", "")


@pytest.mark.parametrize("mode", [[], ["--force-multiprocessing"]])
def test_k2_threads_of_the_suite_serve_its_tests(door: Any, mode: list[str]) -> None:
    """A server that `set_up` starts is there for tests, although workers are forked beside it."""
    ran = door(
        """
        import socketserver, threading, urllib.request
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        class Pong(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write(b"pong")
            def log_message(self, *args): pass
        class Asks(ClassicTestDriver):
            def run(self):
                assert urllib.request.urlopen(self.env.url).read() == b"pong"
        class Suite(Testsuite):
            def set_up(self):
                self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pong)
                self.env.url = "http://127.0.0.1:%d/" % self.server.server_address[1]
                threading.Thread(target=self.server.serve_forever).start()
            def tear_down(self):
                self.server.shutdown()
                self.server.server_close()
            def get_test_list(self, sublist):
                return [ParsedTest(n, Asks, {}, self.test_dir) for n in "abc"]
        """,
        "-j2",
        *mode,
    )

    assert ran.verdicts == dict.fromkeys("abc", ("PASS", None)), ran.err
    assert ran.code == 0


def test_two_runs_of_the_same_second_leave_each_other_alone(door: Any) -> None:
    """Each run has a name of its own, by which its processes are found and ended."""
    ran = door("""
        from testloom.compat.e3_modules.places import result_dir
        class Suite(Testsuite):
            def tear_down(self):
                runs = []
                for name in ("a", "b", "c"):
                    self.main.args.output_dir = name
                    with result_dir(self.main.args, keep=[]) as run: runs.append(run.run_id)
                print(len({os.environ["TESTLOOM_RUN"], *(f"testloom-{one}" for one in runs)}))
            def get_test_list(self, sublist): return [ParsedTest("t", Ok, {}, self.test_dir)]
    """)

    assert ran.out == "4\n"
