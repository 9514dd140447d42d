"""``--testloom-head-start``: tests begin before all is collected, and nobody sees another difference."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.pytest_plugin.test_slots import OF_ALL_KINDS

if TYPE_CHECKING:
    from tests.pytest_plugin.conftest import Ear

pytestmark = pytest.mark.slow
LIMIT_S = 60.0
OPTIONS = ("--slots", "2", "--testloom-head-start")

SLOW = "import time; time.sleep(0.3)\n"
"""Collecting takes so long that somebody may begin with the module."""
WAITS = """
import pathlib, pytest, time
until = time.monotonic() + 30
while not pathlib.Path("ran").exists() and time.monotonic() < until: time.sleep(0.01)
@pytest.fixture(scope="session")
def wide(): pass
def test_later(wide): pass
"""
"""A module that is collected once a test of another module has run, or after half a minute.

Its test never has a head start itself, however long that took.
"""
TELLS = "\ndef test_tells(): open('ran', 'w').close()\n"


@pytest.fixture
def write_both(write: Callable[..., None]) -> Callable[..., None]:
    """Write a module whose tests, which are plain, run before the second one has been collected."""

    def write_them(first: str, **more: str) -> None:
        write(**{"test_a.py": first, "test_b.py": WAITS, **more})

    return write_them


def test_tests_run_before_all_is_collected(
    write_both: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write_both(f"{SLOW}{TELLS}def test_knows(): assert 1 == 2\n")

    session = run_pytest(*OPTIONS)

    assert (project / "ran").exists()
    assert "testloom: 2 tests had a head start" in session.out
    assert session.outcomes == {
        "test_a::test_tells": "passed",
        "test_a::test_knows": "failure",
        "test_b::test_later": "passed",
    }
    assert (session.code, session.last_line) == (1, "1 failed, 2 passed")


def test_all_kinds_of_tests_come_out_as_they_do_without(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    kinds = "\n".join(line.removeprefix("    ") for line in OF_ALL_KINDS.splitlines())
    write(**{f"test_{name}.py": SLOW + kinds for name in "abcd"})
    alone = run_pytest("-ra")
    ahead = run_pytest("-ra", *OPTIONS)

    assert "had a head start" in ahead.out
    assert ahead.outcomes == alone.outcomes
    assert len(ahead.outcomes) == 4 * 22
    assert (ahead.code, ahead.last_line) == (alone.code, alone.last_line)


def test_what_dies_early_fails_alone_and_by_name(
    write_both: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write_both(
        f"""
import os, signal, threading, pytest
{SLOW}
def test_first(): pass
def test_exits(): os._exit(0)
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
@pytest.mark.timeout(0.5)
def test_hangs(): threading.Event().wait()
{TELLS}"""
    )

    session = run_pytest(*OPTIONS)

    assert session.names("failure") == {f"test_a::test_{w}" for w in ("exits", "killed", "hangs")}
    assert session.last_line == "3 failed, 3 passed"
    assert "the process exited with status 0 while running test_a.py::test_exits" in session.out
    assert "timed out after 0.5 s while running test_a.py::test_hangs" in session.out


def test_two_that_run_at_the_same_time_are_never_in_the_same_slot(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    content = f"""
import os, time, pytest
{SLOW}
@pytest.mark.parametrize("n", range(12))
def test_it(n, tmp_path):
    own = "in-slot-" + os.environ["TESTLOOM_PYTEST_SLOT"]
    os.close(os.open(own, os.O_CREAT | os.O_EXCL))
    time.sleep(0.05)
    os.unlink(own)
"""
    write(**{f"test_{number}.py": content for number in range(8)})

    session = run_pytest("--slots", "3", "--testloom-head-start")

    assert "had a head start" in session.out
    assert session.last_line == "96 passed"


def test_where_collecting_fails_nothing_has_run_for_pytest(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(**{"test_a.py": SLOW + TELLS, "test_b.py": WAITS + "\nimport nowhere\n"})

    session = run_pytest(*OPTIONS)

    assert session.code == 2
    assert session.last_line.endswith("1 error")
    assert "test_a" not in "".join(session.outcomes)
    assert "testloom: no head start: a module cannot be collected" in session.out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            "@pytest.fixture(scope='session')\ndef wide(): pass\ndef test_it(wide): pass\n",
            "test_a.py::test_it uses fixture 'wide', which is for the whole session",
        ),
        (
            "@pytest.fixture(scope='module', params=[1])\ndef some(): pass\ndef test_it(some): pass\n",
            "test_a.py::test_it[1] has parameters for more than a function",
        ),
        (
            "@pytest.mark.parametrize('n', [1], scope='module')\ndef test_it(n): pass\n",
            "test_a.py::test_it[1] has parameters for more than a function",
        ),
        (
            "import testloom\n@testloom.run_scoped\ndef once(): pass\ndef test_it(): pass\n",
            "fixture 'once' is run_scoped",
        ),
        ("@pytest.mark.exclusive\ndef test_it(): pass\n", "has the marker 'exclusive'"),
        ("@pytest.mark.group('g')\ndef test_it(): pass\n", "has the marker 'group'"),
    ],
)
def test_what_may_concern_others_waits_and_it_is_said_why(
    write: Callable[..., None], run_pytest: Callable[..., Any], content: str, why: str
) -> None:
    write(**{"test_a.py": f"import pytest\n{SLOW}{content}"})

    session = run_pytest(*OPTIONS)

    assert session.last_line == "1 passed"
    assert "testloom: no head start: " in session.out
    assert why in session.out


def test_who_chooses_tests_late_has_its_way(
    write_both: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write_both(
        SLOW + TELLS,
        **{
            "zz/conftest.py": "def pytest_collection_modifyitems(items): del items[0]\n",
            "zz/test_c.py": "def test_it(): pass\n",
        },
    )

    session = run_pytest(*OPTIONS)

    assert (project / "ran").exists()
    assert session.outcomes == {"test_b::test_later": "passed", "zz.test_c::test_it": "passed"}
    assert "conftest.py has the hook pytest_collection_modifyitems" in session.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-x",), "-x and --maxfail end tests only when all are known"),
        (("-k", "it"), "-k chooses tests only when all are known"),
        (("-m", "not it"), "-m chooses tests only when all are known"),
        (("--lf",), "--lf chooses tests only when all are known"),
        (("--ff",), "--ff orders tests only when all are known"),
        (("test_it.py::test_it",), "node ids choose tests only when all are known"),
        (("-s",), "-s shows output as it comes"),
        (("--log-level=INFO", "-o", "log_cli=true"), "log_cli shows output as it comes"),
    ],
)
def test_it_stands_back_with_one_line(
    write: Callable[..., None], run_pytest: Callable[..., Any], arguments: tuple[str, ...], why: str
) -> None:
    write(**{"test_it.py": "def test_it(): pass\n"})

    session = run_pytest(*OPTIONS, *arguments)

    assert session.last_line == "1 passed"
    assert session.out.count(f"testloom: --testloom-head-start is ignored: {why}\n") == 1


@pytest.mark.parametrize(
    "hook",
    [
        "pytest_collection",
        "pytest_collection_modifyitems",
        "pytest_collection_finish",
        "pytest_runtestloop",
    ],
)
def test_plugins_that_have_a_say_are_named(
    write: Callable[..., None], run_pytest: Callable[..., Any], hook: str
) -> None:
    write(**{"conftest.py": f"def {hook}(): pass\n", "test_it.py": "def test_it(): pass\n"})

    out = run_pytest(*OPTIONS).out

    assert "--testloom-head-start is ignored: " in out
    assert f"conftest.py has the hook {hook}\n" in out


WAITS_FOR_LATER = """
import os, pathlib, pytest, time
def wait_for(name):
    until = time.monotonic() + 30
    while not pathlib.Path(name).exists():
        assert time.monotonic() < until
        time.sleep(0.01)
"""
"""What a module begins with whose tests wait for what is done when all is collected."""
LATER = WAITS.replace("later(wide): pass", "later(wide): open('later', 'w').close()")
"""A module whose test runs then."""


def test_what_is_behind_a_long_test_is_run_by_others(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_a.py": f"{SLOW}{WAITS_FOR_LATER}{TELLS}"
            "def test_long(): wait_for('short')\n"
            "def test_short(): open('short', 'w').close()\n",
            "test_b.py": WAITS,
        }
    )

    session = run_pytest(*OPTIONS)

    assert session.last_line == "4 passed"


def test_others_do_not_wait_for_who_is_ahead_behind_an_item_that_has_to(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    """An item that must run alone waits for the last one; those behind it do not."""
    write(
        **{
            "test_a.py": f"{SLOW}def test_first(): pass\n",
            "test_b.py": f"{SLOW}{WAITS_FOR_LATER}{TELLS}def test_long(): wait_for('others')\n",
            "test_c.py": WAITS
            + """
@pytest.mark.exclusive
def test_alone(): pass
@pytest.mark.parametrize("n", range(4))
def test_others(n, wide):
    if n == 3: open("others", "w").close()
""",
        }
    )

    session = run_pytest("--slots", "3", "--testloom-head-start")

    assert session.last_line == "9 passed"


def test_a_class_that_shares_something_stays_with_who_has_begun_it(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_a.py": f"""{SLOW}{WAITS_FOR_LATER}
class TestIt:
    @classmethod
    def setup_class(cls): cls.pid = os.getpid()
    def test_1(self):
        open("ran", "w").close()
        wait_for("later")
    def test_2(self): assert self.pid == os.getpid(); type(self).seen = True
    def test_3(self): assert self.seen
""",
            "test_b.py": LATER,
        }
    )

    session = run_pytest(*OPTIONS)

    assert session.last_line == "4 passed"


def test_what_goes_wrong_when_a_module_is_torn_down_is_told_of_its_last_test(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_a.py": f"""{SLOW}{WAITS_FOR_LATER}
@pytest.fixture(scope="module")
def server():
    yield
    raise LookupError("not to be stopped")
def test_first(server):
    open("ran", "w").close()
    wait_for("later")
def test_second(server): pass
""",
            "test_b.py": LATER,
        }
    )

    session = run_pytest(*OPTIONS)

    assert session.last_line == "3 passed, 1 error"
    assert "ERROR at teardown of test_second" in session.out
    assert "LookupError: not to be stopped" in session.out


def test_each_test_is_in_the_history_once(
    write_both: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write_both(f"{SLOW}{TELLS}def test_fails(): assert 0\n")

    run_pytest(*OPTIONS, "--testloom-report=json=report.json")

    results = json.loads((project / "report.json").read_text())["results"]
    assert sorted(result["name"] for result in results) == [
        "test_a.py::test_fails",
        "test_a.py::test_tells",
        "test_b.py::test_later",
    ]
    began = {result["name"]: result["started_s"] for result in results}
    assert 0 < began["test_a.py::test_tells"] < began["test_a.py::test_fails"]


def test_what_one_who_was_killed_has_not_told_runs_again(
    write_both: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write_both(
        f"""
import os, signal, threading
{SLOW}
def test_first(): pass
def test_kills_who_is_above():
    with open(f"/proc/{{os.getppid()}}/stat") as file: above = int(file.read().split()[3])
    with open(f"/proc/{{above}}/comm") as file: name = file.read()
    if name == "testloom-ahead\\n":
        open("ran", "w").close()
        os.kill(above, signal.SIGKILL)
        threading.Event().wait()
"""
    )

    session = run_pytest(*OPTIONS)

    assert "testloom: 2 tests had a head start" in session.out
    assert session.last_line == "3 passed"


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_the_rest_runs_ends_those_who_are_ahead_too(
    write: Callable[..., None],
    start_pytest: Callable[..., subprocess.Popen[str]],
    project: Path,
    ear: Ear,
    times: int,
) -> None:
    write(
        **{
            "test_a.py": f"""
import os, pytest, threading
{SLOW}{ear.tell}
@pytest.fixture
def torn():
    yield
    tell("torn")
    {"threading.Event().wait()" if times == 2 else ""}
{TELLS}
def test_it(torn): tell(os.getpid()); threading.Event().wait()
""",
            "test_b.py": f"""{WAITS}
import threading
def test_other(wide):
    open("other", "w").close()
    threading.Event().wait()
""",
        }
    )
    session = start_pytest(*OPTIONS, "-v")
    running = os.pidfd_open(int(ear.line()))
    wait_for(project / "other")
    session.send_signal(signal.SIGINT)
    assert ear.line() == "torn"
    if times == 2:
        session.send_signal(signal.SIGINT)
    out, _ = session.communicate(timeout=LIMIT_S)

    assert session.returncode == 2
    assert "KeyboardInterrupt" in out
    assert "test_a.py::test_tells PASSED" in out
    assert ends(running)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nobody_is_left_behind_when_collecting_is_ended(
    write: Callable[..., None],
    start_pytest: Callable[..., subprocess.Popen[str]],
    ear: Ear,
    how: signal.Signals,
) -> None:
    write(
        **{
            "test_a.py": f"import os, threading\n{SLOW}{ear.tell}"
            "def test_it(): tell(os.getpid()); threading.Event().wait()\n",
            "test_b.py": "import threading; threading.Event().wait()\n",
        }
    )
    session = start_pytest(*OPTIONS)
    running = os.pidfd_open(int(ear.line()))
    session.send_signal(how)
    session.communicate(timeout=LIMIT_S)

    assert session.returncode == (2 if how is signal.SIGINT else -how)
    assert ends(running)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_is_left_behind_who_tears_down_for_ever(
    write: Callable[..., None],
    start_pytest: Callable[..., subprocess.Popen[str]],
    ear: Ear,
    how: signal.Signals,
) -> None:
    write(
        **{
            "conftest.py": f"""
import os, pytest, threading
{ear.tell}
@pytest.fixture(scope="session")
def server():
    yield
    tell(os.getpid())
    threading.Event().wait()
""",
            "test_a.py": f"{SLOW}def test_it(request): request.getfixturevalue('server')\n",
            "test_b.py": "import threading; threading.Event().wait()\n",
        }
    )
    session = start_pytest(*OPTIONS)
    running = os.pidfd_open(int(ear.line()))
    session.send_signal(how)
    session.communicate(timeout=LIMIT_S)

    assert session.returncode == -how
    assert ends(running)


def ends(pidfd: int) -> bool:
    """Wait for a process to end; tell whether it has."""
    try:
        return bool(select.select([pidfd], [], [], LIMIT_S)[0])
    finally:
        os.close(pidfd)


def wait_for(path: Path) -> None:
    """Wait until a file is there; fail if it does not come."""
    until = time.monotonic() + LIMIT_S
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.01)
