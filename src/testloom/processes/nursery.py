"""The process that forks the slots' processes, outlives them, and kills them all when asked.

::

    main ── control socket, lifeline ──▶ nursery ── fork ──▶ worker of slot 0, 1, ...

Main tells the nursery to start, to ask to end or to kill the worker of a slot; the nursery
tells main who started and who ended how.  It runs no code of users and one thread.  It is a
subreaper: what a dead worker leaves behind becomes its child and is killed before the end of
the worker is told, so that a slot is free only once its whole tree is dead.  When main goes,
however that happens, the lifeline reads end-of-file and the nursery kills everything.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from testloom.processes import keys, own_fds, prctl, signals, streams, tree
from testloom.processes.cgroup import Cgroup, finish_warming
from testloom.processes.cgroup import make as make_cgroup
from testloom.processes.namespaces import Cell

STACKS_SIGNAL: Final = signal.SIGRTMIN + 1
"""Makes a worker write the Python stacks of its threads to its stderr."""

ChildMain = Callable[[int, socket.socket], None]
"""What a forked worker runs: ``child_main(slot, channel)``; the process ends when it returns."""


class Order(msgspec.Struct, array_like=True):
    """What main asks for.

    *what* is ``start``, ``end`` (a worker, politely), ``remind`` (once more), ``terminate`` (any
    program) or ``kill``; or, of all slots together, ``pause`` and ``resume``.
    """

    what: str
    slot: int = -1


class News(msgspec.Struct, array_like=True):
    """What the nursery tells. *what* is ``started``, ``failed`` or ``ended``."""

    what: str
    slot: int
    pid: int = 0
    code: int = 0
    """Exit status, or the negative number of the signal, as `subprocess` gives it."""
    max_rss_bytes: int = 0
    note: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(Order).decode
_decode_news = msgspec.msgpack.Decoder(News).decode


_alive: Final[set[int]] = set()
"""The nurseries of this process: none may sweep away another one."""


class NurseryGone(Exception):
    """The nursery has ended, with everything it had started."""


class Nursery:
    """Main's side: a handle on the fork server.

    It is forked by the constructor, so whatever exists then is inherited by all workers.

    Args:
        child_main: what a worker runs.
        name: that of its control group.
        own_output: whether workers write to the standard streams of this process, not to the
            pipe that they are started with.
        with_threads: whether to fork even though other threads run, one of which may hold a lock
            that then nobody gives back in a worker.
        isolated: whether each worker has a PID namespace of its own.

    Raises:
        RuntimeError: other threads run.
    """

    def __init__(
        self,
        child_main: ChildMain,
        *,
        name: str,
        own_output: bool = False,
        with_threads: bool = False,
        isolated: bool = False,
    ) -> None:
        self._child_main = child_main
        self._own_output = own_output
        self._isolated = isolated
        finish_warming()
        self._prepare(with_threads=with_threads)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline_reader, self._lifeline = os.pipe()
        self._cgroup = make_cgroup(name)
        own_fds.add(self._control.fileno())
        own_fds.add(self._lifeline)
        try:
            self.pid = self._begin(theirs, lifeline_reader)
            _alive.add(self.pid)
        except OSError:
            own_fds.close(self._lifeline)
            self._let_go()
            raise
        finally:
            theirs.close()
            os.close(lifeline_reader)

    def _prepare(self, *, with_threads: bool) -> None:
        if threading.active_count() > 1 and not with_threads:
            names = ", ".join(t.name for t in threading.enumerate()[1:])
            raise RuntimeError(f"cannot fork workers while other threads run: {names}")
        streams.ensure()  # or a socket of ours, or of a worker, would get one of their numbers
        prctl.become_subreaper()
        self._not_ours = frozenset(tree.children(os.getpid()))

    def _begin(self, control: socket.socket, lifeline: int) -> int:
        """Begin the process with its ends of both; return its number."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody reads it
                stream.flush()
        parent = os.getpid()

        def make_server() -> NurseryServer:
            return NurseryServer(
                self._child_main,
                control,
                lifeline,
                self._cgroup,
                own_output=self._own_output,
                isolated=self._isolated,
            )

        pid = signals.fork()
        if pid == 0:
            _in_child(parent, make_server)
        return pid

    def fileno(self) -> int:
        """The descriptor that is readable when there is news."""
        return self._control.fileno()

    def start(self, slot: int, channel: socket.socket, output: int) -> None:
        """Start a worker for *slot* that talks over *channel* and writes to *output*.

        Raises:
            NurseryGone: there is no nursery any more.
        """
        self._send(Order("start", slot), [channel.fileno(), output])

    def end(self, slot: int) -> None:
        """Ask the worker of *slot* to write its stacks and to end."""
        self._send(Order("end", slot))

    def remind(self, slot: int) -> None:
        """Ask the worker of *slot*, which has been asked to end, once more.

        While it wrote its stacks, the first signal may have come, and the system may have gone on
        with what the worker was waiting for: then it has not noticed.
        """
        self._send(Order("remind", slot))

    def terminate(self, slot: int) -> None:
        """Ask the program of *slot*, and all below it, to end."""
        self._send(Order("terminate", slot))

    def kill(self, slot: int) -> None:
        """Kill the worker of *slot* and all below it."""
        self._send(Order("kill", slot))

    def pause(self) -> None:
        """Let nothing below the nursery run until `resume`."""
        self._send(Order("pause"))

    def resume(self) -> None:
        """Let everything go on that ran before `pause`."""
        self._send(Order("resume"))

    def _send(self, order: Order, fds: list[int] | None = None) -> None:
        try:
            socket.send_fds(self._control, [_encode(order)], fds or [])
        except OSError as error:
            raise NurseryGone from error

    def news(self) -> News:
        """Return the next piece of news; blocks if there is none.

        Raises:
            NurseryGone: there is no nursery any more.
        """
        try:
            data = self._control.recv(4096)
        except OSError as error:
            raise NurseryGone from error
        if not data:
            raise NurseryGone
        return _decode_news(data)

    def dismiss(self) -> None:
        """Have everything killed; `close` sees it gone."""
        if self._lifeline >= 0:
            own_fds.close(self._lifeline)
            self._lifeline = -1

    def close(self, timeout_s: float = 3.0) -> None:
        """Kill everything and see it gone."""
        self.dismiss()
        if not tree.wait_gone([self.pid], timeout_s):
            tree.signal_all([self.pid], signal.SIGKILL)
        status = -1
        with contextlib.suppress(ChildProcessError):
            _pid, status = os.waitpid(self.pid, 0)
        _alive.discard(self.pid)
        if status != 0:
            self.sweep()
        self._let_go()

    def _let_go(self) -> None:
        own_fds.discard(self._control.fileno())
        self._control.close()
        if self._cgroup is not None:
            self._cgroup.remove()

    def sweep(self) -> None:
        """Kill what a nursery that died without cleaning up has left to us, its subreaper.

        A nursery and its workers leave our session, so a child that is in it is not theirs.
        """
        own = os.getsid(0)
        spare = {c for c in tree.children(os.getpid()) if tree.session(c) == own}
        spare |= self._not_ours | _alive
        if self._cgroup is not None and self._cgroup.kill():
            tree.reap(spare)
        else:
            tree.kill_below(os.getpid(), spare)


def _in_child(parent: int, make_server: Callable[[], NurseryServer]) -> NoReturn:
    """Be the nursery, and nothing else ever again."""

    def run() -> None:
        os.setsid()
        own_fds.close_all()
        be_nursery(parent, make_server)

    signals.be_child(run)


def be_nursery(parent: int, make_server: Callable[[], NurseryServer]) -> None:
    """Serve process *parent*, in a process and a session of their own, until it has gone."""
    # The terminal's signals are main's to handle.
    signals.reset_in_child(ignored=(*signals.STOPPING, signal.SIGTSTP))
    prctl.become_subreaper()
    prctl.set_name("testloom-nursery")
    gc.freeze()
    if os.getppid() == parent:
        make_server().serve(parent)


class NurseryServer:
    """The nursery's side."""

    def __init__(
        self,
        child_main: ChildMain,
        control: socket.socket,
        lifeline: int,
        cgroup: Cgroup | None,
        *,
        own_output: bool = False,
        isolated: bool = False,
    ) -> None:
        self._child_main = child_main
        self._own_output = own_output
        self._isolated = isolated
        self._cells: dict[int, Cell] = {}
        """pid of the first process -> its namespace, where each worker has one."""
        self._control = control
        self._lifeline = lifeline
        self._cgroup = cgroup
        self._pids: dict[int, int] = {}
        """slot -> pid"""
        self._slots: dict[int, int] = {}
        """pid -> slot"""
        self._stuck: set[int] = set()
        """What did not end when it was killed."""
        self._groups: dict[int, Cgroup] = {}
        self._paused: list[int] = []
        """The processes that were stopped, where they have no group that can be."""
        self._wakeup, self._wakeup_writer = socket.socketpair()
        self._parent = -1
        self._poller = select.poll()
        self._untold: collections.deque[bytes] = collections.deque()
        """News that main has no room for yet.  To wait until it has could be for ever: it may be
        waiting until we have read its orders."""

    def serve(self, parent: int) -> None:
        """Serve until main, process *parent*, has gone; then kill everything."""
        try:
            self._serve(parent)
        finally:
            self._kill_everything()
            keys.give_back(is_ours=False)

    def _serve(self, parent: int) -> None:
        for end in (self._wakeup, self._wakeup_writer):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        gone = {self._lifeline}
        with contextlib.suppress(OSError):
            # A process that main has forked may hold the other end of the lifeline.
            self._parent = os.pidfd_open(parent)
            gone.add(self._parent)
        for fd in (self._control.fileno(), self._wakeup.fileno(), *gone):
            self._poller.register(fd, select.POLLIN)
        while True:
            ready = dict(self._poller.poll())
            if ready.keys() & gone:
                return
            if self._untold:
                self._tell_all()
            if self._wakeup.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup.recv(4096)
                self._reap()
            if ready.get(self._control.fileno(), 0) & ~select.POLLOUT and not self._obey():
                return

    def _obey(self) -> bool:
        try:
            data, fds, _flags, _address = socket.recv_fds(self._control, 4096, 2)
        except ConnectionError:  # main has gone without having read all
            return False
        if not data:
            return False
        for fd in fds:  # they come as they like
            os.set_inheritable(fd, False)
        order = _decode_order(data)
        pid = self._pids.get(order.slot)
        if order.what == "start":
            self._start(order.slot, fds)
        elif order.what == "pause":
            self._pause()
        elif order.what == "resume":
            self._resume()
        elif pid is None:
            pass  # it has ended meanwhile, and main will read so
        elif order.what in ("end", "remind"):
            worker = tree.children(pid) if pid in self._cells else [pid]
            first = (STACKS_SIGNAL, signal.SIGTERM, signal.SIGCONT)
            for signum in first if order.what == "end" else (signal.SIGTERM,):
                tree.signal_all(worker, signum)
        elif order.what == "terminate":
            pids = [*tree.descendants(pid), pid]
            tree.signal_all(pids, signal.SIGTERM)
            tree.signal_all(pids, signal.SIGCONT)
        else:
            self._kill(order.slot, pid)
        return True

    def _pause(self) -> None:
        # A frozen process does not notice, nor does its parent; one that is stopped may.
        if self._cgroup is None or not self._cgroup.freeze(frozen=True):
            self._paused += tree.stop_below(os.getpid())

    def _resume(self) -> None:
        if self._cgroup is not None:
            self._cgroup.freeze(frozen=False)
        paused, self._paused = self._paused, []
        tree.signal_all(paused, signal.SIGCONT)

    def _start(self, slot: int, fds: list[int]) -> None:
        group = self._cgroup.child(f"slot-{slot}") if self._cgroup else None
        parent = os.getpid()
        pid, why = -1, "cannot fork: too many open files"
        cell = Cell() if self._isolated else None
        if len(fds) == 2:
            try:
                with contextlib.nullcontext() if cell is None else cell.for_next_child():
                    pid = signals.fork()
                    if pid == 0:
                        self._be_worker(parent, slot, fds[0], fds[1], group, cell)
            except OSError as error:
                why = f"cannot fork: {error.strerror}"
        for fd in fds:
            os.close(fd)
        if pid < 0:
            self._tell(News("failed", slot, note=why))
            return
        self._pids[slot] = pid
        self._slots[pid] = slot
        if cell is not None:
            self._cells[pid] = cell
        if group is not None:
            self._groups[slot] = group
        self._tell(News("started", slot, pid))

    def _be_worker(
        self,
        parent: int,
        slot: int,
        channel: int,
        output: int,
        group: Cgroup | None,
        cell: Cell | None,
    ) -> NoReturn:
        status = 1
        try:
            signals.reset_in_child()
            if group is not None:
                group.enter()
            if cell is not None:
                cell.enter()
                parent = 1
            os.setsid()
            prctl.die_with_parent()
            if os.getppid() != parent:
                os._exit(1)
            prctl.become_subreaper()
            prctl.set_name(f"testloom-slot{slot}")
            prctl.be_killed_first()
            for fd in (self._lifeline, self._parent):
                with contextlib.suppress(OSError):
                    os.close(fd)
            for end in (self._control, self._wakeup, self._wakeup_writer):
                end.close()
            if self._own_output:
                os.close(output)
                _wire_stdin()
            else:
                _wire_streams(output)
            self._child_main(slot, socket.socket(fileno=channel))
            status = 0
        except SystemExit as end:
            if isinstance(end.code, int):
                status = end.code & 0xFF
            elif end.code is not None:
                print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        except BaseException:  # noqa: BLE001 - the last line of defence of a forked child
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _kill(self, slot: int, pid: int) -> None:
        group = self._groups.get(slot)
        # It may not have got into its group.
        if group is None or not group.kill() or not tree.is_zombie(pid):
            tree.kill_tree(pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            slot = self._slots.pop(pid, None)
            self._stuck.discard(pid)
            if slot is None:
                continue  # an orphan, killed below
            del self._pids[slot]
            max_rss = usage.ru_maxrss
            if (cell := self._cells.pop(pid, None)) is not None:
                status, max_rss = cell.outcome(status, max_rss)
            stuck = self._clean_up_after(slot)
            note = ", ".join(f"unkillable: {tree.describe(p)}" for p in stuck)
            code = os.waitstatus_to_exitcode(status)
            self._tell(News("ended", slot, pid, code, max_rss * 1024, note[:1000]))

    def _clean_up_after(self, slot: int) -> list[int]:
        """Kill what the dead worker of *slot* has left behind."""
        group = self._groups.pop(slot, None)
        if group is not None:
            if not group.is_empty():
                group.kill()
            group.remove()
        known = self._slots.keys() | self._stuck if self._stuck else self._slots
        if len(tree.children(os.getpid())) == len(known):
            return []
        stuck = tree.kill_below(os.getpid(), known)
        self._stuck.update(stuck)
        return stuck

    def _tell(self, news: News) -> None:
        self._untold.append(_encode(news))
        self._tell_all()

    def _tell_all(self) -> None:
        """Tell as much as main has room for, and wait for more room if that is not all."""
        events = select.POLLIN
        try:
            while self._untold:
                self._control.send(self._untold[0], socket.MSG_DONTWAIT)
                self._untold.popleft()
        except BlockingIOError:
            events |= select.POLLOUT
        except OSError:  # main has gone; the lifeline will tell
            self._untold.clear()
        self._poller.modify(self._control.fileno(), events)

    def _kill_everything(self) -> None:
        if self._cgroup is not None:
            self._cgroup.kill()
        tree.kill_below(os.getpid())
        if self._cgroup is not None:
            self._cgroup.remove()


def _noted(_signum: int, _frame: object) -> None:
    """Do nothing: the number is read from the wake-up socket."""


_former: list[object] = []
"""The streams of main: nobody may drop them, they would write what main could not."""


def _wire_streams(output: int) -> None:
    """Let the standard streams be ``/dev/null`` and *output*, at both levels."""
    _former.extend((sys.stdout, sys.stderr))
    for target in (1, 2):
        os.dup2(output, target)
    os.close(output)
    _wire_stdin()
    # By the line, so that it keeps its place among what programs write.
    sys.stdout = open(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115 - it lives as long as the process
        2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1
    )


def _wire_stdin() -> None:
    """Let there be nothing to read."""
    _former.append(sys.stdin)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
