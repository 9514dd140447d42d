"""Tests that need more than a slot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# Each test notes when it begins and ends, in the order in which that happens.
MARKED = """
    import os, pathlib, pytest, time
    LOG = os.open(pathlib.Path(__file__).with_name("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @pytest.fixture
    def noted(request):
        os.write(LOG, f"+{request.node.name}\\n".encode())
        for _ in range(20): os.sched_yield(); os.getpid()
        yield
        os.write(LOG, f"-{request.node.name}\\n".encode())

    @pytest.mark.parametrize("n", range(60))
    def test_free(noted, n): pass

    @pytest.mark.exclusive
    @pytest.mark.parametrize("n", range(3))
    def test_alone(noted, n): pass

    @pytest.mark.slots(2)
    def test_wide(noted): pass

    @pytest.mark.group("database")
    @pytest.mark.parametrize("n", range(6))
    def test_grouped(noted, n): pass
"""


def test_markers_keep_tests_apart(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(**{"test_it.py": MARKED})

    session = run_pytest("--slots", "3", "--strict-markers")

    assert session.last_line == "70 passed"
    running: set[str] = set()
    for line in (project / "log").read_text().split():
        name = line[1:]
        if line.startswith("-"):
            running.remove(name)
            continue
        running.add(name)
        kinds = [one.partition("[")[0] for one in running]
        assert "test_alone" not in kinds or len(running) == 1, running
        assert kinds.count("test_grouped") <= 1, running
        assert "test_wide" not in kinds or len(running) <= 2, running


def test_while_some_wait_for_each_other_the_rest_runs(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import pathlib, pytest, time
                PLACE = pathlib.Path(__file__).with_name("others-ran")
                @pytest.mark.group("database")
                @pytest.mark.parametrize("n", range(2))
                def test_grouped(n):
                    until = time.monotonic() + 30
                    while not PLACE.exists():
                        assert time.monotonic() < until
                        time.sleep(0.01)
                @pytest.mark.parametrize("n", range(3))
                def test_free(n):
                    if n == 2: PLACE.touch()
            """
        }
    )

    session = run_pytest("--slots", "2")

    assert session.last_line == "5 passed"


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("slots('all')", "slots('all'): write a number from 1 up"),
        ("slots", "slots takes n"),
        ("group", "group takes name, limit"),
        ("group('a', limit=0)", "group('a', limit=0): write a number from 1 up"),
        ("timeout('soon')", "timeout('soon'): the limit must be a number of seconds"),
    ],
)
def test_a_marker_that_makes_no_sense_is_one_line(
    write: Callable[..., None], run_pytest: Callable[..., Any], marker: str, complaint: str
) -> None:
    write(**{"test_it.py": f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass\n"})

    session = run_pytest("--slots", "2")

    assert session.code == 4
    assert f"test_it.py::test_it: {complaint}" in session.out
    assert "Traceback" not in session.out
