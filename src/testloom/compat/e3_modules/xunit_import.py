"""Reads XUnit reports of other runners as results: ``e3-convert-xunit``."""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import yaml

from testloom.compat.e3_modules.gaia import dump_gaia_report
from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import TestResult, TestStatus
from testloom.model.log import Log

_MAX_MESSAGE = 200
_STATUSES = {
    "error": TestStatus.ERROR,
    "failure": TestStatus.FAIL,
    "skipped": TestStatus.SKIP,
}
_IGNORED = frozenset({"properties", "system-out", "system-err"})


def read_xfails_from_yaml(filename: str) -> dict[str, str]:
    """Return which tests are known to fail, and why.

    Raises:
        ValueError: the file is no mapping of names to texts.
    """
    with open(filename, encoding="utf-8") as file:
        content = yaml.safe_load(file)
    if not isinstance(content, dict) or not all(
        isinstance(item, str) for pair in content.items() for item in pair
    ):
        raise ValueError(f"{filename}: expected a mapping of test names to messages")
    return content


class XUnitImporter:
    """Adds the results of XUnit reports to an index.

    Args:
        index: gets the results.
        xfails: names of tests that are known to fail -> why.
    """

    SLUG_RE: ClassVar[re.Pattern[str]] = re.compile("[a-zA-Z0-9_.]+")

    def __init__(self, index: ReportIndex, xfails: dict[str, str] | None = None) -> None:
        self.index = index
        self.xfails = xfails or {}
        self.dangling_xfails = set(self.xfails)
        self._numbers: dict[str, int] = {}

    def warn_dangling_xfails(self) -> None:
        """Name the expected failures of tests that there are not."""
        if self.dangling_xfails:
            print("warning: dangling XFAILs:")  # noqa: T201 - a command's
            for name in sorted(self.dangling_xfails):
                print(f"  {name}")  # noqa: T201 - a command's

    def run(self, filename: str) -> None:
        """Add the results of one report.

        Raises:
            ValueError: it is no XUnit report.
        """
        try:
            root = ET.parse(filename).getroot()  # noqa: S314 - expat of today bounds entities
        except ET.ParseError as error:
            raise ValueError(f"{filename}: not an XML document: {error}") from error
        if root.tag != "testsuites":
            raise ValueError(f"{filename}: <testsuites> tag expected, got <{root.tag}>")
        for suite in root:
            if suite.tag == "testsuite":
                self._add_suite(suite)
            elif suite.tag not in _IGNORED:
                raise ValueError(f"{filename}: unexpected tag <{suite.tag}>")

    def slugify(self, name: str) -> str:
        """Return *name* as a part of a test's name."""
        plain = unicodedata.normalize("NFKD", name)
        return "-".join(self.SLUG_RE.findall(plain))

    def get_unique_test_name(self, test_name: str) -> str:
        """Return *test_name*, with a number behind it if it is taken."""
        if test_name not in self.index.entries:
            return test_name
        for number in itertools.count(self._numbers.get(test_name, 1)):
            unique = f"{test_name}.{number}"
            if unique not in self.index.entries:
                self._numbers[test_name] = number + 1
                return unique
        raise AssertionError  # numbers do not end

    def get_test_name(
        self, testsuite_name: str, testcase_name: str, classname: str | None = None
    ) -> str:
        """Return the name of the test that a test case stands for."""
        parts = [testsuite_name, *([classname] if classname else []), testcase_name]
        return ".".join(slug for part in parts if (slug := self.slugify(part)))

    def _add_suite(self, suite: ET.Element[Any]) -> None:
        name = suite.get("name", "")
        for case in suite:
            if case.tag == "testcase":
                self._add_case(name, case)
            elif case.tag == "testsuite":
                self._add_suite(case)

    def _add_case(self, suite: str, case: ET.Element[Any]) -> None:
        known = self.get_test_name(suite, case.get("name", ""), case.get("classname"))
        name = self.get_unique_test_name(known)
        result = TestResult(name, status=TestStatus.PASS, test_matcher=case.get("file"))
        result.time = _seconds(case.get("time"))
        status_tag = ""
        for element in case:
            if element.tag in _STATUSES and not status_tag:
                status_tag = element.tag
                self._take_status(result, element)
            elif element.tag in ("system-out", "system-err"):
                result.log += f"\n\n{element.tag}:\n{element.text or ''}"  # type: ignore[operator]  # a text
            elif element.tag not in _IGNORED:
                result.status, result.msg = TestStatus.ERROR, "xUnit report decoding error"
                what = "second status tag" if element.tag in _STATUSES else "unexpected tag"
                result.log += f"\n\n{what}: <{element.tag}>"  # type: ignore[operator]  # a text
        self._expect(result)
        self.index.save_and_add_result(result)

    def _take_status(self, result: TestResult, element: ET.Element[Any]) -> None:
        result.status = _STATUSES[element.tag]
        if element.tag == "skipped" and element.get("type") == "pytest.xfail":
            result.status = TestStatus.XFAIL
        full = element.get("message") or ""
        lines = full.splitlines()
        message = lines[0].strip() if lines else ""
        is_long = len(message) > _MAX_MESSAGE
        if is_long:
            message = f"{message[:_MAX_MESSAGE]} [...]"
        result.msg = message
        log = element.text or ""
        if is_long or len(lines) > 1:
            log = f"Status message was too long:\n\n{full}\n{log}"
        result.log = Log(log)

    def _expect(self, result: TestResult) -> None:
        """Make *result* that of a test that is known to fail, if it is one."""
        why = self.xfails.get(result.test_name)
        if why is None:
            return
        self.dangling_xfails.discard(result.test_name)
        if result.status is TestStatus.PASS:
            result.status = TestStatus.XPASS
        elif result.status.is_bad:
            result.status = TestStatus.XFAIL
        else:
            return
        if why:
            result.msg = f"{result.msg} ({why})" if result.msg else why


class XUnitImporterApp:
    """The program; derive from it to give it other options."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            prog="e3-convert-xunit",
            description="Convert a xUnit testsuite report to e3-testsuite's format.",
        )
        self.args: argparse.Namespace
        self.add_basic_options(self.parser)
        self.add_options(self.parser)

    def add_basic_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that every such program has."""
        parser.add_argument(
            "--output",
            "-o",
            help="Output directory for the converted report. By default, use the current one.",
        )
        parser.add_argument(
            "--gaia-output", action="store_true", help="Write a GAIA report next to the YAML one."
        )
        parser.add_argument(
            "--xfails", help="YAML file: a mapping of names of tests to expected failures."
        )
        parser.add_argument(
            "xml_reports",
            metavar="xml-report",
            nargs="+",
            help="xUnit reports to convert; in a directory, all files called *.xml",
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add more options; does nothing unless overridden."""

    @property
    def output_dir(self) -> str:
        """Where the results go."""
        return str(self.args.output or os.getcwd())

    def create_output_report_index(self) -> ReportIndex:
        """Return the index that gets the results."""
        os.makedirs(self.output_dir, exist_ok=True)
        return ReportIndex(self.output_dir)

    def get_xfails(self) -> dict[str, str]:
        """Return which tests are known to fail, and why."""
        return read_xfails_from_yaml(self.args.xfails) if self.args.xfails else {}

    def create_importer(self) -> XUnitImporter:
        """Return what reads the reports."""
        return XUnitImporter(self.index, self.xfails)

    def iter_xunit_files(self) -> Iterable[str]:
        """Yield the paths of the reports."""
        for path in self.args.xml_reports:
            if os.path.isdir(path):
                yield from _xml_files(path)
            else:
                yield path

    @property
    def gaia_report_requested(self) -> bool:
        """Whether to write a GAIA report, too."""
        return bool(self.args.gaia_output)

    def tear_down(self) -> None:
        """Do what is left to do; nothing unless overridden."""

    def run(self, argv: list[str] | None = None) -> None:
        """Convert what *argv* names."""
        self.args = self.parser.parse_args(argv)
        try:
            self.index = self.create_output_report_index()
            self.xfails = self.get_xfails()
            self.importer = self.create_importer()
            for path in self.iter_xunit_files():
                self.importer.run(path)
            self.index.write()
            if self.gaia_report_requested:
                dump_gaia_report(self.index, self.output_dir)
            self.importer.warn_dangling_xfails()
            self.tear_down()
        except (OSError, ValueError) as error:
            print(f"{self.parser.prog}: {error}", file=sys.stderr)  # noqa: T201 - a command
            sys.exit(1)


def convert_main(argv: list[str] | None = None) -> None:
    """Convert XUnit reports: ``e3-convert-xunit``."""
    XUnitImporterApp().run(argv)


def _xml_files(directory: str) -> Iterator[str]:
    for path, directories, files in os.walk(directory):
        directories.sort()
        yield from (os.path.join(path, name) for name in sorted(files) if name.endswith(".xml"))


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
