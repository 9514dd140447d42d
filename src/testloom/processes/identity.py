"""Who a process is, beyond its number, and that it has ended: only what can be proved.

A number is given to another process once the first one is gone, other containers count their own
processes, and other machines may see the same disk.  So an identity is a number together with
the instant at which the process began, the namespace that the number belongs to, the machine
and its start.  Whoever finds one later can tell that its process is dead, or that nobody knows.
"""

from __future__ import annotations

import functools
import os
import socket

import msgspec


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A process, as it can be told from all others."""

    host: str
    boot: str
    """Tells one start of the machine from another; empty if the system does not."""
    namespace: int
    """That of the number."""
    pid: int
    started: int
    """When it began, in ticks since the machine did."""

    def has_ended(self) -> bool:
        """Tell whether the process is certainly gone; False also if that cannot be known."""
        here = own()
        if here is None or self.host != here.host or not self.boot:
            return False
        if self.boot != here.boot:
            return True
        if self.namespace != here.namespace:
            return False
        try:
            state, started = _state_and_start(self.pid)
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            return False
        return started != self.started or state in ("Z", "X")


def own() -> Identity | None:
    """Return who this process is; None where the system does not tell."""
    try:
        return _identity_of(os.getpid())
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=4)
def _identity_of(pid: int) -> Identity:
    return Identity(
        host=socket.gethostname(),
        boot=boot_id(),
        namespace=os.stat("/proc/self/ns/pid").st_ino,
        pid=pid,
        started=_state_and_start(pid)[1],
    )


def boot_id() -> str:
    """Return what tells one start of the machine from another; empty if the system does not."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _state_and_start(pid: int) -> tuple[str, int]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    if len(fields) < 20:
        raise ValueError(f"/proc/{pid}/stat is cut off")
    return fields[0].decode(), int(fields[19])
