"""Which tests of a suite of e3-testsuite run: patterns, duplicates, what passed before."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from testloom import discovery
from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import TestStatus
from testloom.discovery import ParsedTest
from testloom.discovery.yaml_tests import MISSING_DRIVER
from testloom.model import reason
from testloom.model.test import BrokenTest

logger = logging.getLogger("testsuite")


def in_e3s_words(broken: BrokenTest) -> BrokenTest:
    """Return *broken* with e3-testsuite's message; the details go to the log."""
    message = discovery.e3_message(broken)
    if message == broken.message:
        return broken
    return dataclasses.replace(broken, message=message, log=f"{broken.message}\n{broken.log}")


def log_bad_patterns(patterns: Iterable[str]) -> None:
    """Say which of *patterns* are neither directories nor regular expressions."""
    for pattern in patterns:
        if not os.path.isdir(pattern):
            try:
                re.compile(pattern)
            except re.error as error:
                logger.debug("Test pattern is not a valid regexp, try to match it as-is: %s", error)


def with_driver_and_name(
    tests: Iterable[ParsedTest], drivers: Mapping[str, type[Any]], default: str | None
) -> tuple[list[ParsedTest], list[BrokenTest]]:
    """Return those of *tests* that have a driver and a name of their own, and the others."""
    seen: dict[str, int] = {}
    good, broken = [], []
    for test in tests:
        name = test.test_name
        if test.driver_cls is None and default is not None:
            test.driver_cls = drivers.get(default)
        number = seen.get(name, 0)
        seen[name] = number + 1
        if number:
            again, message = f"{name}__except{number}", f"duplicate test name: {name}"
            broken.append(BrokenTest(again, test.test_dir, message, reason.DUPLICATE_TEST))
        elif test.driver_cls is None:
            broken.append(BrokenTest(name, test.test_dir, MISSING_DRIVER, reason.CONFIG))
        else:
            good.append(test)
    return good, broken


def passed_before(output_dir: str, old_output_dir: str | None) -> frozenset[str]:
    """Return the names of the results of the last run that are no reason to run again."""
    passed = (TestStatus.PASS, TestStatus.XFAIL, TestStatus.XPASS)
    directory = os.path.abspath(output_dir)
    if not old_output_dir:
        directory = os.path.join(directory, "new")
    try:
        index = ReportIndex.read(directory)
    except (OSError, ValueError, LookupError, AssertionError) as error:
        logger.warning("Could not load the previous testsuite report: %s", error)
        return frozenset()
    return frozenset(name for name, it in index.entries.items() if it.status in passed)


def write_as_json(tests: Sequence[ParsedTest], path: str) -> None:
    """Write the list that ``--list-json`` asks for."""
    rows = [
        {"test_name": t.test_name, "test_dir": t.test_dir, "test_matcher": t.test_matcher}
        for t in tests
    ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file)
