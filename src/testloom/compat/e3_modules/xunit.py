"""The XUnit report in the form that e3-testsuite gives it.

The log of a result stands in the element of its status, and in ``<system-out>`` where it has
none, as in e3-testsuite 27.3.  With settings for attachments, which came with 27.4, it always
stands in ``<system-out>``, and tests that have a matcher say so in ``file``.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as etree  # noqa: ICN001, N813 - suites import it by this name

from testloom.compat.e3_modules.index import ReportIndex, ReportIndexEntry
from testloom.compat.e3_modules.results import TestStatus, plain
from testloom.compat.e3_modules.xunit_attachments import AttachmentsSettings
from testloom.model.log import binary_repr
from testloom.processes.files import write_whole

__all__ = ["add_time_attribute", "dump_xunit_report", "escape_text", "etree"]

_ELEMENTS = {
    TestStatus.FAIL: "failure",
    TestStatus.ERROR: "error",
    TestStatus.XFAIL: "skipped",
    TestStatus.SKIP: "skipped",
    TestStatus.NOT_APPLICABLE: "skipped",
}
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ufffe\uffff\ud800-\udfff]")


def dump_xunit_report(
    name: str,
    index: ReportIndex,
    filename: str,
    attachments_settings: AttachmentsSettings | None = None,
) -> None:
    """Write the results of *index* to *filename*."""
    root, suite = etree.Element("testsuites"), etree.Element("testsuite")
    counts = dict.fromkeys(("error", "failure", "skipped"), 0)
    for entry in index.entries.values():
        if entry.status in _ELEMENTS:
            counts[_ELEMENTS[entry.status]] += 1
    for element in (root, suite):
        element.set("name", escape_text(name))
        add_time_attribute(element, index.duration)
        element.set("errors", str(counts["error"]))
        element.set("failures", str(counts["failure"]))
        element.set("skipped", str(counts["skipped"]))
        element.set("tests", str(len(index.entries)))
    root.append(suite)
    for _, entry in sorted(index.entries.items()):
        suite.append(_testcase(name, entry, attachments_settings))
    data: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    write_whole(filename, data)


def _testcase(
    suite: str, entry: ReportIndexEntry, attachments: AttachmentsSettings | None
) -> etree.Element[Any]:
    result = entry.load()
    case = etree.Element(
        "testcase", name=escape_text(entry.test_name), classname=escape_text(suite)
    )
    add_time_attribute(case, entry.time)
    if attachments is not None and result.test_matcher:
        case.set("file", escape_text(result.test_matcher))
    content = plain(result.log) or ""
    log = binary_repr(content) if isinstance(content, bytes) else content
    shown = escape_text(log)
    if attachments is not None:
        shown = attachments.text_of(log) or shown
    tag = _ELEMENTS.get(entry.status)
    if tag is not None:
        element = etree.SubElement(case, tag)
        if entry.msg:
            element.set("message", escape_text(entry.msg))
        if tag != "skipped":
            element.set("type", "error")
        if attachments is None:
            element.text = shown or None
            return case
    if shown or attachments is not None:
        etree.SubElement(case, "system-out").text = shown
    return case


def add_time_attribute(elt: etree.Element[Any], duration: float | None) -> None:
    """Set how long *elt* took, if that is known."""
    if duration is not None:
        elt.set("time", f"{duration:.3f}")


def escape_text(text: str) -> str:
    r"""Return *text* with what XML cannot hold, and tabs, as escapes: ``\x01``.

    >>> escape_text("a\tb\nc")
    'a\\tb\nc'
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
