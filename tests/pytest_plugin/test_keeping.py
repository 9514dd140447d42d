"""Fixtures that are set up once a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SUITE = """
    import os, pathlib, pytest, testloom
    LOG = pathlib.Path(__file__).with_name("log")
    def note(what):
        with LOG.open("a") as log: print(what, file=log)

    @pytest.fixture(scope="session")
    @testloom.run_scoped
    def server(tmp_path_factory):
        note("up")
        yield {"pid": os.getpid(), "place": str(tmp_path_factory.mktemp("server"))}
        note("down")

    @testloom.run_scoped
    @pytest.fixture(scope="session")
    def broken(): raise RuntimeError("does not start")

    @pytest.mark.parametrize("n", range(20))
    def test_it(server, n):
        assert server["pid"] != os.getpid() or "TESTLOOM_PYTEST_SLOT" not in os.environ
        assert os.path.isdir(server["place"])
"""


def test_they_are_set_up_and_torn_down_once_whatever_the_number_of_slots(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(**{"test_it.py": SUITE})

    session = run_pytest("--slots", "3")

    assert session.last_line == "20 passed"
    assert (project / "log").read_text().split() == ["up", "down"]


def test_without_slots_they_are_session_fixtures(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(**{"test_it.py": SUITE})

    session = run_pytest()

    assert session.last_line == "20 passed"
    assert (project / "log").read_text().split() == ["up", "down"]


def test_they_are_torn_down_when_a_test_interrupts_the_session(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    write(**{"test_it.py": SUITE, "test_stop.py": "def test_it(): raise KeyboardInterrupt\n"})

    session = run_pytest("--slots", "2")

    assert session.code == 2
    assert (project / "log").read_text().split() == ["up", "down"]


def test_one_that_cannot_be_set_up_fails_the_tests_that_use_it(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{"test_it.py": SUITE + "\n    def test_other(broken): pass\n    def test_fine(): pass\n"}
    )

    session = run_pytest("--slots", "2")

    assert session.names("error") == {"test_it::test_other"}
    assert "RuntimeError: does not start" in session.out
    assert session.last_line == "21 passed, 1 error"


def test_one_of_another_scope_is_refused(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "test_it.py": """
                import pytest, testloom
                @pytest.fixture
                @testloom.run_scoped
                def narrow(): pass
                def test_it(narrow): pass
            """
        }
    )

    session = run_pytest("--slots", "2")

    assert session.code == 4
    assert "fixture 'narrow': run_scoped needs scope='session' and no params" in session.out
