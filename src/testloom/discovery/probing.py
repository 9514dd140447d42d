"""Asks the finders about one directory, and makes sure of what they answer.

Finders are foreign code: whatever they raise or return, the result is a list of tests, of which
some may be broken, or None if no finder has anything to say.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Sequence
from typing import Any, TypeAlias

from testloom.discovery.finder import Suite, TestFinder
from testloom.discovery.names import path_name
from testloom.discovery.problems import FileProblem, relative
from testloom.model import reason
from testloom.model.errors import ProbingError
from testloom.model.names import shown_line
from testloom.model.result import one_line
from testloom.model.test import BrokenTest, ParsedTest

Tests: TypeAlias = "list[ParsedTest | BrokenTest]"


class Prober:
    """The finders of a suite, ready to be asked."""

    def __init__(self, testsuite: Suite, finders: Sequence[TestFinder]) -> None:
        self._testsuite = testsuite
        self._finders = tuple(finders)
        for finder in self._finders:
            finder.start(testsuite)

    def probe(
        self, path: str, dirnames: list[str], filenames: list[str], *, admitted: bool
    ) -> Tests | None:
        """Return the tests in the directory *path*, as the first finder says that knows it.

        Unless *admitted*, only finders of directories with several tests are asked.
        """
        for finder in self._finders:
            if admitted or not finder.test_dedicated_directory:
                tests = self._asked(finder, path, dirnames, filenames)
                if tests is not None:
                    return tests
        return None

    def broken(self, path: str, message: str, why: str, log: str = "") -> BrokenTest:
        """Return a broken test for the directory *path*, named as a test in it would be."""
        try:
            name = self._testsuite.test_name(path)
        except Exception:  # noqa: BLE001 - the suite's own code; the path is a name as well
            name = path_name(self._testsuite.test_dir, path)
        return BrokenTest(name, path, one_line(message) or why, why, log)

    def _asked(
        self, finder: TestFinder, path: str, dirnames: list[str], filenames: list[str]
    ) -> Tests | None:
        who = type(finder).__name__
        try:
            probed = finder.probe(self._testsuite, path, dirnames, filenames)
        except FileProblem as problem:
            broken = self.broken(path, str(problem), reason.CONFIG)
            return [dataclasses.replace(broken, source=problem.path, line=problem.line or 1)]
        except ProbingError as error:
            return [self.broken(path, _text(error), reason.CONFIG, _trace())]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a finder is foreign code
            what = f"{type(error).__name__}: {_text(error)}"
            message = f"{self._shown(path)}: the finder {who} failed ({what}); see the log"
            return [self.broken(path, message, reason.EXCEPTION, _trace())]
        if probed is None:
            return None
        tests: list[Any] = list(probed) if isinstance(probed, list | tuple) else [probed]
        return [self._checked(test, path, who) for test in tests]

    def _checked(
        self, test: ParsedTest | BrokenTest, path: str, who: str
    ) -> ParsedTest | BrokenTest:
        """Return *test* if it can be one."""
        if not isinstance(test, ParsedTest | BrokenTest):
            what = f"returned a {type(test).__name__}; it must return ParsedTest, list or None"
        elif not isinstance(test.test_name, str):
            what = f"named a test {test.test_name!r}; a name must be a text"
        elif not test.test_name or "\0" in test.test_name:
            what = f"named a test {test.test_name!r}; a name must not be empty or hold a NUL"
        else:
            return test
        message = f"{self._shown(path)}: the finder {who} {what}"
        return self.broken(path, shown_line(message), reason.CONFIG)

    def _shown(self, path: str) -> str:
        return shown_line(relative(path, self._testsuite.root_dir))


def _trace() -> str:
    """Return the traceback of the exception being handled, of bounded length."""
    try:
        return traceback.format_exc(limit=-50)[-100_000:]
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is foreign code again
        return "the traceback cannot be shown"


def _text(error: BaseException) -> str:
    try:
        return str(error)[:4000]
    except Exception:  # noqa: BLE001 - foreign code again
        return "its message cannot be shown"
