"""The process of one slot, and the channel to it, as the main process sees them.

::

    none ── start ──▶ starting ── READY ──▶ idle ◀── REPORT / order ──▶ busy
      ▲                                      │                           │
      └──────────── the nursery tells of its end, and of all below it ───┘

Whoever ends it, a process is gone only when the nursery says so; what it was running is settled
then.  What does not even die when killed is given up, together with the number of the slot.
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from testloom.model.outcome import (
    Exited,
    FragmentEnd,
    FragmentTimedOut,
    Killed,
    Stopped,
    WorkerDied,
    WorkerLost,
)
from testloom.model.status import signal_name
from testloom.processes import own_fds
from testloom.processes.capture import Capture
from testloom.processes.channel import Frames, ProtocolError, frame
from testloom.processes.loop import READ, WRITE, EventLoop, Timer
from testloom.processes.nursery import News, NurseryGone
from testloom.processes.picture import of_one, picture
from testloom.workers import messages
from testloom.workers.messages import Order, Report

if TYPE_CHECKING:
    from testloom.workers.warm import WarmPool, WarmWorker

_READ_BYTES: Final = 1 << 16
"""For more, the C library asks the system for memory each time: ten times as long as the read."""
_KEEP_BYTES: Final = 1 << 20
_MAX_READS: Final = 16
"""How much of its output is read before a fragment is settled, in case something goes on writing."""
_START_S: Final = 30.0
_LEAVE_S: Final = 5.0
_CLOSED_S: Final = 0.2
_REMIND_S: Final = 0.1
_KILL_S: Final = 10.0
_NOTHING: Final = memoryview(b"")


class Slot:
    """The process of slot *number* of *pool*: none at first."""

    def __init__(self, pool: WarmPool, number: int) -> None:
        self._pool = pool
        self._loop: EventLoop = pool.loop
        self._desk = pool.desk
        self.number = number
        self.pid = 0
        self._worker: WarmWorker | None = None
        """Whose fragment runs, or is to run, here."""
        self._order: Order | None = None
        """What the process is told about that; kept in case it dies before it has begun."""
        self._laid_out: collections.deque[tuple[Order, float]] = collections.deque()
        """What it is to go on with by itself, unless that is taken back, and since when."""
        self._done_at = 0.0
        """When the process was done with the last fragment."""
        self._part = 0
        """Which part of the desk is for the results of what runs."""
        self._wants_fresh = False
        """Whether the order is for a process that has not run anything."""
        self._continues = False
        """Whether another fragment of the same test is going to follow."""
        self._alive = False
        """Whether there is a process, or one is being started."""
        self._ready = False
        """Whether the process has said that it is there."""
        self.has_run = 0
        """How many fragments it has run to their ends."""
        self._ending = False
        """Whether it is on its way out and takes no more orders."""
        self._untaken = False
        """Whether it has died without having read all that it was sent."""
        self._hopeless = False
        """Whether it did not die although it was killed."""
        self._why = ""
        """Why it was killed."""
        self._doing: list[str] = []
        """What it and its processes did when the time of the fragment was up."""
        self._patience: Timer | None = None
        """What will be done if it does not do what is expected of it next."""
        self._sock: socket.socket | None = None
        self._output = -1
        self._capture = Capture(_KEEP_BYTES)
        self._frames = Frames()
        self._unsent = _NOTHING

    @property
    def is_open(self) -> bool:
        """Whether there is a process that is not on its way out."""
        return self._alive and not self._ending

    @property
    def written(self) -> bytes:
        """What the process has written by itself since its fragment began."""
        return self._capture.content()

    # -- orders -----------------------------------------------------------------------------

    @property
    def runs_after(self) -> int:
        """How many fragments the process that gets the next order has run before."""
        return self.has_run if self._alive and not self._ending else 0

    def give(
        self, worker: WarmWorker, order: Order, *, alone: bool = False, untouched: bool = False
    ) -> None:
        """Have *worker*'s fragment run, at once or as soon as a process is there.

        If *alone*, that is one in which nothing has run; if *untouched*, nothing but what the
        fragment continues.
        """
        self._worker = worker
        self._wants_fresh = alone or (untouched and not self._continues)
        self._continues = order.continues
        self._order = order
        self._go()

    @property
    def can_lay_out(self) -> bool:
        """Whether the process runs something, and could go on with something else by itself."""
        if self._order is None or self._desk is None or len(self._laid_out) >= self._desk.depth:
            return False
        last = self._laid_out[-1][0] if self._laid_out else self._order
        is_leaving = self._ending or last.continues or last.last
        return self._ready and not is_leaving and not self._unsent

    @property
    def laid_out(self) -> int:
        """How many orders are laid out."""
        return len(self._laid_out)

    def lay_out(self, order: Order) -> None:
        """Let the process go on with *order* when it is done, if that is not taken back."""
        desk = self._desk
        assert desk is not None
        assert desk.tickets is not None
        last = self._laid_out[-1][0].part if self._laid_out else self._part
        order.ahead, order.part = True, desk.after(last)
        desk.tickets.put(desk.part(self.number, order.part), order.attempt)
        self._laid_out.append((order, self._loop.now()))
        self._unsent = memoryview(frame(messages.RUN, messages.encode(order)))
        self._push()

    def take_back(self) -> int:
        """Take back what was laid out and the process has not begun with; return what is left."""
        desk = self._desk
        while self._laid_out and desk is not None and desk.tickets is not None:
            # The last first: the process goes by their order.
            place = desk.part(self.number, self._laid_out[-1][0].part)
            if desk.tickets.take(place) is None:
                break
            self._laid_out.pop()
        return len(self._laid_out)

    def begin_laid_out(self, worker: WarmWorker) -> bool:
        """Let *worker* be the one whose fragment was laid out; False if there is none any more."""
        if not self._laid_out:
            return False
        order, since = self._laid_out.popleft()
        order.ahead = False  # should it have to be sent again
        self._worker, self._order, self._part = worker, order, order.part
        self._wants_fresh, self._continues = False, order.continues
        worker.started_at = max(since, self._done_at)
        return True

    def _go(self) -> None:
        if self._hopeless:
            self._loop.call_soon(self._give_up)
        if self._ending:
            return  # `_ended` goes on from here
        if self._wants_fresh and self._alive and self.has_run:
            self._retire()  # it asked for a process of its own
            return
        if not self._alive:
            self._start()
        if self._alive and self._order is not None:
            if self._desk is not None:
                self._part = self._order.part = self._desk.after(self._part)
            self._unsent = memoryview(frame(messages.RUN, messages.encode(self._order)))
            self._push()

    def terminate(self, worker: WarmWorker) -> None:
        """Ask the process to end if it runs, or is to run, *worker*."""
        if self._worker is worker and worker.timed_out and self.pid:
            self._doing = [of_one(self.pid), *picture(self.pid)]
        if self._worker is not worker:
            return
        if self._alive and self._pool.end_process(self.number):
            pid = self.pid
            self._loop.call_at(self._loop.now() + _REMIND_S, lambda: self._remind(pid))
        else:
            self._loop.call_soon(lambda: self._drop(worker))

    def _remind(self, pid: int) -> None:
        """Ask the process once more, and not the one that may have come after it."""
        if pid and self._alive and self.pid == pid:
            self._pool.remind_process(self.number)

    def kill(self, worker: WarmWorker) -> None:
        """Kill the process, with all below it, if it runs, or is to run, *worker*."""
        if self._worker is worker and not (self._alive and self._kill()):
            self._loop.call_soon(lambda: self._drop(worker))

    def note_pause(self, seconds: float) -> None:
        """Take note that nothing has run for so long."""
        if self._worker is not None:
            self._worker.paused_s += seconds

    def _drop(self, worker: WarmWorker) -> None:
        """Settle *worker*, which has no process and is to have none."""
        if self._worker is worker:
            self.close()
            self._clear()
            self._pool.lose(worker, self._end_of(worker, None, "it did not get a process"))

    def _clear(self) -> None:
        self._worker, self._order = None, None
        self._doing = []

    def _push(self) -> None:
        assert self._sock is not None
        data = self._unsent
        try:
            while data:
                data = data[self._sock.send(data) :]
        except BlockingIOError:
            self._loop.rewatch(self._sock.fileno(), self._read_and_write, READ | WRITE)
        except OSError:  # it has died: the nursery will tell
            self._untaken = True
            data = _NOTHING
        self._unsent = data or _NOTHING  # not the end of something big

    def _read_and_write(self) -> None:
        assert self._sock is not None
        self._loop.rewatch(self._sock.fileno(), self._read, READ)
        self._push()
        self._read()

    # -- life of the process ------------------------------------------------------------------

    def _start(self) -> None:
        self._ready = self._untaken = False
        self._part = self.has_run = 0
        if self._desk is not None:
            self._desk.clear(self.number)
        self._why = ""
        self._capture.clear()
        # First the nursery: a fork of this process would keep the other ends open.
        nursery = self._pool.nursery
        try:
            ours, theirs, reader, writer = _channel_and_pipe()
        except OSError as error:
            why = f"no channel to it can be made: {error.strerror}"
            self._loop.call_soon(lambda: self._ended(None, why))
            return
        self._sock, self._output = ours, reader
        self._frames, self._unsent = Frames(), _NOTHING
        self._alive = True
        self._loop.watch(ours.fileno(), self._read)
        self._loop.watch(reader, self._hear)
        self._expect(_START_S, f"it was not ready within {_START_S:g} s")
        try:
            nursery.start(self.number, theirs, writer)
        except NurseryGone:
            # Its end is read next; that starts everything anew.
            self._ending = True
        finally:
            theirs.close()
            os.close(writer)

    def _retire(self) -> None:
        """End an idle process: it reads end-of-file."""
        self._ending = True
        self._expect(_LEAVE_S, "it did not leave")
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def _kill(self, why: str = "") -> bool:
        """Have the process killed, and give it up if that does not help."""
        self._why = self._why or why
        if not self._pool.kill_process(self.number):
            return False
        self._wait(_KILL_S, self._give_up)
        return True

    def _give_up(self) -> None:
        """It does not die: it hangs in the kernel, or the nursery does."""
        worker = self._worker
        if worker is not None:
            worker.output = self._capture.content() + _shown(self._doing)
        self._clear()
        self._ending = self._hopeless = True
        if worker is not None:
            worker.slot_lost = True
            why = f"the process of slot {self.number} cannot be killed; the slot is given up"
            self._pool.say(why)
            self._pool.lose(worker, self._end_of(worker, Killed(signal.SIGKILL), why))

    def _expect(self, seconds: float, complaint: str) -> None:
        """Kill the process for *complaint* if nothing has happened *seconds* from now."""
        self._wait(seconds, lambda: self._kill(complaint))

    def _wait(self, seconds: float, then: Callable[[], object]) -> None:
        self._calm_down()
        self._patience = self._loop.call_at(self._loop.now() + seconds, then)

    def _calm_down(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

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
        """The nursery has gone, and with it the process."""
        if self._alive:
            self._drain()
            self._ended(None, why, is_told=True)

    def _ended(
        self,
        how: Exited | Killed | None,
        note: str = "",
        max_rss_bytes: int = 0,
        *,
        is_told: bool = False,
    ) -> None:
        """The process and all below it are gone: settle what it ran, replace it if need be.

        *is_told*: people know already that something has happened to it.
        """
        output = self._capture.content()
        is_told = is_told or self._ending
        if self._order is not None and self._desk is not None:
            self._untaken = self._desk.begun(self.number) != self._order.attempt
        was_new = not self._ready or (self._untaken and not self.has_run)
        is_innocent = self._ending or self._untaken or was_new
        self.close()
        worker = self._worker
        if worker is None:
            if not is_told:
                self._pool.idle_died(self.number, _said(how, note))
            return
        worker.max_rss_bytes = max_rss_bytes
        if worker.timed_out or worker.stopped or not is_innocent:
            worker.output = output + _shown(self._doing)
            self._clear()
            if not is_innocent:
                self._pool.started()
            self._pool.lose(worker, self._end_of(worker, how, note))
            return
        if not is_told and was_new:
            tail = output.decode("utf-8", "backslashreplace").strip().rpartition("\n")[2]
            parts = (_said(how, note), self._why and f"({self._why})", tail)
            self._pool.start_failed(self.number, " ".join(filter(None, parts)))
        elif not is_told:
            self._pool.idle_died(self.number, _said(how, note))
        self._go()

    def _end_of(self, worker: WarmWorker, how: Exited | Killed | None, note: str) -> FragmentEnd:
        was_killed = how == Killed(signal.SIGKILL)
        if worker.timed_out:
            return FragmentTimedOut(worker.timeout_s or 0.0, ignored_term=was_killed)
        if worker.stopped:
            return Stopped("interrupted")
        if how is None or worker.slot_lost:
            return WorkerLost(note)
        return WorkerDied(how, note or (self._why if was_killed else ""))

    def close(self) -> None:
        """Let go of the channel."""
        self._alive, self.pid = False, 0
        self._laid_out.clear()
        self._ending = self._hopeless = False
        self._calm_down()
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
        self._clear_tray()
        while self._sock is not None and self._read():
            pass
        self._clear_tray()  # of what it had gone on with by itself
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
        except OSError:  # it has died with something unread in its socket
            self._untaken = True
            data = b""
        if not data:
            self._loop.unwatch(sock.fileno())
            if not self._ending:
                self._expect(_CLOSED_S, "it closed its channel to the runner")
            return False
        try:
            for kind, payload in self._frames.feed(data):
                self._take(kind, payload)
        except ProtocolError as error:
            self._loop.unwatch(sock.fileno())
            self._kill(f"something else wrote to its channel to the runner: {error}")
            return False
        return True

    def _take(self, kind: int, payload: bytes) -> None:
        worker = self._worker
        if kind == messages.READY:
            self._ready = True
            self._calm_down()
        elif worker is None or worker.timed_out or worker.stopped:
            return  # too late to count
        elif kind == messages.RESULT:
            self._clear_tray()  # what lies there was pushed before
            worker.results.append(payload)
        elif kind == messages.REPORT:
            self._settle(worker, messages.decode_report(payload))

    def _settle(self, worker: WarmWorker, report: Report) -> None:
        order = self._order
        if order is None or report.attempt != order.attempt:
            return
        if report.on_tray:
            self._clear_tray()
        if report.waits or not report.fit:
            self.take_back()
        # What is there to be read may be what it goes on with.
        for _ in range(0 if self._laid_out else _MAX_READS):
            if not self._read_output():
                break
        if self._capture.total:
            worker.output = self._capture.content()
            self._capture.clear()
        self.has_run += 1
        self._done_at = report.sent_at
        self._pool.started()
        if order.last or not report.fit:
            self._ending = True
            self._expect(_LEAVE_S, "it did not leave")
        self._clear()
        self._pool.settle(worker, report)

    def _clear_tray(self) -> None:
        """Take the results that lie on the tray."""
        if self._desk is not None:
            items = self._desk.tray.take(self._desk.part(self.number, self._part))
            if self._worker is not None:
                self._worker.results.extend(items)

    def _hear(self) -> None:
        """Read what the process writes by itself: that of the fragment that runs now."""
        if self._laid_out:
            self._read()  # it may have gone on with that
        if self._output >= 0:
            self._read_output()

    def _read_output(self) -> bool:
        try:
            chunk = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.unwatch(self._output)
            return False
        if self._pool.on_output is None:
            self._capture.add(chunk)
        else:
            self._pool.on_output(self.number, chunk)
        return True


def _channel_and_pipe() -> tuple[socket.socket, socket.socket, int, int]:
    """Return both ends of a channel, and of a pipe for the output."""
    ours, theirs = socket.socketpair()
    try:
        reader, writer = os.pipe()
    except OSError:
        ours.close()
        theirs.close()
        raise
    ours.setblocking(False)
    os.set_blocking(reader, False)
    own_fds.add(ours.fileno())
    own_fds.add(reader)
    return ours, theirs, reader, writer


def _shown(doing: list[str]) -> bytes:
    if not doing:
        return b""
    text = "".join(f"  {line}\n" for line in doing)
    head = b"\nWhat its processes were doing when its time was up:\n"
    return head + text.encode("utf-8", "backslashreplace")


def _said(how: Exited | Killed | None, note: str) -> str:
    match how:
        case Exited(code):
            return f"ended with exit status {code}"
        case Killed(signum):
            return f"killed by {signal_name(signum)}"
        case None:
            return note
