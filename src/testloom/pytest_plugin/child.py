"""The process of a slot: runs the items it is told to, and tells what came of them.

It is a fork of pytest's own process after collection, so it has everything that was imported and
collected.  What main does for the whole session (the terminal, report files) is switched off here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

from testloom.processes import signals
from testloom.processes.board import Board
from testloom.processes.channel import BlockingChannel
from testloom.processes.clock import SystemClock
from testloom.pytest_plugin import live, wire
from testloom.pytest_plugin.keeping import Kept
from testloom.pytest_plugin.wire import Gathered
from testloom.scheduling.turns import TURN_S
from testloom.workers import messages, warm_process
from testloom.workers.desk import Desk
from testloom.workers.messages import Report

STAGES = ("setup", "call", "teardown", "")
"""What the board's stages mean; the last one: the item is done."""
_DONE = 3
_now = SystemClock.now


class Job(msgspec.Struct, array_like=True):
    """What a slot is told to do, in an order's *recipe*: run items, or come to an end."""

    units: tuple[int, ...] = ()
    follows: int | None = None
    """The item whose surroundings shall stay set up after the last one; None if none follows."""
    ends: bool = False
    """Whether to tear down everything and leave."""
    keeps: int | None = None
    """The number of a fixture that is to be set up for the whole run."""


encode_job = msgspec.msgpack.Encoder().encode
_decode_job = msgspec.msgpack.Decoder(Job).decode


class Inherited(msgspec.Struct, frozen=True):
    """What all processes of a run have in common, because they are forks of main."""

    board: Board
    desk: Desk
    kept: Sequence[Kept]
    marks_output: bool = False
    """Whether main wants to know which output is whose."""
    first_slot: int = 0
    """What people know the first of these slots as."""


class Ended(KeyboardInterrupt):
    """Main asks this process to end: pytest lets this pass, after tearing down."""


def main(slot: int, channel: socket.socket, session: pytest.Session, inherited: Inherited) -> None:
    """Serve the orders of main until it has had enough."""
    stacks = os.dup(2)
    warm_process.prepare(stacks=stacks)
    signals.handle_here(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as where pytest runs alone
    known_as = inherited.first_slot + slot
    os.environ["TESTLOOM_PYTEST_SLOT"] = str(known_as)
    child = _Child(slot, BlockingChannel(channel), session, inherited)
    _settle(session.config, known_as, stacks)
    code = 0
    try:
        child.serve()
    except Ended:
        code = 128 + signal.SIGTERM
        child.leave()
    sys.exit(code)


def _end(_signum: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what runs on the way out must not be disturbed
    raise Ended


def _settle(config: pytest.Config, slot: int, stacks: int) -> None:
    """Make pytest feel at home in a fork."""
    plugins = config.pluginmanager
    capture: Any = plugins.getplugin("capturemanager")
    if capture is not None:
        capture.start_global_capturing()
        capture.suspend_global_capture()
    terminal = plugins.getplugin("terminalreporter")
    if terminal is not None:
        plugins.unregister(terminal)
        plugins.register(_Silent(terminal), "terminalreporter")
    for plugin in list(plugins.get_plugins()):
        if type(plugin).__name__ == "LogXML":
            plugins.unregister(plugin)
    if fault_handler_stderr_fd_key in config.stash:
        config.stash[fault_handler_stderr_fd_key] = stacks
    data = getattr(_coverage(config), "_data", None)
    if data is not None:  # pytest-cov has named one file, into which all would write
        data._suffix = f"{data._suffix}.slot{slot}.{os.getpid()}"  # noqa: SLF001 - there is no other way
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is not None:  # numbered directories of different slots must not meet
        base = factory.getbasetemp() / f"slot{slot}"
        with contextlib.suppress(FileExistsError):
            base.mkdir(mode=0o700)
        factory._basetemp = base  # noqa: SLF001 - pytest has no other way


def _coverage(config: pytest.Config) -> Any:
    """Return what pytest-cov measures with; None if nobody measures."""
    plugin: Any = config.pluginmanager.getplugin("_cov")
    return getattr(getattr(plugin, "cov_controller", None), "cov", None)


def _keep_coverage(config: pytest.Config) -> None:
    coverage = _coverage(config)
    if coverage is not None:
        coverage.stop()
        coverage.save()


class _Silent:
    """Stands in for the terminal, which main writes to; some plugins ask it for things."""

    def __init__(self, terminal: Any) -> None:
        self._terminal = terminal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


class _Child:
    """Runs items, and listens to what pytest says about them."""

    def __init__(
        self,
        slot: int,
        channel: BlockingChannel,
        session: pytest.Session,
        inherited: Inherited,
    ) -> None:
        self._pid = os.getpid()
        self._slot = slot
        self._channel = channel
        self._session: Any = session
        self._items: Sequence[Any] = session.items
        self._marks_output = inherited.marks_output
        self._board, self._desk, self._kept = inherited.board, inherited.desk, inherited.kept
        self._part = 0
        self._gathered = Gathered(session.config)
        self._on_tray = self._was_sent = False
        self._last: Any = None
        """The item that ran last: what it left set up is still there."""
        session.config.pluginmanager.register(self, "testloom-child")

    # -- what pytest tells ------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a report."""
        self._gathered.add(report)

    def pytest_warning_recorded(
        self, warning_message: Any, when: str, nodeid: str, location: Any
    ) -> None:
        """Keep a warning."""
        if when == "runtest":  # the others were told before the fork
            self._gathered.warn(warning_message, when, nodeid, location)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Note how far the item is."""
        self._board.reach(self._slot, 1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Note how far the item is."""
        self._board.reach(self._slot, 2)

    # -- what main tells --------------------------------------------------------------------

    def serve(self) -> None:
        """Do jobs until there is none, or one of them was the last."""
        self._channel.send(messages.READY, b"")
        while (got := self._channel.wait_frame()) is not None:
            order = messages.decode_order(got[1])
            self._part = self._desk.begin(self._slot, order)
            self._on_tray = self._was_sent = False
            job = _decode_job(order.recipe)
            if job.keeps is not None:
                self._keep_for_all(self._kept[job.keeps])
            else:
                self._run(job)
            if job.ends:
                self._tear_down()
                _keep_coverage(self._session.config)  # main waits for the report, and no longer
            report = Report(order.attempt, fit=not job.ends, on_tray=self._on_tray)
            self._channel.send(messages.REPORT, messages.encode(report))
            if job.ends:
                return

    def leave(self) -> None:
        """Tear down what is still there, and let coverage be kept."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._gathered.begin(-1)
        with contextlib.suppress(BaseException):
            self._session._setupstate.teardown_exact(None)  # noqa: SLF001 - pytest's own runner does
        _keep_coverage(self._session.config)

    def _run(self, job: Job) -> None:
        units = job.units
        until = _now() + TURN_S
        for place, number in enumerate(units):
            item = self._items[number]
            is_last = place + 1 == len(units)
            follows = job.follows if is_last else units[place + 1]
            if not self._run_one(number, item, self._next(follows)):
                return
            if _now() >= until:
                return

    def _next(self, follows: int | None) -> Any:
        """Return what tells pytest how much to tear down: where nothing follows, all but the session."""
        return _Somebody(self._session) if follows is None else self._items[follows]

    def _run_one(self, number: int, item: Any, following: Any) -> bool:
        """Run an item; tell whether the next one may run."""
        gathered = self._gathered
        started = _now()
        self._make_room_for(item)
        gathered.begin(number)
        if self._marks_output:
            live.mark(number)
        self._board.begin(self._slot, number, started)
        done = gathered.item
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except Ended:
            raise
        except KeyboardInterrupt:
            done.ends = "interrupted"
        except pytest.exit.Exception as error:
            done.ends, done.why, done.returncode = "exit", str(error), error.returncode
        except Exception as error:  # noqa: BLE001 - pytest would call it an internal error
            done.ends, done.why = "internal", _traceback(error)
        if os.getpid() != self._pid:
            _leave_fork(self._code_of(done, item))
        self._last = item
        done.wall_s = _now() - started
        if done.passed and done.passed[0][0] == 0:
            done.setup_s = done.passed[0][1].duration
        self._board.reach(self._slot, _DONE)
        self._push()
        stops = self._session.shouldfail or self._session.shouldstop
        return not (done.ends or stops)

    def _code_of(self, done: wire.Item, item: Any) -> int:
        """Return what a process exits with of which *done* is all there is to tell."""
        if done.ends == "exit" and done.returncode is not None:
            return int(done.returncode)
        reports = wire.reports_of(done, item, item.config)
        return int(bool(done.ends) or any(report.failed for report in reports))

    def _make_room_for(self, item: Any) -> None:
        """Tear down what an earlier job left for an item that went elsewhere."""
        state = self._session._setupstate  # noqa: SLF001 - pytest's own runner does
        if list(state.stack) != item.listchain()[: len(state.stack)]:
            self._tear_down(item)

    def _tear_down(self, following: Any = None) -> None:
        """Tear down, and blame what goes wrong on the item that ran last."""
        last = self._last
        self._gathered.begin(-1)
        state = self._session._setupstate  # noqa: SLF001 - pytest's own runner does
        if last is None:
            state.teardown_exact(following)
            return
        with _capturing(last, "teardown"):
            call = pytest.CallInfo.from_call(
                lambda: state.teardown_exact(following), "teardown", (KeyboardInterrupt,)
            )
        if call.excinfo is not None:
            report = last.ihook.pytest_runtest_makereport(item=last, call=call)
            last.ihook.pytest_runtest_logreport(report=report)
        if self._gathered.item.others or self._gathered.item.warned:
            self._push()

    def _keep_for_all(self, kept: Kept) -> None:
        self._last = item = self._items[kept.number]
        self._gathered.begin(-1)
        with _capturing(item, "setup"):
            kept.set_up(self._session, item)

    def _push(self) -> None:
        data = self._gathered.packed()
        if not self._was_sent and self._desk.tray.put(self._part, data):
            self._on_tray = True
        else:
            self._was_sent = True
            self._channel.send(messages.RESULT, data)


def _leave_fork(code: int) -> NoReturn:
    """End a process that a test has forked and that came back here, as its parent did.

    Two of them would run what follows, and take main's orders.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Somebody:
    """Looks to pytest's set-up like an item of which nothing is known but the session."""

    def __init__(self, session: Any) -> None:
        self._chain = [session, self]

    def listchain(self) -> list[Any]:
        """Return what it is in, and itself."""
        return self._chain


@contextlib.contextmanager
def _capturing(item: Any, when: str) -> Iterator[None]:
    """Capture output outside of the phases of an item."""
    capture: Any = item.config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    with capture.item_capture(when, item):
        yield


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
