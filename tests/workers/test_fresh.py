"""Workers that are fresh interpreters: nothing is inherited, everything is told.

Each test is a whole program, because what such a worker is told begins with the main script.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.slow  # each worker starts an interpreter

Run = Callable[..., list[str]]


def script(tests: str, options: str = 'start_method="spawn"') -> str:
    return f"""
from drivers import *
from runner import run_all
if __name__ == "__main__":
    run_all([{tests}], {options})
"""


def test_drivers_are_made_anew_and_told_about_the_suite(run: Run) -> None:
    assert run(script("Simple, Simple", 'jobs=1, start_method="spawn"')) == [
        "t0.run hello 0 True 0",
        "t1.run hello 1 True 0",
    ]


def test_along_a_chain_the_driver_and_what_cannot_be_sent_stay(run: Run) -> None:
    """Also where a fragment has another name than the method that it is."""
    assert run(script("Chain", 'jobs=1, start_method="spawn"')) == [
        "t0.one Returned(value=None, raised='', aborted=False, unpicklable='', leaks=())",
        "t0.three nor this made by one",
        "t0.two not sendable made by one",
    ]


def test_attributes_travel_where_a_test_forks_and_joins(run: Run) -> None:
    assert run(script("Diamond"))[-1] == "t0.z 1 2 3"


def test_what_cannot_be_made_there_is_an_error_of_that_test_only(run: Run) -> None:
    tests = "Unsendable, FailsElsewhere, ForgetsElsewhere, Simple"
    lines = run(script(tests, 'jobs=1, start_method="spawn"'))

    assert lines[0].startswith(
        "t0.run RuntimeError: this test cannot be sent to a fresh interpreter, "
        "use --start-method=fork: "
    )
    assert lines[1:] == [
        "t1.run ValueError: planted",
        "t2.run KeyError: 't2.run'",
        "t3.run hello 3 True 0",
    ]


def test_programs_of_a_test_get_neither_the_channel_nor_the_setup(run: Run) -> None:
    assert run(script("Looks")) == ["t0.run 0"]


def test_names_of_tests_may_be_no_text(run: Run) -> None:
    """They come from names of files."""
    code = """
from drivers import *
from runner import run_all
class Odd(Chain):
    def __init__(self, env, test_env):
        super().__init__(env, test_env | {"test_name": "caf\\udce9"})
    def add_test(self, dag):
        self.add(dag, "one", lambda previous, slot: 7)
        self.add(dag, "two", lambda previous, slot: print(previous), ["one"])
class After(Simple):
    def add_test(self, dag):
        super().add_test(dag)
        dag.update_vertex("t1.run", predecessors=["caf\\udce9.one"], enable_checks=False)
    def run(self, previous, slot):
        print(ascii(previous))
if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")
    run_all([Odd, After], start_method="spawn")
"""
    lines = run(code)
    assert lines[1:] == ["caf\\udce9.two {'one': 7}", "t1.run {'caf\\udce9.one': 7}"]


def test_slots_have_numbers_of_which_some_are_those_of_descriptors(run: Run) -> None:
    tests = ", ".join(["Simple"] * 12)
    lines = run(script(tests, 'jobs=12, start_method="spawn"'))

    assert len(lines) == 12
    assert all(line.split()[1] == "hello" for line in lines)


IN_MAIN = """
from drivers import Base
from runner import run_all

class Local(Base):
    def add_test(self, dag):
        self.add(dag, "run")
    def run(self, previous, slot):
        print(type(self).__module__, helper())

def helper():
    return "found"

if __name__ == "__main__":
    run_all([Local], start_method="spawn")
"""


@pytest.mark.parametrize("how", [(), ("-m", "suite"), ("suite.py",)])
def test_drivers_may_live_in_the_main_script_or_module(run: Run, how: tuple[str, ...]) -> None:
    assert run(IN_MAIN, *how) == ["t0.run __main__ found"]


def test_a_main_script_that_cannot_be_imported_again_ends_the_run(run: Run) -> None:
    code = """
from drivers import *
from runner import run_all
from testloom.model.errors import WorkersCannotStart
if __name__ != "__main__":
    raise ValueError("planted")
try:
    run_all([Simple], start_method="spawn")
except WorkersCannotStart as error:
    print(error)
"""
    lines = run(code)

    assert lines[-1] == (
        "3 workers in a row could not be started; "
        "the last: ended with exit status 1 ValueError: planted"
    )


def test_in_this_process_the_same_tests_run_one_after_the_other(run: Run) -> None:
    lines = run(script("Simple, Chain, Diamond", "jobs=1, in_process=True"))

    assert lines[:4] == [
        "hello 0 True 0",
        "not sendable made by one",
        "nor this made by one",
        "1 2 3",
    ]
    assert len(lines) == 4 + 8
    assert os.getpid() > 0
