"""What a worker tells main about the tests it has run, as bytes.

Most reports say only that a phase passed, so these are a handful of fields, without what main knows of
the item itself.  All others go through pytest's own hooks for reports on their way between
processes, which plugins that have reports of their own implement, too.
"""

from __future__ import annotations

import operator
import sys
import warnings
from typing import Any, Final

import msgspec
import pytest

from testloom.pytest_plugin.blocks import Block

_PLAIN: Final = frozenset(vars(pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")))
"""The attributes of a report to which no plugin has added anything."""


class Passed(msgspec.Struct, array_like=True, gc=False):
    """A phase about which there is nothing special."""

    when: str
    duration: float
    start: float
    stop: float
    sections: list[tuple[str, str]] = []


class Other(msgspec.Struct, array_like=True):
    """Any other report, as `pytest_report_to_serializable` gives it."""

    data: dict[str, Any]
    block: tuple[str, str, str, int] | None = None
    """Text, message, path and line where the report shows a `Block`."""


class Warned(msgspec.Struct, array_like=True):
    """A warning: what `pytest_warning_recorded` is called with."""

    category: str
    module: str
    text: str
    filename: str
    lineno: int
    when: str
    nodeid: str
    location: tuple[str, int, str] | None


class Item(msgspec.Struct, array_like=True):
    """What came of one item; -1 for what belongs to none."""

    number: int
    keywords: list[str] = []
    location: tuple[str, int | None, str] | None = None
    """Computed where the item ran, because that takes a while."""
    passed: list[tuple[int, Passed]] = []
    """The reports of that kind, each with its place among all."""
    others: list[tuple[int, Other]] = []
    warned: list[Warned] = []
    setup_s: float = 0.0
    wall_s: float = 0.0
    ends: str = ""
    """Not empty if the whole session is to end: ``interrupted``, ``exit`` or ``internal``."""
    why: str = ""
    returncode: int | None = None


_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode
_new_report = pytest.TestReport.__new__
_place = operator.itemgetter(0)
_encode_json = msgspec.json.Encoder(enc_hook=repr).encode
decode = msgspec.msgpack.Decoder(Item).decode


class Gathered:
    """In a worker: what comes of the item that runs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.item = Item(-1)
        self._reports = 0
        self._keywords: Any = None

    def begin(self, number: int) -> None:
        """Item *number* runs from now on."""
        self.item = Item(number)
        self._reports = 0
        self._keywords = None

    def add(self, report: Any) -> None:
        """Add a report."""
        item, place = self.item, self._reports
        self._reports += 1
        if self._keywords is None:
            self._keywords = report.keywords
            item.keywords = list(report.keywords)
            item.location = report.location
        if (
            report.outcome == "passed"
            and type(report) is pytest.TestReport
            and vars(report).keys() == _PLAIN
            and not report.user_properties
            and report.longrepr is None
            and report.keywords == self._keywords
            and report.location == item.location
        ):
            plain = Passed(report.when, report.duration, report.start, report.stop, report.sections)
            item.passed.append((place, plain))
            return
        hook = self._config.hook
        data = hook.pytest_report_to_serializable(config=self._config, report=report)
        block = None
        if isinstance(report.longrepr, Block):
            crash = report.longrepr.reprcrash
            block = (report.longrepr.text, crash.message, crash.path, crash.lineno)
        item.others.append((place, Other(data, block)))

    def warn(self, message: Any, when: str, nodeid: str, location: Any) -> None:
        """Add a warning."""
        category = message.category
        self.item.warned.append(
            Warned(
                category.__name__,
                category.__module__,
                str(message.message),
                message.filename,
                message.lineno,
                when,
                nodeid,
                location,
            )
        )

    def packed(self) -> bytes:
        """Return everything; text that is no Unicode is escaped."""
        return encode(self.item)


def encode(done: Item) -> bytes:
    """Return *done* as bytes; text that is no Unicode is escaped."""
    try:
        return _encode(done)
    except UnicodeEncodeError:
        return _encode(_readable(msgspec.to_builtins(done, enc_hook=repr)))


def kept_of(done: Item) -> Item:
    """Return of *done* what each session has to be told: not what it knows of the item itself."""
    return Item(-1, passed=done.passed, others=done.others)


def as_json(done: Any) -> bytes:
    """Return *done*, or what holds it, as JSON; text that is no Unicode is escaped."""
    try:
        return _encode_json(done)
    except UnicodeEncodeError:
        return _encode_json(_readable(msgspec.to_builtins(done, enc_hook=repr)))


def location_of(done: Item, item: pytest.Item) -> tuple[str, int | None, str]:
    """Return the location of *item*, of which *done* tells."""
    return done.location or item.location


def reports_of(done: Item, item: pytest.Item | None, config: pytest.Config) -> list[Any]:
    """Return the reports of *done*, in their order, about *item*."""
    found: list[tuple[int, Any]] = []
    if item is not None and done.passed:
        keywords: Any = dict.fromkeys(done.keywords, 1)
        first = pytest.TestReport(
            item.nodeid, location_of(done, item), keywords, "passed", None, "call"
        )
        common = vars(first)
        for place, plain in done.passed:
            report = _new_report(pytest.TestReport)
            own = vars(report)
            own.update(common)  # a third of what it takes to make each from its parts
            own["when"] = plain.when
            own["sections"] = plain.sections
            own["user_properties"] = []
            own["duration"] = plain.duration
            own["start"] = plain.start
            own["stop"] = plain.stop
            found.append((place, report))
    for place, other in done.others:
        found.append((place, _report_of(other, config)))
    found.sort(key=_place)
    return [report for _, report in found]


def _report_of(other: Other, config: pytest.Config) -> Any:
    data = other.data
    for name in ("location", "longrepr"):  # tuples, before they travelled
        if isinstance(data.get(name), list):
            data[name] = tuple(data[name])
    for name in ("sections", "user_properties"):
        if isinstance(data.get(name), list):
            data[name] = [tuple(pair) if isinstance(pair, list) else pair for pair in data[name]]
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if other.block is not None:
        report.longrepr = Block(*other.block)
    return report


def tell_warnings(done: Item, config: pytest.Config) -> None:
    """Let pytest know of the warnings of *done*."""
    for warned in done.warned:
        category = _category(warned)
        message = warnings.WarningMessage(
            message=_instance(category, warned.text),
            category=category,
            filename=warned.filename,
            lineno=warned.lineno,
        )
        config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": message,
                "when": warned.when,
                "nodeid": warned.nodeid,
                "location": warned.location,
            }
        )


def _category(warned: Warned) -> type[Warning]:
    """Return the class of a warning; one of the same name where main does not know it."""
    found = getattr(sys.modules.get(warned.module), warned.category, None)
    if isinstance(found, type) and issubclass(found, Warning):
        return found
    return type(warned.category, (Warning,), {"__module__": warned.module})


def _instance(category: type[Warning], text: str) -> Warning:
    try:
        found = category(text)
        if str(found) == text:
            return found
    except Exception:  # noqa: BLE001, S110 - a foreign constructor
        pass
    return Warning(text)


def _readable(value: Any) -> Any:
    """Return *value* with half characters escaped, which no encoding has."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list | tuple):
        return [_readable(one) for one in value]
    if isinstance(value, dict):
        return {_readable(key): _readable(one) for key, one in value.items()}
    return value
