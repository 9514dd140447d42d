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

from testloom.processes import own_fds, prctl, signals, tree
from testloom.processes.cgroup import Cgroup
from testloom.processes.cgroup import make as make_cgroup

STACKS_SIGNAL: Final = signal.SIGRTMIN + 1
"""Makes a worker write the Python stacks of its threads to its stderr."""

ChildMain = Callable[[int, socket.socket], None]
"""What a forked worker runs: ``child_main(slot, channel)``; the process ends when it returns."""


class Order(msgspec.Struct, array_like=True):
    """What main asks for. *what* is ``start``, ``end`` (politely) or ``kill``."""

    what: str
    slot: int


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


class NurseryGone(Exception):
    """The nursery has ended, with everything it had started."""


class Nursery:
    """Main's side: a handle on the fork server.

    It is forked by the constructor, so whatever exists then is inherited by all workers.
    """

    def __init__(self, child_main: ChildMain, *, name: str) -> None:
        if threading.active_count() > 1:
            names = ", ".join(t.name for t in threading.enumerate()[1:])
            raise RuntimeError(f"cannot fork workers while other threads run: {names}")
        prctl.become_subreaper()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline_reader, self._lifeline = os.pipe()
        self._cgroup = make_cgroup(name)
        own_fds.add(self._control.fileno())
        own_fds.add(self._lifeline)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _in_child(parent, child_main, theirs, lifeline_reader, self._cgroup)
        theirs.close()
        os.close(lifeline_reader)

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

    def kill(self, slot: int) -> None:
        """Kill the worker of *slot* and all below it."""
        self._send(Order("kill", slot))

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

    def close(self, timeout_s: float = 3.0) -> None:
        """Kill everything and see it gone."""
        own_fds.close(self._lifeline)
        if not tree.wait_gone([self.pid], timeout_s):
            tree.signal_all([self.pid], signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.sweep()
        own_fds.discard(self._control.fileno())
        self._control.close()

    def sweep(self) -> None:
        """Kill what a nursery that died without cleaning up has left to us, its subreaper."""
        if self._cgroup is not None:
            self._cgroup.kill()
            self._cgroup.remove()
        for child in tree.children(os.getpid()):
            if b"TESTLOOM_RUN=" in _environ_of(child) and child != self.pid:
                tree.signal_all([child, *tree.descendants(child)], signal.SIGKILL)
        tree.reap()


def _environ_of(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _in_child(
    parent: int,
    child_main: ChildMain,
    control: socket.socket,
    lifeline: int,
    cgroup: Cgroup | None,
) -> NoReturn:
    """Be the nursery, and nothing else ever again."""
    status = 1
    try:
        # The terminal's signals are main's to handle.
        signals.reset_in_child()
        os.setsid()
        for number in (*signals.STOPPING, signal.SIGTSTP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        own_fds.close_all()
        prctl.become_subreaper()
        prctl.set_name("testloom-nursery")
        gc.freeze()
        if os.getppid() == parent:
            _Server(child_main, control, lifeline, cgroup).serve()
        status = 0
    except BaseException:  # noqa: BLE001 - the last line of defence of a forked child
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


class _Server:
    """The nursery's side."""

    def __init__(
        self,
        child_main: ChildMain,
        control: socket.socket,
        lifeline: int,
        cgroup: Cgroup | None,
    ) -> None:
        self._child_main = child_main
        self._control = control
        self._lifeline = lifeline
        self._cgroup = cgroup
        self._pids: dict[int, int] = {}
        """slot -> pid"""
        self._slots: dict[int, int] = {}
        """pid -> slot"""
        self._groups: dict[int, Cgroup] = {}
        self._wakeup, self._wakeup_writer = socket.socketpair()

    def serve(self) -> None:
        """Serve until main has gone."""
        for end in (self._wakeup, self._wakeup_writer):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        poller = select.poll()
        for fd in (self._control.fileno(), self._lifeline, self._wakeup.fileno()):
            poller.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _event in poller.poll()}
            if self._lifeline in ready:
                break
            if self._wakeup.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup.recv(4096)
                self._reap()
            if self._control.fileno() in ready and not self._obey():
                break
        self._kill_everything()

    def _obey(self) -> bool:
        data, fds, _flags, _address = socket.recv_fds(self._control, 4096, 2)
        if not data:
            return False
        order = _decode_order(data)
        pid = self._pids.get(order.slot)
        if order.what == "start":
            self._start(order.slot, *fds)
        elif pid is None:
            pass  # it has ended meanwhile, and main will read so
        elif order.what == "end":
            tree.signal_all([pid], STACKS_SIGNAL)
            tree.signal_all([pid], signal.SIGTERM)
            tree.signal_all([pid], signal.SIGCONT)
        else:
            self._kill(order.slot, pid)
        return True

    def _start(self, slot: int, channel: int, output: int) -> None:
        group = self._cgroup.child(f"slot-{slot}") if self._cgroup else None
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(News("failed", slot, note=f"cannot fork: {error.strerror}"))
            pid = -1
        if pid == 0:
            self._be_worker(parent, slot, channel, output, group)
        os.close(channel)
        os.close(output)
        if pid > 0:
            self._pids[slot] = pid
            self._slots[pid] = slot
            if group is not None:
                self._groups[slot] = group
            self._tell(News("started", slot, pid))

    def _be_worker(
        self, parent: int, slot: int, channel: int, output: int, group: Cgroup | None
    ) -> NoReturn:
        status = 1
        try:
            signals.reset_in_child()
            if group is not None:
                group.enter()
            os.setsid()
            prctl.die_with_parent()
            if os.getppid() != parent:
                os._exit(1)
            prctl.become_subreaper()
            prctl.set_name(f"testloom-slot{slot}")
            os.close(self._lifeline)
            for end in (self._control, self._wakeup, self._wakeup_writer):
                end.close()
            _wire_streams(output)
            self._child_main(slot, socket.socket(fileno=channel))
            status = 0
        except SystemExit:
            pass
        except BaseException:  # noqa: BLE001 - the last line of defence of a forked child
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _kill(self, slot: int, pid: int) -> None:
        group = self._groups.get(slot)
        if group is None or not group.kill():
            # Stopped first, it cannot start more while its tree is walked.
            tree.signal_all([pid], signal.SIGSTOP)
            tree.signal_all([*tree.descendants(pid), pid], signal.SIGKILL)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            slot = self._slots.pop(pid, None)
            if slot is None:
                continue  # an orphan, killed below
            del self._pids[slot]
            stuck = self._clean_up_after(slot)
            note = ", ".join(f"unkillable: {tree.describe(p)}" for p in stuck)
            code = os.waitstatus_to_exitcode(status)
            self._tell(News("ended", slot, pid, code, usage.ru_maxrss * 1024, note))

    def _clean_up_after(self, slot: int) -> list[int]:
        """Kill what the dead worker of *slot* has left behind."""
        group = self._groups.pop(slot, None)
        if group is not None:
            if not group.is_empty():
                group.kill()
            group.remove()
        if len(tree.children(os.getpid())) == len(self._slots):
            return []
        return tree.kill_below(os.getpid(), self._slots)

    def _tell(self, news: News) -> None:
        with contextlib.suppress(OSError):  # main has gone; the lifeline will tell
            self._control.send(_encode(news))

    def _kill_everything(self) -> None:
        for group in self._groups.values():
            group.kill()
            group.remove()
        tree.kill_below(os.getpid())
        if self._cgroup is not None:
            self._cgroup.kill()
            self._cgroup.remove()


def _noted(_signum: int, _frame: object) -> None:
    """Do nothing: the number is read from the wake-up socket."""


def _wire_streams(output: int) -> None:
    """Let the standard streams be ``/dev/null`` and *output*, at both levels."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115 - it lives as long as the process
        2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1
    )
