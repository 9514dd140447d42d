"""``--slots N``: what pytest has collected runs in N warm processes, by testloom's scheduler.

Only the running is elsewhere: reports come back and go through pytest's own hooks here, in the main
process, so that terminal, report files and plugins see what they would see without slots.
"""

from __future__ import annotations

from typing import Any

import pytest

from testloom.model.errors import UsageError
from testloom.scheduling import available_cores
from testloom.suite.run_options import DEFAULT_TIMEOUT_S
from testloom.suite.values import BadValueError, seconds


def register(config: pytest.Config) -> None:
    """Let the tests of this session run in slots, if nothing speaks against it.

    Raises:
        pytest.UsageError: the options make no sense.
    """
    count = _count(config.getoption("slots"))
    limit_s = _limit_s(config.getoption("testloom_timeout"))
    if count == 0:
        return
    plugins = config.pluginmanager
    why_not = _why_not(config)
    if why_not:
        plugins.register(_StandsBack("--slots", why_not), "testloom-slots")
        return
    plugins.register(InSlots(count, limit_s), "testloom-slots")
    if config.getoption("testloom_head_start"):
        from testloom.pytest_plugin import head_start  # noqa: PLC0415 - few sessions want it

        why_not = head_start.why_not(config)
        if why_not:
            plugins.register(_StandsBack(head_start.OPTION, why_not), "testloom-no-head-start")
        else:
            plugins.register(head_start.HeadStart(config, count, limit_s), "testloom-head-start")


def _count(text: str) -> int:
    if text == "auto":
        return available_cores()
    if text.isdecimal() and int(text) <= 1000:
        return int(text)
    raise pytest.UsageError(f"--slots: {text!r} is neither a number up to 1000 nor 'auto'")


def _limit_s(text: str | None) -> float | None:
    if text is None:
        return DEFAULT_TIMEOUT_S
    try:
        limit_s = float(seconds(text))
    except BadValueError as error:
        raise pytest.UsageError(f"--testloom-timeout: {error}") from None
    return None if limit_s == float("inf") else limit_s


def _why_not(config: pytest.Config) -> str:
    """Return what speaks against slots in this session; empty if nothing does."""
    if hasattr(config, "workerinput"):
        return "this is a worker of pytest-xdist"
    if config.getoption("numprocesses", None) or config.getoption("dist", "no") != "no":
        return "pytest-xdist distributes the tests (-n)"
    for option, name in (("usepdb", "--pdb"), ("trace", "--trace")):
        if config.getoption(option, False):
            return f"{name} needs the terminal"
    return ""


class _StandsBack:
    """Says why there is not what *option* asks for."""

    def __init__(self, option: str, why: str) -> None:
        self._option = option
        self._why = why

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Say it, once."""
        if hasattr(config, "workerinput"):
            return None
        return f"testloom: {self._option} is ignored: {self._why}"


class InSlots:
    """The hooks of a session that runs in slots."""

    def __init__(self, count: int, limit_s: float | None) -> None:
        self._count = count
        self._limit_s = limit_s

    def pytest_report_header(self) -> str:
        """Say how many slots there are."""
        return f"testloom: {self._count} slot{'s' if self._count > 1 else ''}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the items, unless there is something about them that pytest deals with itself."""
        option: Any = session.config.option
        has_failed = session.testsfailed and not option.continue_on_collection_errors
        if has_failed or option.collectonly or not session.items:
            return None
        from testloom.pytest_plugin.slot_run import SlotRun  # noqa: PLC0415 - only here is it needed

        head_start: Any = session.config.pluginmanager.getplugin("testloom-head-start")
        ahead = head_start.taken_over(session.items) if head_start is not None else ()
        try:
            SlotRun(session, self._count, self._limit_s, ahead=ahead).run()
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error
        return True
