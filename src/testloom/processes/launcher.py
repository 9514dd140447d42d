"""Runs one program to its end, whatever it does: the way every program under test is run.

The program leads its own session, reads from ``/dev/null`` unless told otherwise, and its
output is drained all the time it runs.  Its end is its own end, not that of its output: a
daemon it leaves behind gets a fifth of a second, counted once, and is then killed and named.
When its time is up it is asked to end (SIGTERM), and killed with all below it after a grace.

This process must be a subreaper (`prctl.become_subreaper`) for daemons to be found; without,
only those still in the program's process group are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping

from testloom.model.outcome import (
    Exited,
    Killed,
    NotStarted,
    OutputLimit,
    ProgramEnd,
    TimedOut,
)
from testloom.processes import tree
from testloom.processes.capture import Capture
from testloom.processes.clock import SystemClock

KEEP_BYTES = 16 * 1024 * 1024
GRACE_S = 5.0
LEAK_GRACE_S = 0.2
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_now = SystemClock.now


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to run."""

    argv: tuple[str, ...]
    cwd: str | None = None
    env: Mapping[str, str] | None = None
    """Its whole environment; None for that of this process."""
    stdin: bytes | None = None
    stdin_file: str | None = None
    timeout_s: float | None = None
    grace_s: float = GRACE_S
    """Seconds between SIGTERM and SIGKILL."""
    keep_bytes: int = KEEP_BYTES
    """How much to keep of the beginning of each stream, and as much of its end."""
    output_limit_bytes: int | None = None
    """End the program when it has written more than this."""
    merge_stderr: bool = True
    """Send both streams through one pipe, which keeps their order."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRun:
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


def run(program: Program) -> ProgramRun:
    """Run *program* and return once it and everything it started have ended."""
    before = frozenset(tree.children(os.getpid())) if tree.has_children() else frozenset()
    with contextlib.ExitStack() as opened:
        try:
            stdin = _open_stdin(program)
        except OSError as error:
            return ProgramRun(end=NotStarted(_why(error)))
        opened.callback(os.close, stdin)
        reader, writer = os.pipe()
        opened.callback(os.close, reader)
        err_reader = err_writer = -1
        if not program.merge_stderr:
            err_reader, err_writer = os.pipe()
            opened.callback(os.close, err_reader)
        started_at = _now()
        try:
            child = _spawn(program, stdin, writer, err_writer)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return ProgramRun(end=NotStarted(_why(error)))
        finally:
            os.close(writer)
            if err_writer >= 0:
                os.close(err_writer)
        streams = {reader: Capture(program.keep_bytes)}
        if err_reader >= 0:
            streams[err_reader] = Capture(program.keep_bytes)
        watch = _Watch(program, child, streams, before, started_at)
        try:
            watch.until_ended()
        finally:
            watch.close()
        errors = streams[err_reader].content() if err_reader >= 0 else b""
        return watch.account(streams[reader].content(), errors)


class _Watch:
    """A program while it runs: drains it, ends it in time, and sees that nothing is left."""

    def __init__(
        self,
        program: Program,
        child: subprocess.Popen[bytes],
        streams: dict[int, Capture],
        before: frozenset[int],
        started_at: float,
    ) -> None:
        self._program = program
        self._child = child
        self._streams = streams
        self._before = before
        self._started_at = started_at
        self._pidfd = os.pidfd_open(child.pid)
        self._poller = select.poll()
        self._poller.register(self._pidfd, select.POLLIN)
        for fd in streams:
            self._poller.register(fd, select.POLLIN)
        self._open = set(streams)
        self._leader_ended = False
        self._forced: ProgramEnd | None = None
        self._status = 0
        self._cpu_s = 0.0
        self._max_rss = 0
        self._ended_at = started_at
        self._leaked: list[str] = []

    def close(self) -> None:
        if not self._leader_ended:  # only when something broke: never leave a program behind
            self._kill_all()
            self._collect()
        os.close(self._pidfd)

    def until_ended(self) -> None:
        """Drain the program until it has ended, or make it."""
        program = self._program
        deadline = None if program.timeout_s is None else self._started_at + program.timeout_s
        if not self._drain(deadline, need_eof=False):
            limit = program.output_limit_bytes
            if limit is not None and self._written > limit:
                self._forced = OutputLimit(limit)
            else:
                self._forced = TimedOut(program.timeout_s or 0.0)
            self._end()
        self._ended_at = _now()
        self._sweep()
        self._collect()

    @property
    def _written(self) -> int:
        return sum(stream.total for stream in self._streams.values())

    def _drain(self, until: float | None, *, need_eof: bool) -> bool:
        """Read until the leader has ended (and, if *need_eof*, all streams); False when time is up."""
        limit = self._program.output_limit_bytes
        while not self._leader_ended or (need_eof and self._open):
            left_ms = None if until is None else max(0.0, (until - _now()) * 1000)
            events = self._poller.poll(left_ms)
            if not events and until is not None and _now() >= until:
                return False
            for fd, _event in events:
                if fd == self._pidfd:
                    self._leader_ended = True
                    self._poller.unregister(fd)
                else:
                    self._read(fd)
            if limit is not None and self._written > limit:
                return False
        return True

    def _read(self, fd: int) -> None:
        chunk = os.read(fd, _READ_BYTES)
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
        pids = self._members()
        tree.signal_all(pids, signal.SIGTERM)
        tree.signal_all(pids, signal.SIGCONT)
        unlimited = dataclasses.replace(self._program, output_limit_bytes=None)
        self._program = unlimited
        if not self._drain(_now() + unlimited.grace_s, need_eof=False):
            if isinstance(self._forced, TimedOut):
                self._forced = dataclasses.replace(self._forced, ignored_term=True)
            self._kill_all()
            self._drain(_now() + 1.0, need_eof=False)

    def _sweep(self) -> None:
        """See to what outlives the leader: give it a moment, then kill and name it."""
        until = _now() + LEAK_GRACE_S
        if self._open and not self._drain(until, need_eof=True):
            self._note_and_kill()
            self._drain(_now() + LEAK_GRACE_S, need_eof=True)
        # The leader is a zombie still: it is a child, so only more than it counts as left over.
        left = self._left_over()
        if left and not tree.wait_gone(left, max(0.0, until - _now())):
            self._note_and_kill()

    def _left_over(self) -> list[int]:
        own = os.getpid()
        if not self._before and self._no_other_child():
            return []
        found = tree.descendants(own, self._before)
        return [pid for pid in found if pid != self._child.pid and not tree.is_zombie(pid)]

    def _no_other_child(self) -> bool:
        """Reap the leader and dead orphans; tell whether this process has no child left then."""
        self._collect()
        if not tree.has_children():
            return True
        tree.reap()
        return not tree.has_children()

    def _note_and_kill(self) -> None:
        if self._forced is None:
            self._leaked.extend(tree.describe(pid) for pid in self._left_over())
        self._kill_all()

    def _members(self) -> list[int]:
        return tree.descendants(os.getpid(), self._before)

    def _kill_all(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._child.returncode is None:  # the number is ours only until it is reaped
                os.killpg(self._child.pid, signal.SIGKILL)
        stuck = tree.kill_below(os.getpid(), self._before | {self._child.pid})
        self._leaked.extend(f"unkillable: {tree.describe(pid)}" for pid in stuck)

    def _collect(self) -> None:
        """Reap the leader."""
        if self._child.returncode is not None:
            return
        try:
            _pid, status, usage = os.wait4(self._child.pid, 0)
        except ChildProcessError:
            # Somebody reaped it: a driver that waits for any child.
            self._child.returncode = self._status = -1
            return
        self._status = os.waitstatus_to_exitcode(status)
        self._child.returncode = self._status
        self._cpu_s = usage.ru_utime + usage.ru_stime
        self._max_rss = usage.ru_maxrss * 1024

    def account(self, output: bytes, errors: bytes) -> ProgramRun:
        """Return how it all went."""
        end = self._forced
        if end is None:
            end = Exited(self._status) if self._status >= 0 else Killed(-self._status)
        return ProgramRun(
            end=end,
            output=output,
            errors=errors,
            output_bytes=self._written,
            wall_s=self._ended_at - self._started_at,
            cpu_s=self._cpu_s,
            max_rss_bytes=self._max_rss,
            leaked=tuple(dict.fromkeys(self._leaked)),
        )


def _spawn(program: Program, stdin: int, out: int, err: int) -> subprocess.Popen[bytes]:
    try:
        return _popen(program.argv, program, stdin, out, err)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without an interpreter line: run it as the shell (and execvp) would.
        return _popen(("/bin/sh", *program.argv), program, stdin, out, err)


def _popen(
    argv: tuple[str, ...], program: Program, stdin: int, out: int, err: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        executable=_found(argv[0], program.env),
        stdin=stdin,
        stdout=out,
        stderr=out if err < 0 else err,
        cwd=program.cwd,
        env=program.env,
        start_new_session=True,
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
    if program.stdin is not None:
        # A file in memory: no pipe to feed while the program runs.
        fd = os.memfd_create("stdin")
        with open(fd, "wb", closefd=False) as file:
            file.write(program.stdin)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd
    return os.open(program.stdin_file or os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
