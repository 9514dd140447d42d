"""A program in a slot of a nursery: told over the channel what to be, the slot's process becomes it.

Whoever wants it run writes a `Job` into memory and passes the descriptor over the channel.  If
the program cannot be run, the reason comes back the same way; if it can, nothing does.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from typing import Final, NoReturn

import msgspec

from testloom.processes.exec_self import file_in_memory

CANNOT_START: Final = 127
"""What the slot's process exits with if it could not become the program, as a shell does."""


class Job(msgspec.Struct, array_like=True, frozen=True):
    """A program to run; all text as the system has it."""

    argv: list[bytes]
    cwd: bytes
    env: dict[bytes, bytes]
    stdout: bytes = b"/dev/null"
    """The file for its output; made, with its directory, or emptied."""
    stderr: bytes = b"/dev/null"
    """The file for its errors; may be the same."""
    memory_bytes: int | None = None
    """Limit of its address space, and that of each process below it."""


def send(job: Job, channel: socket.socket) -> None:
    """Pass *job* to the other end of *channel*; never blocks."""
    fd = file_in_memory(msgspec.msgpack.encode(job))
    try:
        socket.send_fds(channel, [b"j"], [fd])
    finally:
        os.close(fd)


def complaint(channel: socket.socket) -> str:
    """Return why the program could not be run, once its process has ended; empty if it could."""
    try:
        return channel.recv(4096, socket.MSG_DONTWAIT).decode("utf-8", "replace")
    except OSError:  # nothing was said
        return ""


def child_main(_slot: int, channel: socket.socket) -> NoReturn:
    """Become the program that *channel* tells of."""
    try:
        job = _received(channel)
        channel.set_inheritable(False)
        _become(job)
    except (OSError, ValueError, IndexError, MemoryError) as error:
        channel.sendall(_why(error).encode("utf-8", "replace")[:4096])
    sys.exit(CANNOT_START)


def _received(channel: socket.socket) -> Job:
    _data, fds, _flags, _address = socket.recv_fds(channel, 1, 1)
    if not fds:  # main has gone
        sys.exit(CANNOT_START)
    with open(fds[0], "rb") as file:
        return msgspec.msgpack.decode(file.read(), type=Job)


def _become(job: Job) -> NoReturn:
    os.chdir(job.cwd)
    out = _opened(job.stdout)
    os.dup2(out, 1)
    os.dup2(out if job.stderr == job.stdout else _opened(job.stderr), 2)
    if job.memory_bytes is not None:
        _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = job.memory_bytes if hard == resource.RLIM_INFINITY else min(job.memory_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, programs do not
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(job.argv[0], job.argv, job.env)  # noqa: S606 - no shell wanted
    except OSError as error:  # it names the last place that was looked at
        raise OSError(error.errno, error.strerror, job.argv[0]) from None


def _opened(path: bytes) -> int:
    directory = os.path.dirname(path)
    if directory:
        os.makedirs(directory, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)


def _why(error: Exception) -> str:
    if isinstance(error, IndexError):
        return "no program is named"
    if isinstance(error, MemoryError):
        return "the limit of its memory is too low"
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        shown = os.fsdecode(name) if isinstance(name, bytes) else name
        return f"{shown}: {error.strerror}" if shown else error.strerror
    return f"{type(error).__name__}: {error}"
