"""What pytest loads of testloom, in every session of everybody who has it installed.

So this module imports nothing but pytest, and the hooks that cost something are registered only in
sessions that need them: `collecting` where a suite of data tests is configured, `slots` where
``--slots`` is given.
"""

from __future__ import annotations

import os

import pytest

MARKERS = (
    "timeout(seconds): testloom: the limit of this test, with --slots",
    "slots(n): testloom: this test counts for N slots, with --slots",
    "exclusive: testloom: nothing runs beside this test, with --slots",
    "group(name, limit=1): testloom: at most LIMIT tests of a group run at a time, with --slots",
)
_SETTINGS = ("auto", "on", "off")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("testloom", "testloom: tests that are data, and tests in slots")
    add = group.addoption
    add("--slots", metavar="N", help="run the tests in N warm processes; 'auto': one per core")
    add(
        "--testloom-timeout",
        metavar="S",
        help="limit of each test in seconds, with --slots, or 'none' (default: one hour)",
    )
    add(
        "--testloom-suite",
        metavar="PATH",
        help="FILE.py:CLASS or DIR: the suite of data tests to collect (default: as configured)",
    )
    add(
        "--testloom-option",
        metavar="OPTION",
        action="append",
        default=[],
        help="an option for that suite, such as --testloom-option=--timeout=5; may be repeated",
    )
    add(
        "--testloom-report",
        metavar="FORMAT[=PATH]",
        action="append",
        default=[],
        help="record the session in out/ and write this report of testloom; may be repeated",
    )
    add(
        "--testloom-history",
        action="store_true",
        default=None,
        help="keep what the session finds out in testloom's history, as with --slots",
    )
    add(
        "--no-testloom-history",
        action="store_false",
        dest="testloom_history",
        help="keep nothing of the session, nor look at earlier ones",
    )
    add(
        "--testloom-resume",
        action="store_true",
        help="go on with the last session that was kept: run only what is missing",
    )
    add(
        "--testloom-head-start",
        action="store_true",
        help="with --slots: begin with plain modules while pytest still collects others",
    )
    parser.addini(
        "testloom_history",
        "which sessions are kept in testloom's history: 'auto' (with --slots), 'on' or 'off'",
        default="auto",
    )
    parser.addini(
        "testloom_collect",
        "whether the data tests of the configured suite are collected: 'auto' or 'off'",
        default="auto",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register what this session needs."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    plugins = config.pluginmanager
    if _has_suite(config):
        from testloom.pytest_plugin import collecting  # noqa: PLC0415 - few sessions need it

        plugins.register(collecting.Collecting(config), "testloom-collecting")
    if _is_recorded(config):
        from testloom.pytest_plugin import recording  # noqa: PLC0415 - few sessions need it

        record = recording.Recording(config)
        plugins.register(record, "testloom-recording")
        plugins.register(recording.Listening(record), "testloom-listening")
    is_told = plugins.hasplugin("testloom-recording") or config.getoption("slots")
    if is_told and config.getoption("xmlpath", None) and not hasattr(config, "workerinput"):
        from testloom.pytest_plugin import junit  # noqa: PLC0415 - few sessions need it

        plugins.register(junit.Junit(config), "testloom-junit")
    if config.getoption("slots"):
        from testloom.pytest_plugin import slots  # noqa: PLC0415 - few sessions need it

        slots.register(config)


def _is_recorded(config: pytest.Config) -> bool:
    """Tell whether something asks for a record; nothing is kept of a session that does not."""
    option = config.option
    if hasattr(config, "workerinput") or option.collectonly:
        return False
    if option.testloom_report or option.testloom_resume:
        return True
    if option.testloom_history is not None:
        return bool(option.testloom_history)
    setting = config.getini("testloom_history")
    if setting not in _SETTINGS:
        raise pytest.UsageError(f"testloom_history: {setting!r}; write one of {_SETTINGS}")
    return bool(setting == "on" or (setting == "auto" and option.slots not in (None, "0")))


def _has_suite(config: pytest.Config) -> bool:
    """Tell whether a suite may be configured, without reading more than a pyproject.toml."""
    if config.getoption("testloom_suite"):
        return True
    if config.getini("testloom_collect") == "off":
        return False
    start = str(config.invocation_params.dir)
    places = [os.path.join(start, arg.split("::", 1)[0]) for arg in config.args]
    seen: set[str] = set()
    for place in map(os.path.normpath, [str(config.rootpath), *places]):
        while place not in seen:
            if _says_something(place):
                return True
            seen.add(place)
            place = os.path.dirname(place)  # noqa: PLW2901 - upwards, step by step
    return False


def _says_something(directory: str) -> bool:
    if os.path.isfile(os.path.join(directory, "testloom.toml")):
        return True
    try:
        with open(os.path.join(directory, "pyproject.toml"), "rb") as file:
            return b"[tool.testloom" in file.read()
    except OSError:
        return False
