"""``--slots``: what pytest says must be what it says without, and a test that dies dies alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.pytest_plugin.conftest import Ear

pytestmark = pytest.mark.slow
LIMIT_S = 60.0

OF_ALL_KINDS = """
    import logging, unittest, warnings
    import pytest

    def test_passes(): pass
    def test_fails(): assert [1, 2] == [1, 3]
    def test_prints(): print("to be seen"); logging.getLogger().warning("logged"); assert False
    @pytest.mark.skip(reason="not today")
    def test_skipped(): pass
    @pytest.mark.xfail(reason="known")
    def test_xfails(): assert False
    @pytest.mark.xfail
    def test_xpasses(): pass
    @pytest.fixture
    def broken(): raise RuntimeError("no set-up")
    def test_error(broken): pass
    @pytest.fixture
    def breaks_later(): yield; raise RuntimeError("no tear-down")
    def test_late_error(breaks_later): pass
    def test_warns(): warnings.warn("be warned")
    def test_tmp_path(tmp_path): assert list(tmp_path.iterdir()) == []
    def test_capsys(capsys): print("x"); assert capsys.readouterr().out == "x\\n"
    def test_capfd(capfd): import os; os.write(1, b"y"); assert capfd.readouterr().out == "y"
    def test_monkeypatch(monkeypatch): monkeypatch.setenv("A", "1")
    def test_property(record_property): record_property("key", "value")
    def test_caplog(caplog): logging.getLogger().warning("w"); assert caplog.messages == ["w"]
    @pytest.mark.parametrize("n", ["a", "\\u00e4", "\\ud800"])
    def test_many(n): pass

    class TestUnit(unittest.TestCase):
        @classmethod
        def setUpClass(cls): cls.seen = []
        def test_one(self): self.seen.append(1)
        def test_two(self): self.assertEqual(self.seen, [1])
        def test_skip(self): self.skipTest("no")
        @unittest.expectedFailure
        def test_expected(self): self.fail()
"""


def test_all_kinds_of_tests_come_out_as_they_do_without_slots(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(**{"test_kinds.py": OF_ALL_KINDS})
    alone = run_pytest("-ra")
    slots = run_pytest("-ra", "--slots", "2")

    assert slots.outcomes == alone.outcomes
    assert len(slots.outcomes) == 22
    assert (slots.code, slots.last_line) == (alone.code, alone.last_line)
    for line in ("to be seen", "WARNING  root:test_kinds.py", "RuntimeError: no tear-down"):
        assert line in slots.out
    for line in (
        "FAILED test_kinds.py::test_fails - assert [1, 2] == [1, 3]",
        "UserWarning: be warned",
    ):
        assert line in alone.out
        assert line in slots.out


def test_what_dies_in_any_way_fails_alone_and_by_name(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    ways = {
        "segfault": "ctypes.string_at(0)",
        "exit": "os._exit(0)",
        "killed": "os.kill(os.getpid(), signal.SIGKILL)",
        "aborted": "os.abort()",
        "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
        "hangs": "threading.Event().wait()",
        "deaf": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); threading.Event().wait()",
    }
    dying = "".join(
        f"@pytest.mark.timeout({0.5 if way in ('stopped', 'hangs', 'deaf') else 30})\n"
        f"def test_{way}(): {code}\n"
        for way, code in ways.items()
    )
    write(
        **{
            "test_dying.py": "import ctypes, os, signal, threading\nimport pytest\n"
            "@pytest.mark.parametrize('n', range(50))\ndef test_before(n): pass\n"
            + dying
            + "@pytest.mark.parametrize('n', range(50))\ndef test_after(n): pass\n",
        }
    )

    session = run_pytest("--slots", "2")

    assert session.code == 1
    assert session.names("failure") == {f"test_dying::test_{way}" for way in ways}
    assert session.last_line == "7 failed, 100 passed"
    for line in (
        "SIGSEGV while running test_dying.py::test_segfault",
        "the process exited with status 0 while running test_dying.py::test_exit",
        "SIGKILL while running test_dying.py::test_killed",
        "SIGABRT while running test_dying.py::test_aborted",
        "timed out after 0.5 s while running test_dying.py::test_stopped",
        "timed out after 0.5 s while running test_dying.py::test_hangs",
        "timed out after 0.5 s (SIGTERM ignored, killed) while running test_dying.py::test_deaf",
        "in test_hangs",  # where it was, from its Python stack
        "in test_segfault",
    ):
        assert line in session.out


def test_a_fork_that_comes_back_from_its_test_runs_nothing_else(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(
        **{
            "test_it.py": """
                import os, pytest
                def note(what):
                    with open("log", "a") as file: file.write(what + "\\n")
                before = []
                def test_forks():
                    before.append(os.getpid())
                    pid = os.fork()
                    note("child" if pid == 0 else "parent")
                    if pid: assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                @pytest.mark.parametrize("n", range(5))
                def test_follows(n):
                    note(str(n))
                    assert before == [os.getpid()]
            """
        }
    )

    session = run_pytest("--slots", "1", "--testloom-timeout", "20")

    assert session.last_line == "6 passed"
    assert sorted((project / "log").read_text().split()) == [*"01234", "child", "parent"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("record_property('a', 1)", 0),
        ("pytest.skip('not here')", 0),
        ("assert False", 1),
        ("raise KeyboardInterrupt", 1),
        ("pytest.exit('enough', 7)", 7),
    ],
)
def test_a_fork_that_comes_back_exits_with_what_has_come_of_it(
    write: Callable[..., None], run_pytest: Callable[..., Any], code: str, expected: int
) -> None:
    write(
        **{
            "test_it.py": f"""
                import os, pytest
                def test_forks(record_property):
                    pid = os.fork()
                    if pid == 0: {code}
                    else: assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == {expected}
            """
        }
    )

    assert run_pytest("--slots", "1", "--testloom-timeout", "20").last_line == "1 passed"


def test_what_a_test_has_forked_dies_of_sigterm_and_tears_nothing_down(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(
        **{
            "test_it.py": """
                import multiprocessing, os, pytest, signal
                @pytest.fixture(scope="session")
                def server():
                    yield
                    with open("torn", "a") as file: file.write("x")
                def test_terminates(server):
                    process = multiprocessing.get_context("fork").Process(target=signal.pause)
                    process.start()
                    process.terminate()
                    process.join(20)
                    assert process.exitcode == -signal.SIGTERM
            """
        }
    )

    session = run_pytest("--slots", "1", "--testloom-timeout", "30")

    assert session.last_line == "1 passed"
    assert (project / "torn").read_text() == "x"


def test_shared_fixtures_are_set_up_once_where_their_tests_stay_together(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    module = """
        import os, pathlib, pytest
        LOG = pathlib.Path(__file__).with_suffix(".log")
        @pytest.fixture(scope="module")
        def dear():
            with LOG.open("a") as log: print("up", file=log)
            yield os.getpid()
            with LOG.open("a") as log: print("down", file=log)
        @pytest.mark.parametrize("n", range(6))
        def test_uses(dear, n): assert dear == os.getpid()
        def test_does_not(): pass
    """
    write(**{f"test_{name}.py": module for name in "abcd"})

    session = run_pytest("--slots", "2")

    assert session.last_line == "28 passed"
    logs = [path.read_text().split() for path in sorted(project.glob("*.log"))]
    assert len(logs) == 4
    for log in logs:
        assert log.count("up") == log.count("down")
    # Once each, and more often only where a slot had nothing else to do.
    assert sum(log.count("up") for log in logs) <= 12


def test_failures_of_session_fixtures_torn_down_at_the_end_are_told(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import pytest
                @pytest.fixture(scope="session")
                def late(): yield; raise RuntimeError("too late")
                def test_it(late): pass
            """
        }
    )

    session = run_pytest("--slots", "2")

    assert session.code == 1
    assert session.last_line == "1 passed, 1 error"
    assert "ERROR at teardown of test_it" in session.out
    assert "RuntimeError: too late" in session.out


def test_the_session_ends_early_where_it_would_without_slots(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_many.py": """
                import pytest
                @pytest.mark.parametrize("n", range(200))
                def test_it(n): assert n % 10
            """,
            "test_exits.py": "import pytest\ndef test_it(): pytest.exit('enough', returncode=2)\n",
            "test_interrupts.py": "def test_it(): raise KeyboardInterrupt\n",
            "broken.py": "import nothing_like_that\n",
        }
    )

    first = run_pytest("--slots", "2", "-x", "test_many.py")
    third = run_pytest("--slots", "2", "--maxfail=3", "test_many.py")
    exits = run_pytest("--slots", "2", "test_exits.py")
    interrupts = run_pytest("--slots", "2", "test_interrupts.py")
    broken = run_pytest("--slots", "2", "broken.py")
    nothing = run_pytest("--slots", "2", "-k", "nothing_like_that", "test_many.py")

    assert (first.code, "stopping after 1 failures" in first.out) == (1, True)
    assert len(first.names("failure")) == 1
    assert (third.code, len(third.names("failure"))) == (1, 3)
    assert (exits.code, "Exit: enough" in exits.out) == (2, True)
    assert (interrupts.code, "KeyboardInterrupt" in interrupts.out) == (2, True)
    assert (broken.code, "1 error" in broken.last_line) == (2, True)
    assert (nothing.code, nothing.last_line) == (5, "200 deselected")


def test_only_failures_run_again(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import os, pytest
                @pytest.mark.parametrize("n", range(20))
                def test_it(n):
                    if n == 7: os._exit(1)
                    assert n != 3
            """
        }
    )

    run_pytest("--slots", "2")
    at_once = run_pytest("--slots", "1", "-x")
    again = run_pytest("--slots", "2", "--lf")

    # What failed comes first, so that one knows soon whether it still does.
    assert set(at_once.outcomes) == {"test_it::test_it[3]"}

    assert set(again.outcomes) == {"test_it::test_it[3]", "test_it::test_it[7]"}
    assert again.last_line == "2 failed"


def test_lines_of_tests_that_nobody_captures_say_whose_they_are(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import os
                def test_one(): print("from one")
                def test_two(): os.system("echo from two; printf 'and no end'")
                def test_three(): print("from three")
            """
        }
    )

    session = run_pytest("--slots", "1", "-s")

    lines = session.out.splitlines()
    assert "test_it.py::test_one: from one" in lines
    assert "test_it.py::test_two: from two" in lines
    assert "test_it.py::test_two: and no end" in lines
    assert "test_it.py::test_three: from three" in lines
    assert session.last_line == "3 passed"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-p", "xdist", "-n1"), "pytest-xdist distributes the tests (-n)"),
        (("--pdb",), "--pdb needs the terminal"),
    ],
)
def test_slots_stand_back_with_one_line(
    write: Callable[..., None], run_pytest: Callable[..., Any], arguments: tuple[str, ...], why: str
) -> None:
    if "xdist" in arguments:
        pytest.importorskip("xdist")
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest("--slots", "2", *arguments)

    assert session.last_line == "1 passed"
    assert session.out.count(f"testloom: --slots is ignored: {why}") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--slots", "many"), "--slots: 'many' is neither a number up to 1000 nor 'auto'"),
        (("--slots", "2", "--testloom-timeout", "soon"), "--testloom-timeout: "),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_4(
    write: Callable[..., None],
    run_pytest: Callable[..., Any],
    arguments: tuple[str, ...],
    line: str,
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest(*arguments)

    assert session.code == 4
    assert f"ERROR: {line}" in session.out
    assert "Traceback" not in session.out


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_the_session_as_in_pytest_and_leaves_nothing(
    write: Callable[..., None],
    start_pytest: Callable[..., subprocess.Popen[str]],
    ear: Ear,
    times: int,
) -> None:
    # Tests tell when they run, and the fixture when it is torn down.
    write(
        **{
            "test_it.py": f"""
import os, signal, threading, pytest
{ear.tell}
@pytest.fixture
def torn():
    yield
    tell("torn")
    {"threading.Event().wait()" if times == 2 else ""}
def test_a(torn): tell(os.getpid()); threading.Event().wait()
"""
        }
    )
    session = start_pytest("--slots", "2")
    pid = int(ear.line())
    session.send_signal(signal.SIGINT)
    assert ear.line() == "torn"
    if times == 2:
        session.send_signal(signal.SIGINT)
    out, _ = session.communicate(timeout=LIMIT_S)

    assert session.returncode == 2
    assert "KeyboardInterrupt" in out
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_of_a_thousand_tests_exactly_the_thirty_that_die_fail(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import ctypes, os, signal, sys, threading
                import pytest
                WAYS = [
                    lambda: ctypes.string_at(0), lambda: os._exit(0), lambda: os._exit(3), os.abort,
                    lambda: os.kill(os.getpid(), signal.SIGKILL),
                    lambda: os.kill(os.getpid(), signal.SIGSTOP),
                    lambda: threading.Event().wait(),
                    lambda: sys.exit(1),
                    lambda: os.kill(os.getpid(), signal.SIGTERM) or threading.Event().wait(),
                    lambda: os.kill(os.getpid(), signal.SIGBUS),
                ]
                def dies(n): return n % 33 == 7 and n < 990
                def limited(n):
                    hangs = dies(n) and n // 33 % 10 in (5, 6)
                    return pytest.param(n, marks=pytest.mark.timeout(0.5)) if hangs else n
                @pytest.mark.parametrize("n", list(map(limited, range(1000))))
                def test_it(n):
                    if dies(n): WAYS[n // 33 % 10]()
            """
        }
    )

    session = run_pytest("--slots", "2", "-q")

    assert session.names("failure") == {f"test_it::test_it[{n}]" for n in range(7, 990, 33)}
    assert session.last_line == "30 failed, 970 passed"


def test_a_slot_whose_process_cannot_be_killed_is_given_up_and_others_go_on(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    """As with one that hangs in the kernel: here the process hangs that would kill it."""
    write(
        **{
            "conftest.py": """
                import os, signal
                from pathlib import Path
                from testloom.pytest_plugin.lanes import Lane
                from testloom.workers import slot

                slot._KILL_S = Lane.grace_s = 0.2
                main = os.getpid()

                def pytest_runtest_logreport(report):
                    if report.failed and os.getpid() == main:
                        os.kill(int(Path("nursery").read_text()), signal.SIGCONT)
            """,
            "test_it.py": """
                import os, signal, threading
                from pathlib import Path
                import pytest

                @pytest.mark.timeout(0.3)
                def test_stays():
                    Path("nursery").write_text(str(os.getppid()))
                    os.kill(os.getppid(), signal.SIGSTOP)
                    threading.Event().wait()

                @pytest.mark.parametrize("n", range(20))
                def test_goes_on(n): pass
            """,
        }
    )

    session = run_pytest("--slots", "2")

    assert (session.code, session.last_line) == (1, "1 failed, 20 passed")
    assert session.names("failure") == {"test_it::test_stays"}
    assert "cannot be killed; the slot is given up" in session.out
