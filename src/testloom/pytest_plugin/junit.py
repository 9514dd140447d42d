"""What tests say to junitxml past their reports: `record_xml_attribute`, `record_testsuite_property`.

These fixtures write into pytest's plugin for junitxml itself, which in a slot is a copy that nobody
reads.  So what was said travels on the report of the test, and is said again where that is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest
from _pytest.junitxml import xml_key

_SAID: Final = "testloom_junit"
"""The attribute of a report: attributes of its test case, and properties of the whole."""


class Junit:
    """The hook of a session with ``--junitxml`` whose reports are told elsewhere."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._known = 0
        """How many properties of the whole are told already."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take what *report* carries; if it carries nothing, let it carry what there is."""
        xml = self._config.stash.get(xml_key, None)
        if xml is None:
            return
        said = getattr(report, _SAID, None)
        if said is None:
            self._attach(report, xml)
        else:
            self._take(report, xml, *said)
        self._known = len(xml.global_properties)

    def _attach(self, report: Any, xml: Any) -> None:
        attributes: Mapping[str, str] = {}
        # Later, junitxml adds attributes of its own.
        if report.when == "call" or (report.when == "setup" and not report.passed):
            key = getattr(report, "id", report.nodeid), getattr(report, "node", None)
            reporter = xml.node_reporters.get(key)
            attributes = {} if reporter is None else reporter.attrs
        properties = xml.global_properties[self._known :]
        if attributes or properties:
            setattr(report, _SAID, [list(attributes.items()), properties])

    @staticmethod
    def _take(report: Any, xml: Any, attributes: Any, properties: Any) -> None:
        if attributes:
            reporter = xml.node_reporter(report)
            for name, value in attributes:
                reporter.add_attribute(name, value)
        for name, value in properties:
            if (name, value) not in xml.global_properties:  # each slot says it once
                xml.add_global_property(name, value)
