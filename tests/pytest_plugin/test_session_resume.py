"""Sessions that go on with one that was cut off."""

from __future__ import annotations

import json
import signal
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.pytest_plugin.conftest import RunPytest

pytestmark = pytest.mark.slow
LIMIT_S = 60.0

OF_ALL_KINDS = """
    import os, unittest
    import pytest

    ran = os.environ["RAN"]

    @pytest.fixture(autouse=True)
    def note(request):
        with open(ran, "a") as file:
            file.write(request.node.name + "\\n")

    @pytest.mark.parametrize("n", range(10))
    def test_many(n): print("printed", n)
    def test_property(record_property): record_property("key", "value")
    @pytest.mark.xfail(reason="known")
    def test_xfails(): assert False
    @pytest.mark.xfail(reason="was known")
    def test_xpasses(): pass
    @pytest.mark.skip(reason="not today")
    def test_skipped(): pass
    def test_fails(): assert os.path.exists("repaired")

    class TestUnit(unittest.TestCase):
        @classmethod
        def setUpClass(cls): cls.seen = []
        def test_one(self): self.seen.append(1)
        def test_two(self): self.assertEqual(self.seen, [1])

    def test_last(): pass
"""
DEADLY = """
    import os, pytest

    main = os.getpid()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(nodeid):
        if nodeid.endswith(os.environ.get("DEADLY", "/")) and os.getpid() == main:
            os.kill(main, 9)
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return which tests have run since it was called last."""
    file = tmp_path / "ran"
    file.touch()
    monkeypatch.setenv("RAN", str(file))

    def names() -> list[str]:
        found = file.read_text().split()
        file.write_text("")
        return sorted(found)

    return names


def cases(report: Path) -> dict[str, Any]:
    """Return what a junitxml says of each test, without times."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        case.attrib.pop("time")
        found[case.get("name", "")] = [
            (one.tag, dict(one.attrib), (one.text or "").strip()) for one in case.iter()
        ]
    return found


def test_a_session_that_was_killed_goes_on_and_tells_of_all_tests(
    write: Callable[..., None],
    run_pytest: RunPytest,
    start_pytest: Callable[..., Any],
    project: Path,
    tmp_path: Path,
    ran: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(**{"test_it.py": OF_ALL_KINDS, "conftest.py": DEADLY})
    monkeypatch.setenv("DEADLY", "::test_one")
    killed = start_pytest("--slots", "1")
    killed.communicate(timeout=LIMIT_S)
    monkeypatch.delenv("DEADLY")
    ran()
    (project / "repaired").touch()

    resumed = run_pytest("--slots", "2", "--testloom-resume", "-o", "junit_logging=all")
    after = ran()
    xml = cases(tmp_path / "junit.xml")
    run_pytest("-o", "junit_logging=all")

    assert killed.returncode == -signal.SIGKILL
    # The two of the class leave things for each other.
    assert after == ["test_fails", "test_last", "test_one", "test_two"]
    told = "13 of 18 tests carried over; 1 failed before, 3 not finished, 1 needed by others"
    assert told in resumed.out
    assert resumed.last_line == "15 passed, 1 skipped, 1 xfailed, 1 xpassed"
    assert xml == cases(tmp_path / "junit.xml")


def test_what_has_changed_runs_again(
    write: Callable[..., None], run_pytest: RunPytest, ran: Callable[[], list[str]]
) -> None:
    test = "import os\ndef test_{0}(): open(os.environ['RAN'], 'a').write('{0}\\n')\n"
    write(**{f"{d}/test_{d}.py": test.format(d) for d in "abc"}, **{"b/conftest.py": ""})
    run_pytest("--slots", "2")
    write(**{"c/test_c.py": test.format("c") + "# changed", "b/conftest.py": "# changed"})
    ran()

    session = run_pytest("--testloom-resume")

    assert session.last_line == "3 passed"
    assert ran() == ["b", "c"]
    assert session.out.count(": 1 of 3 tests carried over; 2 changed") == 1


def test_data_tests_are_taken_over_with_their_results(
    write: Callable[..., None], run_pytest: RunPytest, project: Path
) -> None:
    write(
        **{
            "testloom.toml": "tests = ['data']\n",
            **{f"data/{d}/test.yaml": f"cmd: [ls, {project}/{d}]\n" for d in "ab"},
            "a": "",
        }
    )
    first = run_pytest("--slots", "1")
    (project / "a").rename(project / "b")  # what is taken over did not run again

    session = run_pytest("--testloom-resume", "--testloom-report", "json=r.json")

    assert (first.last_line, session.last_line) == ("1 failed, 1 passed", "2 passed")
    results = json.loads((project / "r.json").read_text())["results"]
    assert {r["name"]: r["status"] for r in results} == {"data/a": "PASS", "data/b": "PASS"}


def test_there_must_be_a_session_to_resume(
    write: Callable[..., None], run_pytest: RunPytest
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest("--testloom-resume")

    assert session.code == 4
    assert "there is no earlier session with --slots or --testloom-history to resume" in session.out
    assert "Traceback" not in session.out


def test_a_session_that_never_began_is_passed_over(
    write: Callable[..., None], run_pytest: RunPytest, project: Path
) -> None:
    """One was killed too early; the disk was full when the other one was to begin."""
    write(
        **{
            "test_it.py": "def test_one(): pass\ndef test_two(): pass\n",
            "conftest.py": """
                import os
                from testloom.journal.format import JournalError
                from testloom.journal.writer import JournalWriter
                begin = JournalWriter.run_started
                def fill(self, run, tests, *rest):
                    begin(self, run, [], *rest)
                    raise JournalError(self.path, "results disk full")
                if os.path.exists("full"):
                    JournalWriter.run_started = fill
            """,
        }
    )
    run_pytest("--slots", "1")
    (project / "full").touch()
    no_room = run_pytest("--slots", "1")
    (project / "full").unlink()
    early = project / ".testloom" / "pytest" / "20991231-235959-00000"
    early.mkdir()
    (early / ".testloom-out").touch()

    session = run_pytest("--testloom-resume")

    assert (no_room.code, no_room.last_line) == (0, "2 passed")
    assert "testloom: this session is not recorded: " in no_room.out
    assert "results disk full" in no_room.out
    assert ": 2 of 2 tests carried over" in session.out
    assert session.last_line == "2 passed"


def test_what_tests_say_to_junitxml_itself_is_said_in_slots_and_when_resumed(
    write: Callable[..., None], run_pytest: RunPytest, tmp_path: Path
) -> None:
    write(
        **{
            "test_it.py": """
                import pytest
                @pytest.mark.parametrize("n", range(6))
                def test_says(n, record_xml_attribute, record_property, record_testsuite_property):
                    record_xml_attribute("number", n)
                    record_xml_attribute("classname", "another")
                    record_property("twice", 2 * n)
                    record_testsuite_property("all", "the same")
                    record_testsuite_property("of", n)
                @pytest.fixture
                def no_setup(record_xml_attribute):
                    record_xml_attribute("number", "none")
                    raise RuntimeError("no set-up")
                def test_has_no_setup(no_setup): pass
            """
        }
    )

    def said(*options: str) -> tuple[dict[str, Any], set[tuple[str | None, ...]]]:
        run_pytest("--tb=short", *options)
        report = tmp_path / "junit.xml"
        of_all = ET.parse(report).find("testsuite/properties")
        assert of_all is not None
        return cases(report), {(one.get("name"), one.get("value")) for one in of_all}

    alone = said()
    slots = said("--slots", "2")
    resumed = said("--testloom-resume")

    assert slots == alone
    assert resumed == alone
    assert alone[1] == {("all", "the same"), *(("of", str(n)) for n in range(6))}
    assert alone[0]["test_says[3]"][0][1]["number"] == "3"
    assert alone[0]["test_says[3]"][0][1]["classname"] == "another"


@pytest.mark.parametrize("options", [("--testloom-history",), ("--slots", "1")])
def test_a_test_that_was_interrupted_is_no_test_that_passed(
    write: Callable[..., None],
    run_pytest: RunPytest,
    project: Path,
    options: tuple[str, ...],
) -> None:
    write(
        **{
            "test_it.py": """
                import os
                def test_before(): pass
                def test_interrupted():
                    if not os.path.exists("calm"): raise KeyboardInterrupt
                    open("ran", "w")
            """
        }
    )

    first = run_pytest(*options)
    write(calm="")
    session = run_pytest(*options, "--testloom-resume")

    assert first.code == 2
    assert "1 of 2 tests carried over; 1 not finished" in session.out
    assert session.last_line == "2 passed"
    assert (project / "ran").exists()
