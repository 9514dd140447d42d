"""What suites import is there, and is fetched only when they do."""

from __future__ import annotations

import subprocess
import sys

HEAD = "import importlib, sys; from testloom.compat import e3; e3.install(); "


def shown(program: str) -> str:
    """Run *program* in a process where ``e3.testsuite`` is ours; return what it prints."""
    ended = subprocess.run(
        [sys.executable, "-c", HEAD + program], capture_output=True, text=True, check=False
    )
    return ended.stdout + ended.stderr


def test_every_name_of_the_table_can_be_fetched() -> None:
    assert shown("""
for name in e3.MODULES:
    module = importlib.import_module(name)
    for one in dir(module):
        getattr(module, one)
print("done")
""") == ("done\n")


def test_submodules_are_there_without_being_imported() -> None:
    assert shown("""
import e3.testsuite
print(e3.testsuite.driver.diff.DiffTestDriver.__name__)
from e3.testsuite import *
print(Testsuite.__name__, result.TestStatus.PASS.name, "_helpers" in globals())
""") == ("DiffTestDriver\nTestsuite PASS False\n")


def test_an_unknown_name_is_an_error_as_python_says_it() -> None:
    assert "ImportError: cannot import name 'Testsiute' from 'e3.testsuite'" in shown(
        "from e3.testsuite import Testsiute"
    )


def test_names_are_fetched_when_they_are_used() -> None:
    """A suite without baseline rewriting or imports of reports does not wait for that code."""
    assert shown("""
from e3.testsuite import Testsuite
print("testloom.compat.e3_modules.rewriting" in sys.modules)
""") == ("False\n")
