"""The default finder: a directory with a ``test.yaml`` is a test, and the file says which.

The whole file is the test's environment; two of its keys matter here: ``driver``, which names
the class that runs it, and ``tags``.  All other keys belong to the driver.

What can be wrong is told under the headings of e3-testsuite (`HEADINGS`) with the place and the
details behind; `e3_message` leaves the details away again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from testloom.discovery import dialect, yaml_loader
from testloom.discovery.finder import Probed, Suite, TestFinder
from testloom.discovery.problems import FileProblem, SyntaxProblem, TestFileProblem, kind_of
from testloom.discovery.yaml_loader import Document
from testloom.model import reason
from testloom.model.errors import nearest
from testloom.model.test import BrokenTest, ParsedTest

FILE_NAME: Final = "test.yaml"

MISSING_DRIVER: Final = "missing test driver"
UNKNOWN_DRIVER: Final = "cannot find driver"
INVALID_FORMAT: Final = "invalid format for test.yaml"
INVALID_SYNTAX: Final = "invalid syntax for test.yaml"
UNUSABLE: Final = "cannot use test.yaml"
"""Not one of e3-testsuite's: it has nothing to say about what cannot be read."""

HEADINGS: Final = (MISSING_DRIVER, UNKNOWN_DRIVER, INVALID_FORMAT, INVALID_SYNTAX)


def e3_message(broken: BrokenTest) -> str:
    """Return what e3-testsuite would say of *broken*: testloom's message without the details."""
    if broken.reason == reason.DUPLICATE_TEST:
        return f"duplicate test name: {broken.test_name.rpartition('__except')[0]}"
    for heading in HEADINGS:
        if broken.message.startswith(heading + ": "):
            return heading
    return broken.message


class YAMLTestFinder(TestFinder):
    """Finds directories that hold a ``test.yaml``."""

    reads = (FILE_NAME,)
    read_tags: bool = True
    """Whether ``tags`` is ours: a list of texts, or one text with commas or blanks."""

    # The environment and the suite that it is of.  (No __init__: subclasses need not call it.)
    _scope: tuple[Suite, Mapping[str, Any]] | None = None

    def start(self, testsuite: Suite) -> None:  # noqa: ARG002 - part of the interface
        """Forget the environment of the last walk."""
        self._scope = None

    def probe(
        self, testsuite: Suite, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> Probed:
        """Return the test that *dirpath* is, if it is one.

        Raises:
            ProbingError: its ``test.yaml`` is wrong.
        """
        if FILE_NAME not in filenames and FILE_NAME not in dirnames:
            return None
        path = os.path.join(dirpath, FILE_NAME)
        try:
            document = yaml_loader.load(path)
            test_env = dialect.expanded(document, lambda: self._scope_of(testsuite))
        except SyntaxProblem as problem:
            raise TestFileProblem(INVALID_SYNTAX, problem, testsuite.root_dir) from None
        except FileProblem as problem:
            raise TestFileProblem(UNUSABLE, problem, testsuite.root_dir) from None
        if test_env is None:
            test_env = {}
        elif not isinstance(test_env, dict):
            what = f"the file holds {kind_of(test_env)}; write 'key: value' lines"
            raise _wrong(testsuite, INVALID_FORMAT, document, "", what)
        return ParsedTest(
            test_name=testsuite.test_name(dirpath),
            driver_cls=_driver(testsuite, document, test_env),
            test_env=test_env,
            test_dir=dirpath,
            source=path,
            tags=_tags(testsuite, document, test_env) if self.read_tags else (),
        )

    def _scope_of(self, testsuite: Suite) -> Mapping[str, Any]:
        """Return what ``test.yaml`` may refer to; made once a walk, for it takes a while."""
        if self._scope is None or self._scope[0] is not testsuite:
            to_dict = getattr(testsuite.env, "to_dict", dict)
            self._scope = (testsuite, to_dict())
        return self._scope[1]


def _asked(testsuite: Suite, ours: str, documented: str) -> Any:
    """Return what a suite really uses: plugins and configurations add to what it documents."""
    return getattr(testsuite, ours, None) or getattr(testsuite, documented)


def _driver(testsuite: Suite, document: Document, test_env: dict[str, Any]) -> type[Any]:
    known: Mapping[str, type[Any]] = _asked(testsuite, "effective_drivers", "test_driver_map")
    name = test_env.get("driver")
    where = "driver"
    if name is None:
        name, where = _asked(testsuite, "effective_default_driver", "default_driver"), ""
        if name is None:
            what = "there is no 'driver' and the suite has no default one; add 'driver: NAME'"
            raise _wrong(testsuite, MISSING_DRIVER, document, where, what + _choice(known))
    if not isinstance(name, str):
        what = f"'driver' must be a name, not {kind_of(name)}"
        raise _wrong(testsuite, UNKNOWN_DRIVER, document, where, what + _choice(known))
    if name not in known:
        what = (
            f"no driver is called {name!r}"
            if where
            else f"the default driver {name!r} is not known"
        )
        hint = nearest(name, known) or _choice(known)
        raise _wrong(testsuite, UNKNOWN_DRIVER, document, where, what + hint)
    return known[name]


def _tags(testsuite: Suite, document: Document, test_env: dict[str, Any]) -> tuple[str, ...]:
    tags = test_env.get("tags")
    if tags is None:
        return ()
    if isinstance(tags, str):
        return tuple(dict.fromkeys(tags.replace(",", " ").split()))
    if not isinstance(tags, list):
        what = f"'tags' must be a list of texts, not {kind_of(tags)}; write 'tags: [a, b]'"
        raise _wrong(testsuite, INVALID_FORMAT, document, "tags", what)
    for tag in tags:
        if not isinstance(tag, str) or not tag.strip():
            shown = "empty" if isinstance(tag, str) else kind_of(tag)
            what = f"each of 'tags' must be a text, and one is {shown}; write it in quotes"
            raise _wrong(testsuite, INVALID_FORMAT, document, "tags", what)
    return tuple(dict.fromkeys(tag.strip() for tag in tags))


def _wrong(
    testsuite: Suite, heading: str, document: Document, key: str, what: str
) -> TestFileProblem:
    """Return the problem *what* with the value of *key*, or the whole file if it is empty."""
    line = document.line_of(key) if key else 1
    problem = FileProblem(document.path, what, line)
    return TestFileProblem(heading, problem, testsuite.root_dir)


def _choice(known: Mapping[str, object]) -> str:
    """Return the names that could be meant."""
    names = sorted(map(str, known))
    if not names:
        return "; the suite knows no drivers: set test_driver_map"
    return "; known: " + ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
