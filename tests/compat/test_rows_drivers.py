"""Rows D, E, F, H and J: what drivers do, as a suite of e3-testsuite sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


def of(ran: Any, *names: str) -> dict[str, tuple[str, str | None]]:
    return {name: ran.verdicts[name] for name in names}


def test_d1_d2_d5_d13_attributes_and_values_reach_the_next_fragment(zoo: Any) -> None:
    assert of(zoo, "basic") == {"basic": ("PASS", "x is 42")}
    assert str(zoo.result("basic").log) == "{'run': (42, {'set_up': 1})}"


def test_d3_d7_exceptions_of_drivers_become_errors(zoo: Any) -> None:
    assert of(zoo, "ctor", "raise.run_wrapper") == {
        "ctor": ("ERROR", "ctor boom"),
        "raise.run_wrapper": ("ERROR", ""),
    }
    assert "ValueError: boom" in str(zoo.result("raise.run_wrapper").log)
    assert "raise" not in zoo.rows


def test_d4_d5_d14_edges_between_tests_and_all_kinds_of_values(door: Any) -> None:
    ran = door(
        """
        class D(TestDriver):
            def add_test(self, dag):
                self.add_fragment(dag, "one")
                self.add_fragment(dag, "two", after=["one"])
                self.add_fragment(dag, "raises", after=["two"])
                self.add_fragment(dag, "aborts", fun=self.abort, after=["two"])
                self.add_fragment(dag, "last", fun=lambda p, s: self.show(p, s),
                                  after=["two", "raises", "aborts"])
            def one(self, prev, slot): self.state = [slot]; return {"x": 42}
            def two(self, prev, slot): self.state.append(prev["one"]["x"])
            def raises(self, prev, slot): raise KeyError("k")
            def abort(self, prev, slot): raise TestAbort
            def show(self, prev, slot):
                self.result.info["prev"] = repr(sorted(prev.items()))
                self.result.info["state"] = repr(self.state[1:])
                self.result.set_status(TestStatus.PASS); self.push_result()
        class Suite(Testsuite):
            def get_test_list(self, sublist):
                return [ParsedTest(n, D, {}, self.test_dir) for n in "ab"]
            def adjust_dag_dependencies(self, dag):
                for uid, fg in dag.vertex_data.items():
                    if uid == "b.last" and fg.matches(D, "last"):
                        dag.update_vertex(vertex_id=uid, predecessors=["a.one"])
    """,
        "-j2",
    )

    own = "('aborts', None), {}('raises', KeyError('k')), ('two', None)]"
    assert ran.rows["a"]["info"] == {"prev": "[" + own.format(""), "state": "[42]"}
    assert ran.rows["b"]["info"] == {
        "prev": "[('a.one', {'x': 42}), " + own.format(""),
        "state": "[42]",
    }
    assert ran.verdicts["a.raises"] == ("ERROR", "")


def test_d6_d10_a_test_that_pushes_nothing_leaves_no_trace(zoo: Any) -> None:
    assert "abort" not in zoo.rows


def test_d8_a_test_may_push_several_results(zoo: Any) -> None:
    assert of(zoo, "sub.s0", "sub.s1", "sub.s2") == {
        "sub.s0": ("FAIL", "m0"),
        "sub.s1": ("PASS", "m1"),
        "sub.s2": ("PASS", "m2"),
    }
    assert "sub" not in zoo.rows


def test_d9_a_second_result_of_the_same_name_is_an_error(zoo: Any) -> None:
    assert of(zoo, "twice", "twice__except1") == {
        "twice": ("PASS", None),
        "twice__except1": ("ERROR", "cannot push twice results for twice"),
    }


def test_d11_d12_e2_e7_e8_e9_e14_programs_run_in_a_copy_of_the_test(
    door: Any, tmp_path: Path
) -> None:
    ran = door(
        """
        class D(ClassicTestDriver):
            def run(self):
                assert not self.working_dir_cleanup_enabled
                assert self.working_dir("a") == os.path.join(self.env.working_dir, "t", "a")
                assert open(self.working_dir("test.yaml")).read() == open(self.test_dir("test.yaml")).read()
                p = self.shell(["sh", "-c", "pwd; echo $X $Y; exit 3"], catch_error=False,
                               env={"X": "1"}, ignore_environ=False)
                q = self.shell(["cat"], stdin="|bytes", analyze_output=False)
                assert (p.status, q.out, self.output.log) == (3, "bytes", p.out)
                assert self.slot >= 0
            def compute_failures(self): return ["one", "two"]
            def tear_down(self):
                open(os.path.join(self.env.root_dir, "down"), "w").close()
                super().tear_down()
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "d"
            test_driver_map = {"d": D}
        os.makedirs("tests/t", exist_ok=True); open("tests/t/test.yaml", "w").close()
    """,
        "-d",
        Y="yes",
    )

    assert ran.verdicts == {"t": ("FAIL", "one | two")}
    wd = tmp_path / "tmp" / "t"
    assert wd.is_dir()
    assert (tmp_path / "down").exists()
    assert str(ran.result("t").log) == (
        f"Running: sh -c 'pwd; echo $X $Y; exit 3' (cwd={wd})\nStatus code: 3\n"
        f"Output: \n{wd}\n1 yes\nRunning: cat (cwd={wd})\nStatus code: 0\nOutput: \nbytes\n"
    )
    process = ran.result("t").processes[0]
    assert process["cmd"] == ["sh", "-c", "pwd; echo $X $Y; exit 3"]
    assert (process["cwd"], process["status"]) == (str(wd), 3)


def test_d15_drivers_are_let_go(door: Any) -> None:
    ran = door("""
        class Suite(Testsuite):
            def get_test_list(self, sublist): return [ParsedTest("t", Ok, {}, self.test_dir)]
            def adjust_dag_dependencies(self, dag): self.data = dag.vertex_data["t.run_wrapper"]
            def tear_down(self): print(self.data.driver, self.data.callback)
    """)

    assert ran.out == "None None\n"


def test_e1_e3_e4_e5_how_a_classic_test_ends(zoo: Any) -> None:
    names = ("raises-skip", "raises-error", "raises-fail", "pass__p0", "xfail", "xpass", "skip")

    assert of(zoo, *names) == {
        "raises-skip": ("SKIP", "because"),
        "raises-error": ("ERROR", "because"),
        "raises-fail": ("FAIL", "because"),
        "pass__p0": ("PASS", None),
        "xfail": ("XFAIL", "unexpected output (known bug)"),
        "xpass": ("XPASS", "known bug"),
        "skip": ("SKIP", "no linux"),
    }


def test_e4_an_abort_out_of_place_is_not_lost(door: Any) -> None:
    ran = door("""
        class D(Ok):
            def tear_down(self): raise TestAbortWithFailure("too late")
        class Suite(Testsuite):
            def get_test_list(self, sublist): return [ParsedTest("t", D, {}, self.test_dir)]
    """)

    assert ran.verdicts == {"t": ("PASS", None), "t.run_wrapper": ("ERROR", "")}


def test_e6_h1_h2_h3_conditions_of_controls(door: Any, zoo: Any, tmp_path: Path) -> None:
    assert zoo.verdicts["badcontrol"] == (
        "ERROR",
        (
            "Error while interpreting control: entry #1: invalid condition (NameError): "
            "name 'nope' is not defined"
        ),
    )
    controls = {
        "attributes": '[[SKIP, \'env.host.os.name in ["linux", "aix"] and has("x")\', \'yes\']]',
        "second": "[[SKIP, 'False'], [XFAIL, 'mode.startswith(\"r\")', 'second']]",
        "none": "[[NONE, 'True'], [SKIP, 'True']]",
        "no-list": "x",
        "short": "[[SKIP]]",
        "kind": "[[ZORK, 'True']]",
        "unsafe": "[[SKIP, '().__class__.__base__.__subclasses__()']]",
    }
    for name, control in controls.items():
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "test.yaml").write_text(f"control: {control}\n")
    ran = door("""
        class D(Ok):
            @property
            def test_control_creator(self):
                return YAMLTestControlCreator({"has": lambda x: x == "x", "mode": "release"})
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "d"
            test_driver_map = {"d": D}
    """)
    error = "Error while interpreting control: "
    verdicts = ran.verdicts

    assert verdicts.pop("unsafe")[0] == "ERROR"
    assert verdicts == {
        "attributes": ("SKIP", "yes"),
        "second": ("XPASS", "second"),
        "none": ("PASS", None),
        "no-list": ("ERROR", f"{error}list expected at the top level"),
        "short": ("ERROR", f"{error}entry #1: list of 2 or 3 strings expected"),
        "kind": ("ERROR", f"{error}entry #1: invalid kind: ZORK"),
    }


def test_e10_f4_encodings(zoo: Any) -> None:
    assert of(zoo, "undecodable", "binary") == {
        "undecodable": (
            "ERROR",
            (
                "cannot decode process output (UnicodeDecodeError: 'utf-8' codec can't decode byte "
                "0xe9 in position 3: invalid continuation byte)"
            ),
        ),
        "binary": ("FAIL", "unexpected output"),
    }
    assert "-caf\\xe8\n+caf\\xe9\n" in str(zoo.result("binary").diff)
    assert "Cannot decode subprocess output:\n\n  caf\\xe9" in str(zoo.result("undecodable").log)


def test_e11_e12_e13_e15_programs_that_fail(zoo: Any) -> None:
    """A time-out is marked as one, which e3-testsuite does not do."""
    assert of(zoo, "fail__status", "timeout") == {
        "fail__status": ("FAIL", "non-zero status code"),
        "timeout": ("FAIL", "non-zero status code"),
    }
    assert zoo.rows["timeout"]["failure_reasons"] == ["TIMEOUT"]
    assert "rlimit: Real time limit (1 s) exceeded\n" in str(zoo.result("timeout").log)
    assert zoo.rows["timeout"]["time"] is None


def test_f1_f2_f3_f7_baselines(zoo: Any) -> None:
    assert of(zoo, "fail__diff", "fail__regexp", "regexp") == {
        "fail__diff": ("FAIL", "unexpected output"),
        "fail__regexp": ("FAIL", "output does not match expected pattern"),
        "regexp": ("PASS", None),
    }
    assert zoo.rows["fail__diff"]["failure_reasons"] == ["DIFF"]
    status, message = zoo.verdicts["fail__nobase"]
    assert status == "ERROR"
    assert message.startswith("cannot read baseline file (FileNotFoundError: [Errno 2] ")


def test_f5_f6_the_difference_is_in_the_result_and_in_the_log(zoo: Any) -> None:
    result = zoo.result("fail__diff")
    diff = "Diff failure: unexpected output\n--- expected\n+++ output\n@@ -1 +1 @@\n-bye\n+hello\n"

    assert (str(result.expected), str(result.out), str(result.diff)) == ("bye\n", "hello\n", diff)
    assert str(result.log).endswith("\n" + diff.rstrip("\n"))


def test_f8_f9_f10_refiners_and_rewriting(door: Any, tmp_path: Path) -> None:
    ran = door("""
        from e3.testsuite.driver.diff import *
        from e3.testsuite.driver.diff import Substitute, LineByLine, PatternSubstitute, ReplacePath
        class D(DiffTestDriver):
            @property
            def output_refiners(self):
                return super().output_refiners + [
                    Substitute("secret", "S"), ReplacePath(self.working_dir(), "WD"),
                    LineByLine(PatternSubstitute(r"^drop.*\\n")), PatternSubstitute("[0-9]+", lambda m: "N"),
                ]
            def run(self): self.shell(["sh", "-c", "printf 'secret 42\\\\r\\\\ndrop me\\\\n'; pwd"])
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "d"
            test_driver_map = {"d": D}
            def set_up(self): self.env.rewrite_baselines = True
        os.makedirs("tests/t", exist_ok=True); open("tests/t/test.yaml", "w").close()
    """)

    assert ran.verdicts == {"t": ("FAIL", "unexpected output (baseline updated)")}
    assert (tmp_path / "tests" / "t" / "test.out").read_text() == "S N\nWD\n"


def test_j1_j2_j3_j4_j5_j6_results(door: Any) -> None:
    ran = door("""
        from e3.testsuite.result import *
        from e3.testsuite.result import Log, FailureReason, TestResultSummary
        class Suite(Testsuite):
            def set_up(self):
                assert [s.value for s in TestStatus] == list(range(1, 9))
                assert [FailureReason[n].value for n in "CRASH TIMEOUT MEMCHECK DIFF".split()] == [1, 2, 3, 4]
                r = TestResult("t")
                assert (r.status, r.msg, r.env) == (TestStatus.ERROR, "", {})
                r.set_status(TestStatus.FAIL, "  a\\n  b ")
                r.set_status(TestStatus.PASS)
                assert r.msg == "a b" and r.status is TestStatus.FAIL
                assert str(r) == "%-24s %-12s %s" % ("t", "FAIL", "a b"), str(r)
                log = Log(b"caf\\xe9"); log += b"!"
                assert log.is_binary and str(log) == "caf\\\\xe9!"
                r.log += "x"
                name = r.save(self.working_dir)
                again = TestResult.load(os.path.join(self.working_dir, name))
                assert (again.log, again.status, again.summary) == ("x", r.status, r.summary)
                assert isinstance(r.summary, TestResultSummary)
                print("fine")
    """)

    assert ran.out == "fine\n", ran.err


def test_j7_the_files_are_what_e3_writes(zoo: Any) -> None:
    text = (zoo.new / zoo.rows["fail__diff"]["filename"]).read_text()
    lines = text.splitlines()

    assert lines[0] == "!e3.testsuite.result.TestResult"
    assert re.search(r"^status: !e3.testsuite.result.TestStatus '?2'?$", text, re.MULTILINE)
    assert re.search(r"^  !e3.testsuite.result.FailureReason '?4'?: null$", text, re.MULTILINE)
    node = yaml.compose(text)
    assert node is not None
    keys = {key.value for key, _ in node.value}
    assert keys == {
        *("diff", "env", "expected", "failure_reasons", "info", "log", "msg", "out"),
        *("processes", "status", "test_matcher", "test_name", "time"),
    }


@pytest.mark.parametrize(
    ("keys", "written", "expected", "status"),
    [
        ("encoding: binary\nstrict_line_endings: true", "a\\r\\n", "a\n", "FAIL"),
        ("encoding: binary\nwhite: true", "a\\t\\n", "a\n", "FAIL"),
        ("encoding: binary\nwhite: true", " a  \\n\\n", "a\n", "PASS"),
        ("strict_line_endings: true", "a\\r\\n", "a\n", "PASS"),
        ("a: b", "a\\rb", "a\nb\n", "PASS"),
        ("a: b", "a\\n\\n", "a\n", "FAIL"),
        ("white: true", "\\n  a \\n\\n", "a\n", "PASS"),
        ("white: true", "a  b\\n", "a b\n", "FAIL"),
    ],
)
def test_f4_f5_what_is_a_difference(
    door: Any, tmp_path: Path, keys: str, written: str, expected: str, status: str
) -> None:
    test = tmp_path / "tests" / "t"
    test.mkdir(parents=True)
    (test / "test.yaml").write_text(f"{keys}\n")
    (test / "test.sh").write_text(f"printf '{written}'")
    (test / "test.out").write_text(expected)
    ran = door("""
        class D(DiffTestDriver):
            @property
            def diff_ignore_white_chars(self): return self.test_env.get("white", False)
            def run(self): self.shell(["sh", "test.sh"])
        class Suite(Testsuite):
            tests_subdir = "tests"
            default_driver = "d"
            test_driver_map = {"d": D}
    """)

    assert ran.rows["t"]["status"] == status


def test_e1_f1_methods_that_suites_leave_out_or_call_themselves(door: Any) -> None:
    """Without `run`, a driver can be made; what `compute_diff` finds is the suite's to judge."""
    ran = door("""
        class NoRun(ClassicTestDriver): pass
        class Own(NoRun):
            def run_wrapper(self, prev, slot):
                self.result.set_status(TestStatus.PASS)
                self.push_result()
        class Calls(DiffTestDriver):
            def run(self): pass
            def compute_failures(self): return self.compute_diff(None, "a\\n", "b\\n", "my own")
        class Suite(Testsuite):
            def get_test_list(self, sublist):
                drivers = {"none": NoRun, "own": Own, "calls": Calls}
                return [ParsedTest(n, d, {}, self.test_dir) for n, d in drivers.items()]
    """)

    assert ran.verdicts == {
        "none.run_wrapper": ("ERROR", ""),
        "own": ("PASS", None),
        "calls": ("FAIL", "my own"),
    }
    assert "NotImplementedError" in str(ran.result("none.run_wrapper").log)
    assert ran.rows["calls"]["failure_reasons"] == []
