"""The process of a slot: waits for an order, runs the fragment, cleans up, waits again."""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import msgspec

from testloom.model.errors import InternalError
from testloom.model.fragment import FragmentData
from testloom.processes import signals, tree
from testloom.processes.channel import BlockingChannel, ProtocolError
from testloom.processes.clock import SystemClock
from testloom.processes.hygiene import Baseline
from testloom.processes.nursery import STACKS_SIGNAL
from testloom.processes.parcels import Parcels
from testloom.processes.spare import SPARE
from testloom.workers import messages, running
from testloom.workers.desk import Desk
from testloom.workers.laid_out import LaidOut
from testloom.workers.messages import Order, Report
from testloom.workers.sharing import SharedState

FragmentOf = Callable[[Order], FragmentData]
"""Finds or makes the fragment that an order speaks of."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How a process behaves towards what runs in it, and towards who asks it to end."""

    tidies: bool = True
    """Whether it puts itself back to what it was after each fragment; else what one changes
    stays, as in a pool of `multiprocessing`."""
    shows_stacks: bool = True
    """Whether it writes the stacks of its threads when it is asked to end."""
    parcels: Parcels | None = None
    """For values that are too large for a message."""
    parcel_bytes: int = running.MAX_VALUE_BYTES
    """From which size on a pickled value is."""
    is_large: Callable[[Any], bool] | None = None
    """Tells so of others."""


TESTS: Final = Manners()


def main(
    slot: int, channel: socket.socket, fragments: Sequence[FragmentData], desk: Desk | None
) -> None:
    """Serve orders for fragments that this process has inherited, as it has *desk*."""
    serve(slot, channel, lambda order: fragments[order.index], desk)


def serve(
    slot: int,
    channel: socket.socket,
    fragment_of: FragmentOf,
    desk: Desk | None = None,
    manners: Manners = TESTS,
) -> None:
    """Serve orders until main has gone or the process is not fit for another one."""
    prepare(manners)
    process = _WarmProcess(slot, BlockingChannel(channel), fragment_of, desk, manners)
    if manners.tidies:
        SPARE.enable()
    try:
        process.serve()
    except running.Terminated:
        sys.exit(128 + signal.SIGTERM)
    finally:
        SPARE.drop()


def prepare(manners: Manners = TESTS, stacks: int = 2) -> None:
    """Make a fork of main a process of its own; Python stacks are written to descriptor *stacks*."""
    signals.handle_here(signal.SIGTERM, _terminated)
    faulthandler.disable()  # main's, whose handlers the fork has reset
    faulthandler.unregister(STACKS_SIGNAL)  # likewise, where main is a process of a slot itself
    faulthandler.enable(file=stacks)
    if manners.shows_stacks:
        faulthandler.register(STACKS_SIGNAL, file=stacks, all_threads=True)
    else:
        signal.signal(STACKS_SIGNAL, signal.SIG_IGN)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def _terminated(_signum: int, _frame: object) -> NoReturn:
    # Only once: what runs on the way out must not be interrupted again.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise running.Terminated


class _WarmProcess:
    def __init__(
        self,
        slot: int,
        channel: BlockingChannel,
        fragment_of: FragmentOf,
        desk: Desk | None,
        manners: Manners,
    ) -> None:
        self._manners = manners
        self._slot = slot
        self._channel = channel
        self._fragment_of = fragment_of
        self._desk = desk
        self._part = 0
        """Which part of the tray is this fragment's."""
        tickets = None if desk is None else desk.tickets
        self._laid_out = None
        if desk is not None and tickets is not None:
            self._laid_out = LaidOut(tickets, desk.parts(slot))
        self._is_on_tray = self._was_sent = False
        """Where the results of this fragment are."""
        self._pid = os.getpid()
        self._takes_results = False
        self._pushing = threading.RLock()
        """Held while a result is put away: threads of a driver may push at the same time."""
        self._kept: dict[str, Any] = {}
        """Values that cannot be pickled, for the next fragment of the test."""
        self._driver: Any = None
        """The driver of a test that is going on here."""
        self._untouched: dict[str, Any] = {}
        """Its attributes as they were before the first fragment ran here."""
        self._shared: SharedState | None = None
        self._parcels = 0
        self._baseline = Baseline() if manners.tidies else None

    def serve(self) -> None:
        self._channel.send(messages.READY, b"")
        while (got := self._channel.wait_frame()) is not None:
            kind, payload = got
            if kind != messages.RUN:
                raise InternalError(f"a worker was sent a message of kind {kind}")
            order = messages.decode_order(payload)
            if not self._may_begin(order):
                continue
            self._is_on_tray = self._was_sent = False
            self._takes_results = True
            report = self._run(order)
            with self._pushing:
                self._takes_results = False
            report.on_tray = self._is_on_tray
            if self._laid_out is not None:
                report.waits = self._laid_out.has_written()
            report.sent_at = SystemClock.now()
            self._send(report)
            if order.last or not report.fit:
                return

    def _may_begin(self, order: Order) -> bool:
        """Tell whether *order* still counts; if so, it has begun."""
        if order.ahead and not (self._laid_out and self._laid_out.may_begin(order)):
            return False
        if self._desk is not None:
            self._part = self._desk.begin(self._slot, order)
            if self._laid_out is not None and not order.ahead:
                self._laid_out.go_on()
        return True

    def _run(self, order: Order) -> Report:
        data = self._fragment_of(order)
        if data.driver is not self._driver:
            self._let_go()
            self._driver, self._untouched = data.driver, dict(vars(data.driver))
        if order.shares:
            self._share(order)
        values = running.values_for(self._values_of(order), self._kept, self._manners.parcels)
        report, value = running.call(
            data,
            values,
            self._slot,
            self._push,
            attempt=order.attempt,
            wanted=order.wanted,
            send=None if self._manners.parcels is None else self._send_value,
        )
        if report.unpicklable and order.continues:
            self._kept[data.name] = value
            report.unpicklable, report.value = "", messages.KEPT
        if self._shared is not None:
            self._shared.note(order.attempt)
            report.state = self._shared.packed()
        self._flush()
        self._clean_up(order, report)
        if not order.continues and self._shared is None:
            self._let_go()
        return report

    def _values_of(self, order: Order) -> messages.Values:
        parcels = self._manners.parcels
        if not order.parcel or parcels is None:
            return order.values
        values = messages.decode_values(parcels.get(order.parcel))
        parcels.remove(order.parcel)
        return values

    def _send_value(self, value: Any, data: bytes) -> bytes:
        """Put a large value into a parcel; return what stands for it in the report."""
        is_large, parcels = self._manners.is_large, self._manners.parcels
        if len(data) < self._manners.parcel_bytes and not (is_large and is_large(value)):
            return data
        assert parcels is not None
        self._parcels += 1
        name = f"{self._slot}-{os.getpid()}-{self._parcels}"
        parcels.put(name, data)
        return messages.PARCEL + name.encode()

    def _share(self, order: Order) -> None:
        if self._shared is None:
            self._shared = SharedState(self._driver)
            self._shared.note(0)
        self._shared.apply(order.states)

    def _push(self, record: bytes) -> None:
        if os.getpid() != self._pid:
            return  # from a fork of the driver's: it has the same tray and channel, but no lock
        with self._pushing:
            if not self._takes_results:
                return  # from a thread that was left behind: main thinks of another fragment now
            # Once one had to be sent, all later ones are, so that they stay in order.
            if self._desk and not self._was_sent and self._desk.tray.put(self._part, record):
                self._is_on_tray = True
            else:
                self._was_sent = True
                self._channel.send(messages.RESULT, record)

    def _send(self, report: Report) -> None:
        try:
            self._channel.send(messages.REPORT, messages.encode(report))
        except ProtocolError as error:
            small = Report(report.attempt, unpicklable=str(error), raised=report.raised)
            small.on_tray = report.on_tray
            self._channel.send(messages.REPORT, messages.encode(small))

    def _clean_up(self, order: Order, report: Report) -> None:
        """Restore this process; while the test goes on here, leave it what it has made."""
        if order.continues or order.last:
            if order.last:
                tree.kill_below(os.getpid())
            return
        if self._baseline is None:
            return
        report.leaks, report.fit = self._baseline.restore()
        if report.leaks:
            SPARE.drop()  # somebody may hold on to what is in it
        else:
            SPARE.settle()

    def _let_go(self) -> None:
        """Let the driver be as it was before: its results and logs would pile up here."""
        if self._driver is not None:
            attributes = vars(self._driver)
            attributes.clear()
            attributes.update(self._untouched)
        self._driver, self._shared, self._kept = None, None, {}

    @staticmethod
    def _flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # noqa: BLE001, S112 - closed, or an object of the test's own
                continue
