"""Warm workers: one process a slot, forked once, that runs one fragment after the other.

`WarmPool` owns the nursery and the slots' channels; a `WarmWorker` is one fragment in one of
them, as the scheduler sees it.  A slot's process is started when it is first needed and
replaced when it has died or is no longer fit.  A fragment is blamed for the death of its
process only once that process has taken an order; one that dies before is started again, and
after three such deaths in a row the run gives up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from testloom.model.errors import WorkersCannotStart
from testloom.model.fragment import FragmentData
from testloom.model.outcome import (
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    Returned,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.processes import own_fds
from testloom.processes.capture import Capture
from testloom.processes.channel import Frames, ProtocolError, frame
from testloom.processes.loop import READ, WRITE, EventLoop
from testloom.processes.nursery import News, Nursery, NurseryGone
from testloom.scheduling.worker import Worker
from testloom.workers import messages
from testloom.workers.messages import Order, Report
from testloom.workers.values import Values

_READ_BYTES = 1 << 17
_KEEP_BYTES = 1 << 20
_MAX_FAILED_STARTS = 3


class WarmWorker(Worker):
    """One fragment in a slot's process."""

    pool: WarmPool

    def __init__(self, pool: WarmPool, uid: str, data: FragmentData, slot: int) -> None:
        self.pool = pool
        self.data = data
        self.results: list[bytes] = []
        """What was pushed: the JSON of a `ResultRecord` each."""
        self.end: FragmentEnd | None = None
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.max_rss_bytes = 0
        self.output = b""
        """What the fragment itself wrote to its standard streams."""
        self.started_at = pool.loop.now()
        self._ended: Callable[[], None] | None = None
        self.timeout_s = pool.timeout_of(data)
        super().__init__(uid, data.driver, data.name, slot, pool.env)

    def start(self) -> None:
        """Send the order to the slot's process."""
        self.pool.run(self)

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:  # noqa: ARG002 - the pool's loop
        """The pool tells."""
        self._ended = ended
        return True

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the documented interface
        return self.end is None

    def terminate(self) -> None:
        self.pool.terminate(self)

    def kill(self) -> None:
        self.pool.kill(self)

    def finish(self, end: FragmentEnd) -> None:
        """The pool knows how it ended."""
        self.end = end
        if self._ended is not None:
            self._ended()


class WarmPool:
    """The processes of all slots.

    Args:
        fragments: uid -> fragment, all that will ever run here.
        predecessors: uid -> the uids it follows.
        loop: the event loop of the scheduler that uses the workers.
        env: the suite's environment.
        make_nursery: forks the nursery, see `forking` and `testloom.workers.fresh.spawning`.
        continues: tells whether the same worker is going to run the next fragment of a test.
        timeout_s: the time limit of fragments whose driver has none.
        note: told, in one line, what people should know.
    """

    def __init__(
        self,
        *,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        loop: EventLoop,
        env: Any,
        make_nursery: Callable[[], Nursery],
        continues: Callable[[str], bool],
        recipe_of: Callable[[FragmentData], bytes] | None = None,
        timeout_s: float | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.loop = loop
        self.env = env
        self._fragments = fragments
        self._index = {uid: at for at, uid in enumerate(fragments)}
        self._values = Values(fragments, predecessors)
        self._sharing = _sharing_tests(fragments, predecessors, continues)
        self._continues = continues
        self._make_nursery = make_nursery
        self._recipe_of = recipe_of
        self._timeout_s = timeout_s
        self._note = note or (lambda _line: None)
        self._nursery: Nursery | None = None
        self._slots: dict[int, _Slot] = {}
        self._attempts = itertools.count(1)
        self._failed_starts = 0
        self._closed = False

    def worker(self, uid: str, data: FragmentData, slot: int) -> WarmWorker:
        """Start fragment *uid* in *slot*: the job factory of a scheduler."""
        return WarmWorker(self, uid, data, slot)

    def timeout_of(self, data: FragmentData) -> float | None:
        """Return the time limit of a fragment in seconds."""
        own = getattr(data.driver, "fragment_timeout_s", None)
        return self._timeout_s if own is None else own

    def run(self, worker: WarmWorker) -> None:
        """Send the order for *worker* to its slot, starting the slot's process if need be."""
        uid = worker.uid
        values, states = self._values.take(uid)
        driver = worker.driver
        order = Order(
            self._index[uid],
            next(self._attempts),
            self._continues(uid),
            id(driver) in self._sharing,
            getattr(driver, "isolation", "worker") == "process",
            self._values.is_wanted(uid),
            values,
            states,
            self._recipe_of(worker.data) if self._recipe_of else b"",
        )
        slot = self._slots.get(worker.slot)
        if slot is None:
            slot = self._slots[worker.slot] = _Slot(self, worker.slot)
        slot.give(worker, order)

    def terminate(self, worker: WarmWorker) -> None:
        """Ask the process of *worker* to end."""
        with contextlib.suppress(NurseryGone):
            self.nursery.end(worker.slot)

    def kill(self, worker: WarmWorker) -> None:
        """Kill the process of *worker* and all below it."""
        with contextlib.suppress(NurseryGone):
            self.nursery.kill(worker.slot)

    @property
    def nursery(self) -> Nursery:
        """The fork server; forked when first needed, and again if it died."""
        if self._nursery is None:
            self._nursery = self._make_nursery()
            self.loop.watch(self._nursery.fileno(), self._read_news)
        return self._nursery

    @property
    def pids(self) -> list[int]:
        """The processes of the slots that have one."""
        return [slot.pid for slot in self._slots.values() if slot.pid]

    def close(self) -> None:
        """End all processes and see them gone."""
        self._closed = True
        for slot in self._slots.values():
            slot.close()
        if self._nursery is not None:
            self.loop.unwatch(self._nursery.fileno())
            self._nursery.close()
            self._nursery = None

    def settle(self, worker: WarmWorker, report: Report) -> None:
        """The fragment of *worker* ended in a process that lives."""
        self._failed_starts = 0
        worker.wall_s, worker.cpu_s = report.wall_s, report.cpu_s
        self._values.put(worker.uid, report.value, report.state)
        if report.unpicklable:
            self._values.put_lost(worker.uid, f"its value cannot be sent: {report.unpicklable}")
        worker.finish(
            Returned(
                value=None,
                raised=report.raised,
                aborted=report.aborted,
                unpicklable=report.unpicklable,
                leaks=tuple(report.leaks),
            )
        )

    def lose(self, worker: WarmWorker, end: FragmentEnd) -> None:
        """The fragment of *worker* ended with its process."""
        worker.wall_s = self.loop.now() - worker.started_at
        self._values.put_lost(worker.uid, type(end).__name__)
        worker.finish(end)

    def start_failed(self, slot: int, why: str) -> None:
        """Count a process that died before it took an order.

        Raises:
            WorkersCannotStart: this keeps happening.
        """
        self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise WorkersCannotStart(
                f"{self._failed_starts} workers in a row could not be started; the last: {why}"
            )
        self._note(f"the worker of slot {slot} could not be started, trying again: {why}")

    def idle_died(self, slot: int, how: str) -> None:
        """Note the death of a process that ran nothing."""
        if not self._closed:
            self._note(f"idle worker replaced: the process of slot {slot} was {how}")

    def _read_news(self) -> None:
        nursery = self.nursery
        try:
            news = nursery.news()
        except NurseryGone:
            self._nursery_died(nursery)
            return
        slot = self._slots.get(news.slot)
        if slot is not None:
            slot.tell(news)

    def _nursery_died(self, nursery: Nursery) -> None:
        """Take what it ran for lost; the next order forks another."""
        self.loop.unwatch(nursery.fileno())
        nursery.close()
        self._nursery = None
        self._note("the fork server died and is replaced")
        for slot in list(self._slots.values()):
            slot.lost("the fork server died")


class _Slot:
    """The process of one slot, and the channel to it."""

    def __init__(self, pool: WarmPool, number: int) -> None:
        self._pool = pool
        self._loop = pool.loop
        self.number = number
        self.pid = 0
        self._worker: WarmWorker | None = None
        self._order: Order | None = None
        self._alive = False
        """Whether there is a process, or one is being started."""
        self._ready = False
        """Whether the process has said that it is there."""
        self._fresh = True
        """Whether it has not run anything yet."""
        self._ending = False
        """Whether it is on its way out and takes no more orders."""
        self._sock: socket.socket | None = None
        self._output = -1
        self._capture = Capture(_KEEP_BYTES)
        self._frames = Frames()
        self._unsent = b""

    # -- orders -----------------------------------------------------------------------------

    def give(self, worker: WarmWorker, order: Order) -> None:
        """Have *worker*'s fragment run, at once or as soon as a process is there."""
        self._worker, self._order = worker, order
        if self._ending:
            return  # `_ended` goes on from here
        if order.last and self._alive and not self._fresh:
            self._retire()  # it asked for a process of its own
            return
        if not self._alive:
            self._start()
        self._send_order()

    def _send_order(self) -> None:
        assert self._order is not None
        self._fresh = False
        self._send(frame(messages.RUN, messages.encode(self._order)))

    def _send(self, data: bytes) -> None:
        assert self._sock is not None
        if not self._unsent:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # it has died: the nursery will tell
            data = data[sent:]
            if data:
                fd = self._sock.fileno()
                self._loop.rewatch(fd, self._read_and_write, READ | WRITE)
        self._unsent += data

    def _read_and_write(self) -> None:
        data, self._unsent = self._unsent, b""
        self._send(data)
        if not self._unsent and self._sock is not None:
            self._loop.rewatch(self._sock.fileno(), self._read, READ)
        self._read()

    # -- life of the process ------------------------------------------------------------------

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        out_reader, out_writer = os.pipe()
        ours.setblocking(False)
        os.set_blocking(out_reader, False)
        own_fds.add(ours.fileno())
        own_fds.add(out_reader)
        self._sock, self._output = ours, out_reader
        self._frames, self._unsent = Frames(), b""
        self._capture.clear()
        self._alive, self._ready, self._fresh, self._ending = True, False, True, False
        self._loop.watch(ours.fileno(), self._read)
        self._loop.watch(out_reader, self._read_output)
        try:
            self._pool.nursery.start(self.number, theirs, out_writer)
        except NurseryGone:
            # Its end is read next; that starts everything anew.
            self._ending = True
        finally:
            theirs.close()
            os.close(out_writer)

    def _retire(self) -> None:
        """End an idle process: it reads end-of-file."""
        self._ending = True
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def tell(self, news: News) -> None:
        """Take news of the process."""
        if news.what == "started":
            self.pid = news.pid
        elif news.what == "failed":
            self._ended(None, news.note)
        else:
            self._drain()
            code = news.code
            self._ended(Exited(code) if code >= 0 else Killed(-code), news.note, news.max_rss_bytes)

    def lost(self, why: str) -> None:
        """The process is gone and nobody knows how it ended."""
        if self._alive:
            self._drain()
            self._ended(None, why)

    def _ended(self, how: Exited | Killed | None, note: str = "", max_rss_bytes: int = 0) -> None:
        """The process and all below it are gone: settle what it ran, replace it if need be."""
        output = self._capture.content()
        was_ready, was_ending = self._ready, self._ending
        self.close()
        worker, order = self._worker, self._order
        if worker is None or order is None:
            if not was_ending:
                self._pool.idle_died(self.number, _said(how, note))
            return
        worker.max_rss_bytes = max_rss_bytes
        if was_ending and not (worker.timed_out or worker.stopped):
            self.give(worker, order)  # it had not been sent
        elif not was_ready and not (worker.timed_out or worker.stopped):
            tail = output.decode("utf-8", "backslashreplace").strip().rpartition("\n")[2]
            self._pool.start_failed(self.number, f"{_said(how, note)} {tail}".strip())
            self.give(worker, order)
        else:
            self._worker = self._order = None
            worker.output = output
            self._pool.lose(worker, self._end_of(worker, how, note))

    @staticmethod
    def _end_of(worker: WarmWorker, how: Exited | Killed | None, note: str) -> FragmentEnd:
        if worker.timed_out:
            killed = isinstance(how, Killed)
            return FragmentTimedOut(worker.timeout_s or 0.0, ignored_term=killed)
        if worker.stopped:
            return Stopped("interrupted")
        return WorkerLost(note) if how is None else WorkerDied(how, note)

    def close(self) -> None:
        """Let go of the channel."""
        self._alive, self.pid = False, 0
        self._ending = False
        if self._sock is not None:
            self._loop.unwatch(self._sock.fileno())
            own_fds.discard(self._sock.fileno())
            self._sock.close()
            self._sock = None
        if self._output >= 0:
            self._loop.unwatch(self._output)
            own_fds.close(self._output)
            self._output = -1

    # -- what comes from the process --------------------------------------------------------

    def _drain(self) -> None:
        """Read everything that a dead process has left."""
        while self._sock is not None and self._read():
            pass
        while self._output >= 0 and self._read_output():
            pass

    def _read(self) -> bool:
        """Read what is there; False if there is nothing more."""
        sock = self._sock
        if sock is None:
            return False
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.unwatch(sock.fileno())
            if not self._ending:
                # Dead, or it has closed the channel and is of no use any more.
                with contextlib.suppress(NurseryGone):
                    self._pool.nursery.kill(self.number)
            return False
        try:
            for kind, payload in self._frames.feed(data):
                self._take(kind, payload)
        except ProtocolError:
            with contextlib.suppress(NurseryGone):
                self._pool.nursery.kill(self.number)
        return True

    def _take(self, kind: int, payload: bytes) -> None:
        worker = self._worker
        if kind == messages.READY:
            self._ready = True
        elif worker is None or worker.timed_out or worker.stopped:
            return  # too late to count
        elif kind == messages.RESULT:
            worker.results.append(payload)
        elif kind == messages.REPORT:
            self._settle(worker, messages.decode_report(payload))

    def _settle(self, worker: WarmWorker, report: Report) -> None:
        assert self._order is not None
        if report.attempt != self._order.attempt:
            return
        self._read_output()
        if self._capture.total:
            worker.output = self._capture.content()
            self._capture.clear()
        if self._order.last or not report.fit:
            self._ending = True
        self._worker = self._order = None
        self._pool.settle(worker, report)

    def _read_output(self) -> bool:
        try:
            chunk = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.unwatch(self._output)
            return False
        self._capture.add(chunk)
        return True


def _sharing_tests(
    fragments: Mapping[str, FragmentData],
    predecessors: Mapping[str, frozenset[str]],
    continues: Callable[[str], bool],
) -> frozenset[int]:
    """Return the drivers (by identity) of tests that fork or join, so that state must travel."""
    found = set()
    for uid, before in predecessors.items():
        driver = fragments[uid].driver
        for other in before:
            if fragments[other].driver is driver and (len(before) > 1 or not continues(other)):
                found.add(id(driver))
    return frozenset(found)


def _said(how: Exited | Killed | None, note: str) -> str:
    match how:
        case Exited(code):
            return f"ended with exit status {code}"
        case Killed(signum):
            return f"killed by signal {signum}"
        case None:
            return note
