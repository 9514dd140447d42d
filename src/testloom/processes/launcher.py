"""Runs one program to its end, whatever it does: the way every program under test is run.

The program leads its own session, reads from ``/dev/null`` unless told otherwise, and its
output is drained all the time it runs.  Its end is its own end, not that of its output: a
daemon it leaves behind gets a fifth of a second, counted once, and is then killed and named.
When its time is up it is asked to end (SIGTERM), and killed with all below it after a grace.
Time in which neither it nor we could run does not count.

This process must be a subreaper (`prctl.become_subreaper`) for daemons to be found; without,
only those still in the program's process group are.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping

import msgspec

from testloom.model.outcome import (
    Exited,
    Killed,
    NotStarted,
    OutOfMemory,
    OutputLimit,
    ProgramEnd,
    TimedOut,
)
from testloom.processes import tree
from testloom.processes.capture import Capture
from testloom.processes.clock import TICK_S, SystemClock, overslept_s
from testloom.processes.memory import MemoryLimit
from testloom.processes.picture import picture

KEEP_BYTES = 16 * 1024 * 1024
GRACE_S = 5.0
LEAK_GRACE_S = 0.2
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_HURRY_S = 2.0
"""How long a program may take to end when this process itself is to end."""
_now = SystemClock.now


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program to run."""

    argv: tuple[str, ...]
    cwd: str | None = None
    env: Mapping[str, str] | None = None
    """Its whole environment; None for that of this process."""
    stdin: bytes | None = None
    stdin_file: str | None = None
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    """How long it may write nothing."""
    grace_s: float = GRACE_S
    """Seconds between SIGTERM and SIGKILL."""
    keep_bytes: int = KEEP_BYTES
    """How much to keep of the beginning of each stream, and as much of its end."""
    output_limit_bytes: int | None = None
    """End the program when it has written more than this."""
    memory_limit_bytes: int | None = None
    """What it and all that it starts may have together, where there are control groups."""
    merge_stderr: bool = True
    """Send both streams through one pipe, which keeps their order."""


class ProgramRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of running a program."""

    end: ProgramEnd
    output: bytes = b""
    errors: bytes = b""
    """What it wrote to stderr, if that was not merged."""
    output_bytes: int = 0
    """How much it wrote in all; more than was kept if the middle was dropped."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """CPU seconds of the program and of those of its children that it waited for."""
    max_rss_bytes: int = 0
    """Largest resident set.  Linux counts from the fork, so it is never less than our own."""
    leaked: tuple[str, ...] = ()
    """The processes it left behind, which were killed."""
    doing: tuple[str, ...] = ()
    """What its processes were doing when its time was up, a line each."""


def run(program: Program) -> ProgramRun:
    """Run *program* and return once it and everything it started have ended.

    Several threads may do so at the same time.
    """
    before = frozenset(tree.children(os.getpid())) if tree.has_children() else frozenset()
    fds: list[int] = []
    try:
        try:
            watch = _start(program, before, fds)
        except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
            return ProgramRun(end=NotStarted(_why(error)))
        try:
            watch.until_ended()
        finally:
            watch.close()
        return watch.account()
    finally:
        _close_all(fds)


def _start(program: Program, before: frozenset[int], fds: list[int]) -> _Watch:
    """Start *program*; add to *fds* the descriptors that its output can be read from."""
    started_at = _now()
    theirs: list[int] = []
    memory: MemoryLimit | None = None
    starting = object()
    _running.add(starting)
    try:
        theirs.append(_open_stdin(program))
        for _ in range(1 if program.merge_stderr else 2):
            reader, writer = os.pipe()
            fds.append(reader)
            theirs.append(writer)
        if program.memory_limit_bytes is not None:
            memory = MemoryLimit.of(program.memory_limit_bytes)
        child = _spawn(program, theirs[0], theirs[1], theirs[-1], memory)
        try:
            return _Watch(program, child, fds, before, started_at, memory)
        except OSError:  # no descriptor is left to watch it with
            tree.kill_tree(child.pid)
            child.wait()
            raise
    except BaseException as error:
        if not isinstance(error, Exception):
            # Struck while a program was being started: it may run, and nobody knows its number.
            tree.kill_below(os.getpid(), _Others(before, -1, with_leader=False))
        if memory is not None:
            memory.close()
        raise
    finally:
        _running.discard(starting)
        _close_all(theirs)


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


_running: set[object] = set()
"""One for each program that a thread of this process is running, or starting, right now."""


class _Others:
    """The children of this process that do not come from the program of *leader*, as it is now.

    The leader has a session of its own, so nothing of the program is ever in ours: a child that
    is was started by this process, in another thread.  While other programs run, an orphan
    outside of their sessions may be anybody's: it is left to whoever ends last.
    """

    def __init__(self, before: frozenset[int], leader: int, *, with_leader: bool) -> None:
        self._before = before
        self._leader = leader
        self._with_leader = with_leader
        self._own_session = os.getsid(0)

    def __contains__(self, pid: object) -> bool:
        if pid in self._before or not isinstance(pid, int):
            return True
        if pid == self._leader:
            return self._with_leader
        session = tree.session(pid)
        return session == self._own_session or (len(_running) > 1 and session != self._leader)


class _Watch:
    """A program while it runs: drains it, ends it in time, and sees that nothing is left."""

    def __init__(
        self,
        program: Program,
        child: subprocess.Popen[bytes],
        fds: list[int],
        before: frozenset[int],
        started_at: float,
        memory: MemoryLimit | None = None,
    ) -> None:
        try:
            self._pidfd = os.pidfd_open(child.pid)
        except ProcessLookupError:
            self._pidfd = -1  # it has ended, and SIGCHLD is ignored, so it has gone altogether
        self._program = program
        self._child = child
        self._streams = {fd: Capture(program.keep_bytes) for fd in fds}
        self._before = before
        self._started_at = started_at
        self._poller = select.poll()
        for fd in (self._pidfd, *fds):
            if fd >= 0:
                self._poller.register(fd, select.POLLIN)
        self._open = set(fds)
        self._leader_ended = self._pidfd < 0
        self._swept = False
        self._forced: ProgramEnd | None = None
        self._memory = memory
        self._status: int | None = None
        self._cpu_s = 0.0
        self._max_rss = 0
        self._ended_at = started_at
        self._looked_at = self._read_at = started_at
        self._paused_s = 0.0
        self._lacked_memory = False
        self._leaked: list[str] = []
        self._doing: tuple[str, ...] = ()
        _running.add(self)

    def close(self) -> None:
        if not self._swept:  # only when something broke: never leave a program behind
            try:
                self._ask_to_end(min(self._program.grace_s, _HURRY_S))
            finally:
                self._kill_all()
        self._collect()
        if self._memory is not None:
            self._lacked_memory = self._memory.was_exceeded
            self._memory.close()
        _running.discard(self)
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def until_ended(self) -> None:
        """Drain the program until it has ended, or make it."""
        program = self._program
        deadline = None if program.timeout_s is None else self._started_at + program.timeout_s
        if not self._drain(deadline, idle_s=program.idle_timeout_s):
            limit = program.output_limit_bytes
            if limit is not None and self._written > limit:
                self._forced = OutputLimit(limit)
            else:
                self._forced = self._timed_out()
                self._doing = tuple(picture(os.getpid(), self._others(with_leader=False)))
            self._end()
        self._ended_at = _now()
        self._sweep()
        self._swept = True

    def _timed_out(self) -> TimedOut:
        limit_s, idle_s = self._program.timeout_s, self._program.idle_timeout_s
        if idle_s is not None and self._looked_at - self._read_at >= idle_s:
            return TimedOut(idle_s, was_idle=True)
        return TimedOut(limit_s or 0.0)

    @property
    def _written(self) -> int:
        return sum(stream.total for stream in self._streams.values())

    def _drain_for(self, seconds: float, *, need_eof: bool = False) -> bool:
        """Do as `_drain`, from now on."""
        self._looked_at = _now()
        return self._drain(self._looked_at + seconds, need_eof=need_eof)

    def _drain(
        self, until: float | None, *, need_eof: bool = False, idle_s: float | None = None
    ) -> bool:
        """Read until the leader has ended (and, if *need_eof*, all streams); False when time is up.

        That is at *until*, or when nothing has been written for *idle_s*.
        """
        limit = self._program.output_limit_bytes
        while not self._leader_ended or (need_eof and self._open):
            idle_until = None if idle_s is None else self._read_at + idle_s
            due = until
            if idle_until is not None and (until is None or idle_until < until):
                due = idle_until
            if due is None:
                events = self._poller.poll()
            else:
                left_s = due - self._looked_at
                is_up = until is not None and until <= self._looked_at
                wait_s = TICK_S if left_s > TICK_S else max(0.0, left_s)
                events = self._poller.poll(wait_s * 1000)
                paused_s = self._paused_for(wait_s)
                until = None if until is None else until + paused_s
                if (is_up or (left_s <= 0 and not events)) and not self._tell_of_end(events):
                    return False  # there may be more to read, but there always may
            for fd, _event in events:
                if fd == self._pidfd:
                    self._leader_ended = True
                    self._poller.unregister(fd)
                else:
                    self._read(fd)
            if limit is not None and self._written > limit:
                return False
        return True

    def _tell_of_end(self, events: list[tuple[int, int]]) -> bool:
        return any(fd == self._pidfd for fd, _event in events)

    def _paused_for(self, waited_s: float) -> float:
        """Look at the clock after waiting for *waited_s*; return for how long nothing could run."""
        before, self._looked_at = self._looked_at, _now()
        paused_s = overslept_s(before, waited_s, self._looked_at)
        self._paused_s += paused_s
        self._read_at += paused_s
        return paused_s

    def _read(self, fd: int) -> None:
        chunk = os.read(fd, _READ_BYTES)
        self._read_at = self._looked_at
        if not chunk:
            self._open.discard(fd)
            self._poller.unregister(fd)
            return
        self._streams[fd].add(chunk)
        if len(chunk) == _READ_BYTES and self._streams[fd].total == _READ_BYTES:
            # A talkative one: fewer, larger reads from here on.
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def _end(self) -> None:
        """Ask the program and all below it to end; kill what has not when the grace is over."""
        if not self._ask_to_end(self._program.grace_s):
            if isinstance(self._forced, TimedOut):
                self._forced = msgspec.structs.replace(self._forced, ignored_term=True)
            self._kill_all()
            self._drain_for(LEAK_GRACE_S)

    def _ask_to_end(self, grace_s: float) -> bool:
        """Ask the program and all below it to end; tell whether it has before *grace_s*."""
        pids = self._members()
        tree.signal_all(pids, signal.SIGTERM)
        tree.signal_all(pids, signal.SIGCONT)
        self._program = msgspec.structs.replace(self._program, output_limit_bytes=None)
        return self._drain_for(grace_s)

    def _sweep(self) -> None:
        """See to what outlives the leader: give it a moment, then kill and name it."""
        until = _now() + LEAK_GRACE_S
        if self._open and not self._drain_for(LEAK_GRACE_S, need_eof=True):
            self._note_and_kill()
            self._drain_for(LEAK_GRACE_S, need_eof=True)
        # What ends in time may have started something else.
        while left := self._left_over():
            if not tree.wait_gone(left, max(0.0, until - _now())):
                self._note_and_kill()
                break

    def _left_over(self) -> list[int]:
        """Return what the program has started and is alive, once the leader has ended."""
        if not self._before and len(_running) == 1:
            # The usual case, in one system call: nothing is left, not even the leader.
            self._collect()
            if not tree.has_children():
                return []
        alive = [pid for pid in self._members() if not tree.is_zombie(pid)]
        tree.reap(self._others(with_leader=True))
        return alive

    def _note_and_kill(self) -> None:
        if self._forced is None:
            self._leaked.extend(tree.describe(pid) for pid in self._left_over())
        self._kill_all()

    def _members(self) -> list[int]:
        """Return the processes of the program, its leader among them."""
        return tree.descendants(os.getpid(), self._others(with_leader=False))

    def _others(self, *, with_leader: bool) -> _Others:
        return _Others(self._before, self._child.pid, with_leader=with_leader)

    def _kill_all(self) -> None:
        if self._child.returncode is None:  # the number is ours only until it is reaped
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
            tree.wait_gone([self._child.pid], 1.0)
        stuck = tree.kill_below(os.getpid(), self._others(with_leader=True))
        self._leaked.extend(f"unkillable: {tree.describe(pid)}" for pid in stuck)

    def _collect(self) -> None:
        """Reap the leader."""
        if self._child.returncode is not None:
            return
        try:
            pid, status, usage = os.wait4(self._child.pid, os.WNOHANG)
            if pid == 0 and tree.is_zombie(self._child.pid):
                # Somebody traces it, as strace does, and has to see its end before we may.
                pid, status, usage = os.wait4(self._child.pid, 0)
        except ChildProcessError:
            # Somebody reaped it: a driver that waits for any child, or ignores SIGCHLD.
            self._child.returncode = -1
            return
        if pid == 0:  # it hangs in the kernel
            self._leaked.append(f"unkillable: {tree.describe(self._child.pid)}")
            return
        self._child.returncode = self._status = os.waitstatus_to_exitcode(status)
        self._cpu_s = usage.ru_utime + usage.ru_stime
        self._max_rss = usage.ru_maxrss * 1024

    def account(self) -> ProgramRun:
        """Return how it all went."""
        streams = [stream.content() for stream in self._streams.values()]
        return ProgramRun(
            end=self._lack_of_memory() or self._forced or self._own_end(),
            output=streams[0],
            errors=streams[1] if len(streams) > 1 else b"",
            output_bytes=self._written,
            wall_s=self._ended_at - self._started_at - self._paused_s,
            cpu_s=self._cpu_s,
            max_rss_bytes=self._max_rss,
            leaked=tuple(dict.fromkeys(self._leaked)),
            doing=self._doing,
        )

    def _lack_of_memory(self) -> ProgramEnd | None:
        """Whatever came of it then: what it wrote is not what it would have written."""
        return (
            OutOfMemory(self._memory.limit_bytes) if self._memory and self._lacked_memory else None
        )

    def _own_end(self) -> ProgramEnd:
        if self._status is None:
            return NotStarted("how it ended is not known: somebody else has waited for it")
        return Exited(self._status) if self._status >= 0 else Killed(-self._status)


def _spawn(
    program: Program, stdin: int, out: int, err: int, memory: MemoryLimit | None
) -> subprocess.Popen[bytes]:
    try:
        return _popen(program.argv, program, stdin, out, err, memory)
    except OSError as error:
        script = _script(program) if error.errno == errno.ENOEXEC else None
        if script is None:
            raise
        # A script without an interpreter line: run it as the shell (and execvp) would.
        argv = ("/bin/sh", script, *program.argv[1:])
        return _popen(argv, program, stdin, out, err, memory)


def _script(program: Program) -> str | None:
    """Return the path of a program that the system did not know to run, if it is text."""
    path = _found(program.argv[0], program.env) or program.argv[0]
    try:
        with open(os.path.join(program.cwd or "", path), "rb") as file:
            head = file.read(512)
    except OSError:
        return None
    return path if head and b"\0" not in head else None


def _popen(
    argv: tuple[str, ...],
    program: Program,
    stdin: int,
    out: int,
    err: int,
    memory: MemoryLimit | None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        executable=_found(argv[0], program.env),
        stdin=stdin,
        stdout=out,
        stderr=err,
        cwd=program.cwd,
        env=program.env,
        start_new_session=True,
        # With it, Python forks in place of the cheaper vfork.
        preexec_fn=None if memory is None else memory.enter,  # noqa: PLW1509 - takes no lock
    )


_places: dict[tuple[str, str | None], str] = {}
"""(program, PATH) -> where it was found last."""


def _found(name: str, env: Mapping[str, str] | None) -> str | None:
    """Return where in PATH program *name* is; None to have the system look, or fail.

    The same few programs are run again and again, and trying each directory costs more than
    everything else that this process does to start one.
    """
    if os.sep in name:
        return None
    key = (name, (os.environ if env is None else env).get("PATH"))
    path = _places.get(key)
    if path is None or not os.access(path, os.X_OK):
        path = shutil.which(name, path=key[1])
        # Only absolute ones: others depend on the directory.
        if path is None or not os.path.isabs(path):
            return None
        _places[key] = path
    return path


def _open_stdin(program: Program) -> int:
    if program.stdin is None:
        return os.open(program.stdin_file or os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    # A file in memory: no pipe to feed while the program runs.
    fd = os.memfd_create("stdin")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(program.stdin)
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def _why(error: Exception) -> str:
    if isinstance(error, IndexError):
        return "no program is named"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
