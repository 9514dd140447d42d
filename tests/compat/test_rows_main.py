"""Rows A and N: the way through a run, what it says and what it leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from testloom.compat.e3_modules.index import ReportIndex

EXTENSION = re.compile(
    r"^INFO\s+(PASS|FAIL|XFAIL|XPASS|VERIFY|SKIP|NOT_APPLICABLE|ERROR)\s+([^ \t\n\r:]+)(:\s*(.*))?"
)


def test_a1_everything_overridable_may_be_an_attribute_or_a_property(door: Any) -> None:
    ran = door("""
        class Suite(Testsuite):
            @property
            def tests_subdir(self): return "tests"
            @property
            def test_driver_map(self): return {"ok": Ok}
            default_driver = "ok"
            default_failure_exit_code = 7
            @property
            def default_max_consecutive_failures(self): return 3
            auto_generate_text_report = True
            multiprocessing_supported = True
            def set_up(self):
                os.makedirs(os.path.join(self.test_dir, "a"))
                open(os.path.join(self.test_dir, "a", "test.yaml"), "w").close()
                print(self.main.args.failure_exit_code, self.main.args.max_consecutive_failures)
    """)

    assert (ran.code, ran.out) == (0, "7 3\n")
    assert ran.verdicts == {"a": ("PASS", None)}
    assert (ran.new / "report").exists()


def test_a2_a4_a5_a6_the_suite_knows_its_places_before_set_up(door: Any, tmp_path: Path) -> None:
    ran = door(
        """
        class Suite(Testsuite):
            tests_subdir = "tests"
            def set_up(self):
                env = self.env
                assert env.options is self.main.args is env.main_options
                names = ["root_dir", "test_dir", "output_dir"]
                print(json.dumps([getattr(env, n) for n in names]))
                assert env.working_dir == self.working_dir and os.path.isdir(env.working_dir)
                assert env.cleanup_mode.name == "PASSING" and env.enable_colors is False
                for n in ["exchange_dir", "env_filename", "modules_search_path"]: getattr(env, n)
                assert not os.listdir(env.output_dir)
            def get_test_list(self, sublist):
                print(sublist)
                return super().get_test_list(sublist)
            def tear_down(self):
                print(sorted(os.listdir(self.output_dir)), self.test_list)
    """,
        "x",
        "y",
    )

    root = str(tmp_path)
    assert ran.out.splitlines() == [
        json.dumps([root, f"{root}/tests", f"{root}/out/new"]),
        "['x', 'y']",
        "['_index.json', 'comment', 'run.journal', 'tests.dot'] []",
    ]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--zork"], 2),
        (["-t", "/nowhere/at/all"], 1),
        (["--notify-events=python:x"], 1),
        (["--notify-events=python:no_such_module:x"], 1),
        (["--notify-events=python:os:no_such"], 1),
        (["--notify-events=python:os:getcwd"], 1),
        (["--xunit-attachments-threshold=3"], 1),
    ],
)
def test_a3_a7_m4_what_makes_no_sense_ends_the_run(door: Any, args: list[str], code: int) -> None:
    ran = door("class Suite(Testsuite): pass", *args)

    assert ran.code == code
    said = {
        "--zork": "unknown option '--zork'",
        "-t": "CRITICAL temp dir '/nowhere/at/all' does not exist",
        "--notify-events=python:x": "ERROR    Wrong format: 'python:x'",
        "--notify-events=python:no_such_module:x": "ERROR    Cannot load module 'no_such_module'",
        "--notify-events=python:os:no_such": "ERROR    Cannot load callback 'no_such'",
        "--notify-events=python:os:getcwd": "ERROR    Cannot create notification callback",
        "--xunit-attachments-threshold=3": "--xunit-attachments-output-dir argument missing",
    }
    assert said[args[0]] in ran.err


def test_a7_the_exit_status_tells_of_failures_and_errors_only(zoo: Any, door: Any) -> None:
    assert zoo.code == 1

    none = door("class Suite(Testsuite): pass")

    assert none.code == 0
    assert none.lines("INFO") == ["INFO     Found 0 tests", "INFO     Summary:"]
    assert none.lines("WARNING")
    assert none.err.endswith("INFO     Summary:\n  <no test result>\n")


def test_a8_a9_the_lines_of_the_console_are_those_an_ide_reads(zoo: Any) -> None:
    lines = zoo.lines("INFO")
    read = {m[2]: (m[1], m[4]) for line in lines if (m := EXTENSION.match(line))}

    assert zoo.out == ""
    assert lines[0] == "INFO     Found 30 tests"
    assert "INFO     PASS            pass__p0" in lines
    assert "INFO     XFAIL           xfail: unexpected output (known bug)" in lines
    assert read == {
        name: (status, message or None) for name, (status, message) in zoo.verdicts.items()
    }
    assert zoo.err.endswith(
        "INFO     Summary:\n  PASS         9\n  FAIL         10\n  XFAIL        1\n"
        "  XPASS        1\n  VERIFY       1\n  SKIP         2\n  ERROR        11\n"
    )


def test_a10_without_a_terminal_there_are_no_colours(zoo: Any) -> None:
    assert "\x1b" not in zoo.err


def test_a11_a12_a13_comment_summary_and_old_properties(door: Any) -> None:
    ran = door("""
        import warnings
        class Suite(Testsuite):
            default_driver = "ok"
            test_driver_map = {"ok": Ok}
            def write_comment_file(self, comment_file):
                comment_file.write("a comment")
            def dump_testsuite_result(self):
                super().dump_testsuite_result()
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    print(self.test_counter, self.test_counter, self.results)
                    print(self.test_status_counters[TestStatus.PASS])
                print([str(w.message)[:24] for w in caught], repr(self.Fore.RED + self.Style.DIM))
        os.makedirs("a/b", exist_ok=True)
        open("a/b/test.yaml", "w").close()
    """)

    assert (ran.new / "comment").read_text() == "a comment"
    assert ran.out.splitlines() == [
        "1 1 {'a__b': <TestStatus.PASS: 1>}",
        "1",
        "['This function is obsolete', 'This function is obsolete', 'This function is obsolete'] ''".replace(
            "obsolete", "obsolet"
        ),
    ]


def test_a14_sigterm_ends_the_run_as_e3_does(door: Any) -> None:
    ran = door("""
        import signal
        class Suite(Testsuite):
            def get_test_list(self, sublist):
                signal.raise_signal(signal.SIGTERM)
            def tear_down(self):
                print("torn down")
    """)

    assert (ran.code, ran.out) == (1, "torn down\n")
    assert ran.err.endswith("SIGTERM received\n")


def test_n1_n2_the_directory_of_results_holds_what_e3_puts_there(zoo: Any) -> None:
    names = {path.name for path in zoo.new.iterdir()}
    rows = zoo.rows

    assert {"_index.json", "comment", "status", "tests.dot", "report", "environ.sh"} <= names
    assert {row["filename"] for row in rows.values()} <= names
    assert all(re.fullmatch(rf"{re.escape(n)}-\w+\.yaml", rows[n]["filename"]) for n in rows)
    content = json.loads((zoo.new / "_index.json").read_text())
    assert content["magic"] == "e3.testsuite.report.index.ReportIndex:1"
    assert content["duration"] > 0
    assert rows["sub.s0"] == {
        "test_name": "sub.s0",
        "status": "FAIL",
        "msg": "m0",
        "failure_reasons": ["CRASH"],
        "time": 0.5,
        "info": {"k": "v"},
        "filename": rows["sub.s0"]["filename"],
    }
    assert "export HOME=" in (zoo.new / "environ.sh").read_text()


def test_n1_a_disk_that_is_full_at_the_end_keeps_nothing_else_from_being_written(
    door: Any,
) -> None:
    ran = door("""
        from testloom.journal.format import JournalError
        from testloom.journal.writer import JournalWriter
        def full(self, **_):
            raise JournalError(self.path, "results disk full")
        JournalWriter.run_ended = full
        class Suite(Testsuite): pass
    """)

    assert ran.code == 3
    (line,) = ran.lines("ERROR")
    assert line.endswith("run.journal: results disk full")
    assert "Traceback" not in ran.err
    assert (ran.new / "_index.json").is_file()


def test_n2_an_index_can_be_read_and_written_again(zoo: Any, tmp_path: Path) -> None:
    index = ReportIndex.read(str(zoo.new))

    assert index.has_failures
    assert sum(index.status_counters.values()) == len(index.entries) == len(zoo.rows)
    other = ReportIndex(str(tmp_path))
    other.save_and_add_result(index.entries["xfail"].load())  # type: ignore[arg-type]  # loaded from a file
    other.write()
    again = ReportIndex.read(str(tmp_path))
    assert again.entries["xfail"].summary == index.entries["xfail"].summary
    assert again.duration is None
    (tmp_path / "_index.json").write_text('{"magic": "x", "entries": []}')
    with pytest.raises(AssertionError):
        ReportIndex.read(str(tmp_path))


def test_n3_results_are_there_before_the_run_ends(door: Any) -> None:
    ran = door(
        """
        class Suite(Testsuite):
            default_driver = "ok"
            test_driver_map = {"ok": Ok}
            def adjust_dag_dependencies(self, dag):
                class Gone(Exception): pass
                self.seen = 0
            def set_up(self):
                for n in "ab":
                    os.makedirs(n, exist_ok=True); open(n + "/test.yaml", "w").close()
        import e3.testsuite.event_notifications as en
        class Look:
            def __init__(self, suite): self.dir = suite.output_dir
            def __call__(self, notification):
                if isinstance(notification, en.TestResultNotification):
                    print(os.path.exists(notification.yaml_result_filename))
        sys.modules["look"] = sys.modules["__main__"]
    """,
        "--notify-events=python:look:Look",
    )

    assert ran.out == "True\nTrue\n"


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("set_up", "set_up\n"),
        ("adjust_dag_dependencies", "set_up\nadjust_dag_dependencies\ndown\n"),
    ],
)
def test_a4_tear_down_is_called_once_set_up_has_ended(door: Any, where: str, told: str) -> None:
    """What `tear_down` ends is there then, and is not left behind when something goes wrong."""
    ran = door(
        """
        class Suite(Testsuite):
            def _step(self, name):
                print(name)
                if name == os.environ["WHERE"]:
                    raise ValueError("boom")
            def set_up(self): self._step("set_up")
            def adjust_dag_dependencies(self, dag): self._step("adjust_dag_dependencies")
            def tear_down(self): print("down")
            def get_test_list(self, sublist): return [ParsedTest("t", Ok, {}, self.test_dir)]
        """,
        WHERE=where,
    )

    assert (ran.out, ran.code) == (told, 1)
    assert ran.err.endswith("ValueError: boom\n")
